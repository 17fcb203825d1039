"""What the check of a file's structure says of a file, before any runtime sees it."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from zoo.core.errors import ExportError

# Bytes of the values of all tensors, and multiplications of one call of every signature, which take some ten seconds:
# far beyond any model for phones and browsers.
MEMORY = 2e9
MULTIPLICATIONS = 2e11


@dataclasses.dataclass(frozen=True)
class Structure:
    """A file whose structure is sound.

    Attributes:
        metadata: its metadata text, UTF-8, or None.
        unchecked: names of operators whose arguments this package does not check: before such a file is loaded, a
            process of its own tries it.
    """

    metadata: bytes | None
    unchecked: Sequence[str] = ()


def require(condition: Any, sentence: str) -> None:
    """Raise `ExportError` with this sentence unless the condition holds."""
    if not condition:
        raise ExportError(sentence)


def number_in(index: int, count: int, what: str) -> int:
    """Return `index`, or raise `ExportError` unless it is the number of one of `count` things."""
    if not 0 <= index < count:
        raise ExportError(f"it refers to {what} {index}, but has {count}")
    return index
