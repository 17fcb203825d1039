"""The models that the page offers, and the list of them that it reads."""

import concurrent.futures
import hashlib
import json
import multiprocessing
import pathlib

import zoo
from website import samples
from website.exporting import ENTRY, QUANTILE, export
from zoo.core import files
from zoo.core.errors import ConfigError
from zoo.core.terminal import load_tensorflow

# What the page offers, in its order: names of models, with a title and what to try.
SHOWN = {
    "mnist-convolutional-16": ("Convolutional", "Draw a digit in your own hand, then something that is none."),
    "mnist-deep-feed-forward-16": ("Dense", "Only dense layers: a larger file, a quick answer."),
    "mnist-denoising-gaussian-32": ("Denoiser", "Move the noise slider: it was trained on a noise of 0.55."),
    "mnist-denoising-affine-gaussian-64": (
        "Straightener",
        "Draw a tilted digit: it comes back straighter, but blurred.",
    ),
    "mnist-sparse-topk-1000": ("Sparse", "Of its thousand features only 25 are active at a time."),
}
_LIST, _DIGITS, _LABELS = "models.json", "digits.bin", "labels.json"
# What the files are made by: a change of these makes them stale.
_SOURCES = [pathlib.Path(__file__).with_name(name) for name in ("exporting.py", "samples.py")]
_SOURCES += sorted((pathlib.Path(zoo.__file__).parent / "exporting").glob("*.py"))


def build(directory, names=tuple(SHOWN), dataset="auto", progress=print):
    """Export what is missing or stale below a directory, and write models.json and the digits of the map.

    Args:
        directory: where to; each model gets a directory of its own name.
        names: models to offer.
        dataset: "mnist", "digits" or "auto", see `website.samples.load`.
        progress: function that takes a line of text for each thing that happens.

    Returns:
        list of the names that had to be exported.

    Raises:
        ConfigError: a model of anything but digits: the page draws, shows and maps images of their size.
    """
    directory = pathlib.Path(directory)
    cards = [zoo.card(name) for name in names]
    for card in cards:
        if card.input.shape != samples.SHAPE:
            raise ConfigError(
                f"The page is for models of images of 28 x 28 pixels with one channel. {card.name} takes samples of"
                f" shape {card.input.shape}: leave it out."
            )
    stale = [card.name for card in cards if not _is_fresh(directory / card.name, _key(card, dataset))]
    if stale or not (directory / _DIGITS).is_file():
        load_tensorflow()
        digits = samples.load(dataset)
        shown = digits.shown
        if dataset == "auto" and shown.name == "digits":
            progress("MNIST is not available: the embedded digits serve instead. (--dataset mnist says why.)")
        directory.mkdir(parents=True, exist_ok=True)
        (directory / _DIGITS).write_bytes(shown.samples.tobytes())
        labels = directory / _LABELS
        labels.write_text(json.dumps({"dataset": shown.name, "labels": shown.labels.tolist()}), encoding="utf-8")
    # The converter leaks memory: a process for each model.
    spawn = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=spawn, max_tasks_per_child=1) as pool:
        for number, name in enumerate(stale, start=1):
            progress(f"Exporting {name} ({number} of {len(stale)}) …")
            pool.submit(export, name, directory / name, digits, _key(zoo.card(name), dataset)).result()
    entries = [json.loads((directory / name / ENTRY).read_text(encoding="utf-8")) for name in names]
    digits = json.loads((directory / _LABELS).read_text(encoding="utf-8"))
    for entry in entries:
        title, advice = SHOWN.get(entry["name"], (entry["name"], ""))
        entry |= {"title": title, "advice": advice, "description": zoo.card(entry["name"]).description}
    text = json.dumps({**digits, "version": zoo.__version__, "quantile": QUANTILE, "models": entries})
    (directory / _LIST).write_text(text, encoding="utf-8")
    return stale


def _key(card, dataset):
    """What a model's files depend on, as one hash."""
    digest = hashlib.sha256(f"{card.sha256} {zoo.__version__} {dataset}".encode())
    for path in _SOURCES:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _is_fresh(directory, key):
    """Whether a model's directory holds what its key says, undamaged."""
    try:
        entry = json.loads((directory / ENTRY).read_text(encoding="utf-8"))
        return entry["key"] == key and all(
            files.sha256(directory.parent / file["path"]) == file["sha256"] for file in entry["files"].values()
        )
    except (OSError, ValueError, KeyError):
        return False
