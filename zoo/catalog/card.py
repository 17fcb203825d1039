"""Cards: what is known about a pretrained set, read without TensorFlow."""

import dataclasses
import fnmatch
import json
import pathlib

from zoo.core.errors import DataNotFoundError, IntegrityError, unknown_name
from zoo.core.files import recover
from zoo.families import registry

CONFIG, METADATA, WEIGHTS, README = "config.json", "metadata.json", "model.weights.h5", "README.md"
GOLDEN, PICTURE = "golden.npz", "card.png"


@dataclasses.dataclass(frozen=True)
class Card:
    """The metadata of a pretrained set; loader, tests, README and command line all read this object.

    Attributes:
        name: name of the set.
        family: name of its family, see `zoo.list_families`.
        config: JSON config from which `zoo.from_config` builds the model.
        version: number of the weights. Other weights get another number: none is ever overwritten under the same one.
        dataset: {"name", "title", "version", "split", "samples"} of the training data.
        input: {"shape", "dtype", "range", "preprocessing"} of what the encoder takes; "latent_shape" of what it gives.
        recipe: the training settings: epochs, batch size, optimizer, learning rate, schedule, loss, seed.
        metrics: all that `zoo.evaluate` measures on the whole test split.
        history: metric name to its values, one per epoch of the training.
        parameters: number of parameters.
        size_bytes: size of the weight file in bytes.
        sha256: SHA-256 of the weight file, 64 hex digits.
        license: SPDX identifier of the weights' licence.
        description: one sentence.
        reproduction: {"command", "seconds", "machine", "versions"}: how it was made.
        quantization: {"samples", "files", "warnings"}: what `zoo.exporting.quantization_cost.measure` found out about
            the set as .tflite file, with and without quantisation; empty if nobody looked.
    """

    name: str
    family: str
    config: dict
    input: dict
    parameters: int
    size_bytes: int
    sha256: str
    version: int = 1
    dataset: dict = dataclasses.field(default_factory=dict)
    recipe: dict = dataclasses.field(default_factory=dict)
    metrics: dict = dataclasses.field(default_factory=dict)
    history: dict = dataclasses.field(default_factory=dict)
    license: str = ""
    description: str = ""
    reproduction: dict = dataclasses.field(default_factory=dict)
    quantization: dict = dataclasses.field(default_factory=dict)


def catalog_directory():
    """Directory of the pretrained sets: inside an installed wheel, or beside the package in a checkout."""
    package = pathlib.Path(__file__).parents[1]
    inside = package / "pretrained"
    return inside if inside.is_dir() else package.parent / "pretrained"


def list_pretrained(pattern="*", *, family=None, dataset=None):
    """Names of the pretrained sets, sorted.

    Args:
        pattern: shell-style pattern for the name.
        family: only sets of this family; a wrapped family counts with its backbone's, so that "convolutional" also
            finds a convolutional denoiser.
        dataset: only sets trained on this dataset.

    Raises:
        UnknownNameError: an unknown family.

    Example:
        >>> zoo.list_pretrained("mnist-*", family="denoising")
        ['mnist-denoising-affine-128']
    """
    if family is not None:
        registry.check_name(family)
    cards = (read_card(path.parent) for path in catalog_directory().glob(f"*/{METADATA}"))
    return sorted(
        c.name
        for c in cards
        if fnmatch.fnmatchcase(c.name, pattern)
        and (family is None or family in _families(c.config))
        and (dataset is None or dataset == c.dataset.get("name"))
    )


def _families(config):
    while config:
        yield config["family"]
        config = config.get("backbone")


def card(name):
    """The card of a pretrained set, or of a directory that `zoo.save` wrote.

    Raises:
        UnknownNameError: an unknown name; the nearest valid ones are listed.

    Example:
        >>> zoo.card("mnist-feed-forward-8").parameters
        13336
    """
    return read_card(find(name))


def find(name_or_directory):
    """The directory of a set: a name in the catalog, or a path; raises the error that a user should read."""
    text = str(name_or_directory)
    path = pathlib.Path(text).expanduser()
    if isinstance(name_or_directory, str) and path.name == text and (catalog_directory() / text / METADATA).is_file():
        return catalog_directory() / text
    if path.is_dir():
        recover(path)
        if (path / METADATA).is_file():
            return path
        raise DataNotFoundError(
            f"{text!r} is not a saved set: it has no {METADATA}. Write one with zoo.save(model, directory)."
        )
    if isinstance(name_or_directory, pathlib.Path) or path.name != text:
        raise DataNotFoundError(
            f"No such directory: {text!r}. Expected a set that zoo.save wrote, or a name of zoo.list_pretrained()."
        )
    raise unknown_name("pretrained set", text, list_pretrained())


def read_card(directory):
    """The `Card` of a set's directory; raises `IntegrityError` if its JSON files are damaged."""
    directory = pathlib.Path(directory)
    try:
        metadata = json.loads((directory / METADATA).read_text(encoding="utf-8"))
        config = json.loads((directory / CONFIG).read_text(encoding="utf-8"))
        return Card(config=config, **metadata)
    except FileNotFoundError as error:
        raise IntegrityError(
            f"Set {str(directory)!r} is incomplete: {pathlib.Path(error.filename).name} is missing."
        ) from error
    except (ValueError, TypeError) as error:
        raise IntegrityError(f"Set {str(directory)!r} has a damaged {METADATA} or {CONFIG}: {error}.") from error
