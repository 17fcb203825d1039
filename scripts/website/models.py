"""What the page runs: exported models, their thresholds, and the projections of their latent features."""

import concurrent.futures
import hashlib
import json
import multiprocessing
import pathlib
import shutil
import tempfile

import zoo
from zoo import files

# What the page offers, in its order: names of sets, and what people see.
TITLES = {
    "mnist-deep-feed-forward-16": "Dense",
    "mnist-convolutional-16": "Convolutional",
    "mnist-denoising-gaussian-32": "Denoiser",
    "mnist-denoising-affine-gaussian-64": "Straightener",
    "mnist-sparse-topk-1000": "Sparse",
}
PRECISIONS = {"float32": None, "int8": "int8"}
QUANTILE = 0.99
_ENTRY, _LIST, _DIGITS = "entry.json", "models.json", "digits.bin"
_SOURCES = (pathlib.Path(__file__), pathlib.Path(__file__).with_name("samples.py"))


def build(directory, names=tuple(TITLES), dataset="auto", progress=print):
    """Export what is missing or stale below a directory, and write models.json and the digits of the map.

    Args:
        directory: where to; each model gets a directory of its own name.
        names: sets to offer.
        dataset: "mnist", "digits" or "auto", see `website.samples.load`.
        progress: function that is told what happens, one line at a time.

    Returns:
        list of the names that had to be exported.
    """
    from website import samples

    directory = pathlib.Path(directory)
    cards = [zoo.card(name) for name in names]
    stale = [card.name for card in cards if not _is_fresh(directory / card.name, _key(card, dataset))]
    if stale or not (directory / _DIGITS).is_file():
        digits = samples.load(dataset)
        shown = digits.shown
        directory.mkdir(parents=True, exist_ok=True)
        (directory / _DIGITS).write_bytes(shown.images.tobytes())
        labels = directory / "labels.json"
        labels.write_text(json.dumps({"dataset": shown.name, "labels": shown.labels.tolist()}), encoding="utf-8")
    # The converter leaks memory: a process for each model.
    spawn = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=spawn, max_tasks_per_child=1) as pool:
        for number, name in enumerate(stale, start=1):
            progress(f"Exporting {name} ({number} of {len(stale)}) …")
            pool.submit(_export, name, directory / name, digits, _key(zoo.card(name), dataset)).result()
    entries = [json.loads((directory / name / _ENTRY).read_text(encoding="utf-8")) for name in names]
    digits = json.loads((directory / "labels.json").read_text(encoding="utf-8"))
    text = json.dumps({**digits, "version": zoo.__version__, "quantile": QUANTILE, "models": entries})
    (directory / _LIST).write_text(text, encoding="utf-8")
    return stale


def _key(card, dataset):
    """What a model's files depend on, as one hash."""
    digest = hashlib.sha256(f"{card.sha256} {zoo.__version__} {dataset} {QUANTILE}".encode())
    exporting = sorted((pathlib.Path(zoo.__file__).parent / "exporting").glob("*.py"))
    for path in (*_SOURCES, *exporting):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _is_fresh(directory, key):
    """Whether a model's directory holds what its key says, undamaged."""
    try:
        entry = json.loads((directory / _ENTRY).read_text(encoding="utf-8"))
        return entry["key"] == key and all(
            files.sha256(directory.parent / file["path"]) == file["sha256"] for file in entry["files"].values()
        )
    except (OSError, ValueError, KeyError):
        return False


def _export(name, directory, digits, key):
    """Write the files of one model and its entry of models.json."""
    from zoo.terminal import load_tensorflow

    load_tensorflow()
    card, model = zoo.card(name), zoo.load(name)
    threshold = zoo.threshold(model, digits.test, quantile=QUANTILE)
    compared_on = digits.test.pixels()[:256]
    with files.staged(directory) as staging:
        exported = {}
        for precision, quantization in PRECISIONS.items():
            calibration = digits.calibration if quantization else None
            with tempfile.TemporaryDirectory() as scratch:
                zoo.export(
                    model,
                    scratch,
                    "tflite",
                    quantization=quantization,
                    calibration=calibration,
                    threshold=threshold,
                    samples=compared_on,
                )
                path = staging / f"{precision}.tflite"
                shutil.move(pathlib.Path(scratch) / "model.tflite", path)
            scores = zoo.lite.load(path).score(digits.test.pixels())
            exported[precision] = {
                "path": f"{name}/{path.name}",
                "bytes": path.stat().st_size,
                "sha256": files.sha256(path),
                "above": float((scores > threshold).mean()),
            }
        entry = {
            "name": name,
            "title": TITLES.get(name, name),
            "description": card.description,
            "latent_shape": list(model.latent_shape),
            "threshold": threshold,
            "tested_on": len(digits.test),
            "files": exported,
            "projection": _projection(model, digits.train),
            "key": key,
        }
        (staging / _ENTRY).write_text(json.dumps(entry), encoding="utf-8")


def _projection(model, source):
    """The two directions in latent space that tell the ten digits apart best (linear discriminant analysis).

    Returns:
        {"mean": [...], "axes": [[...], [...]]}: features minus mean, times each axis, are a digit's place on the map.
    """
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    latent = model.encode(source.pixels()).reshape(len(source), -1)
    # Shrunk, because some of a thousand sparse features are hardly ever active.
    analysis = LinearDiscriminantAnalysis(solver="eigen", shrinkage=0.1).fit(latent, source.labels)
    axes = analysis.scalings_[:, :2].T
    return {
        "mean": [float(f"{x:.6g}") for x in latent.mean(axis=0)],
        "axes": [[float(f"{x:.6g}") for x in axis] for axis in axes],
    }
