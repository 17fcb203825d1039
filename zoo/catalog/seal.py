"""Sealing a folder that has no manifest, and checking one that has."""

import os
import pathlib
from collections.abc import Callable

from zoo.catalog.card import CONFIG, GOLDEN, METADATA, PICTURE, README, WEIGHTS, parse_card
from zoo.catalog.load import LIMITS, assembled, check_golden
from zoo.catalog.lookup import find
from zoo.core import files, manifest, reading
from zoo.core.errors import IntegrityError
from zoo.families.registry import MEMORY_LIMIT

_SEALED = (CONFIG, METADATA, WEIGHTS, GOLDEN, README, PICTURE)
_PICTURE_LIMIT = 64e6  # bytes


def seal(directory: str | os.PathLike) -> list[str]:
    """Write the manifest of a model that an older version saved, or whose files you have changed on purpose.

    The model is loaded first, and must give its golden output if it has one.

    Args:
        directory: a directory that `zoo.save` wrote.

    Returns:
        names of the files that the manifest lists.

    Raises:
        DataNotFoundError: no such directory, or no model in it.
        IntegrityError: files that do not belong together.
        OutputError: the directory cannot be written.
    """
    directory = find(pathlib.Path(directory))
    with files.held(directory):
        contents = manifest.read_unsealed(directory, LIMITS, [GOLDEN])
        card = parse_card(contents, directory)
        model = assembled(card, contents, memory_limit=None)
        if GOLDEN in contents:
            check_golden(card, contents, model)
        for name in _SEALED:
            if name not in contents and os.path.lexists(directory / name):
                contents[name] = reading.read_bytes(
                    directory / name, limit=_PICTURE_LIMIT, follow_links=False, error=IntegrityError
                )
        with files.replacing(directory / manifest.MANIFEST) as file:
            file.write(manifest.written({name: manifest.entry(content) for name, content in contents.items()}).encode())
    return sorted(contents)


def verify(name_or_directory: str | os.PathLike, accept: Callable[[bytes], object] | None = None) -> list[str]:
    """Check every file that the manifest of a pretrained model lists, load it, and compute its golden output.

    Args:
        name_or_directory: as for `zoo.load`.
        accept: called with the bytes of each manifest that is used, such as `zoo.catalog.signing.Signed`.

    Returns:
        names of the files that were checked.

    Raises:
        as `zoo.load`.
    """
    directory = find(name_or_directory)
    checked = manifest.check(directory, accept)
    contents = manifest.read(directory, LIMITS, optional=[GOLDEN], accept=accept)
    card = parse_card(contents, directory)
    model = assembled(card, contents, MEMORY_LIMIT)
    if GOLDEN in contents:
        check_golden(card, contents, model)
    return sorted(checked)
