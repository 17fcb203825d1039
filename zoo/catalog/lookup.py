"""Finding pretrained models: by name in the catalog, or by directory."""

import fnmatch
import os
import pathlib

from zoo.catalog.card import METADATA, Card, read_card
from zoo.core import reading
from zoo.core.errors import DataNotFoundError, unknown_name
from zoo.families import registry


def catalog_directory() -> pathlib.Path:
    """Directory of the pretrained models: inside an installed wheel, or next to the package in a checkout."""
    package = pathlib.Path(__file__).parents[1]
    inside = package / "pretrained"
    return inside if inside.is_dir() else package.parent / "pretrained"


def list_pretrained(pattern: str = "*", *, family: str | None = None, dataset: str | None = None) -> list[str]:
    """Names of the pretrained models, sorted.

    Args:
        pattern: shell-style pattern for the name.
        family: only models of this family; a wrapped family counts with its backbone's, so that "convolutional" also
            finds a convolutional denoiser.
        dataset: only models trained on this dataset.

    Raises:
        UnknownNameError: an unknown family.

    Example:
        >>> zoo.list_pretrained("mnist-*", family="denoising")
        ['mnist-denoising-affine-128']
    """
    return [card.name for card in cards(pattern, family=family, dataset=dataset)]


def cards(pattern: str = "*", *, family: str | None = None, dataset: str | None = None) -> list[Card]:
    """The cards of the pretrained models that `list_pretrained` names, in the same order."""
    if family is not None:
        registry.check_name(family)
    directories = (path.parent for path in catalog_directory().glob(f"*/{METADATA}"))
    found = (read_card(path) for path in directories if fnmatch.fnmatchcase(path.name, pattern))
    return sorted(
        (
            card
            for card in found
            if (family is None or family in _families(card.config)) and dataset in (None, card.dataset.name)
        ),
        key=lambda card: card.name,
    )


def _families(config):
    while config:
        yield config["family"]
        config = config.get("backbone")


def card(name: str | os.PathLike, *, trust: str = "sealed") -> Card:
    """The card of a pretrained model.

    Args:
        name: a name of `zoo.list_pretrained()`, or a directory that `zoo.save` wrote.
        trust: as for `zoo.load`.

    Raises:
        UnknownNameError: an unknown name; the nearest valid ones are listed.
        DataNotFoundError: a directory that is not there or holds no model.
        IntegrityError: a card that was changed or is damaged.

    Example:
        >>> zoo.card("mnist-feed-forward-8").parameters
        13336
    """
    return read_card(find(name), trust=trust)


def find(name_or_directory: str | os.PathLike) -> pathlib.Path:
    """The directory of a pretrained model; arguments and errors as `card`."""
    text = str(name_or_directory)
    path = reading.expanded(text)
    if isinstance(name_or_directory, str) and path.name == text and (catalog_directory() / text / METADATA).is_file():
        return catalog_directory() / text
    if path.is_dir():
        if (path / METADATA).is_file():
            return path
        raise DataNotFoundError(
            f"{text!r} is not a saved model: it has no {METADATA}. Write one with zoo.save(model, directory)."
        )
    if isinstance(name_or_directory, pathlib.Path) or path.name != text:
        raise DataNotFoundError(
            f"No such directory: {text!r}. Expected a model that zoo.save wrote, or a name of zoo.list_pretrained()."
        )
    raise unknown_name("pretrained model", text, list_pretrained())
