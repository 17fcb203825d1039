"""The seal of an exported file: the SHA-256 of the whole file, kept in the file's own metadata.

The digest is that of the file in which the 64 digits of the seal itself are zeros. The text before the digits occurs
once in the file, so that a search of its bytes finds and verifies the seal before anything is parsed. A seal tells of
damage and of changes by somebody who does not renew it; it does not say who made the file.
"""

import hashlib
import re

from zoo.core.errors import ExportError

BLANK = "sha256:" + "0" * 64
_SEAL = re.compile(rb'"seal": "(sha256:[0-9a-f]{64})"')


def sealed(content: bytes) -> bytes:
    """A file's content in which the seal states the content's digest.

    Args:
        content: with one ``"seal": "sha256:..."`` in its metadata, of any digits.

    Raises:
        ExportError: not exactly one seal.

    Example:
        >>> seal.check(seal.sealed(content), "model.tflite")
    """
    found = _found(content)
    if found is None:
        raise ExportError('The file to be sealed must hold "seal": "sha256:<64 digits>" exactly once in its metadata.')
    return b"".join((content[: found.start(1)], _digest(content, found).encode(), content[found.end(1) :]))


def stated(content: bytes) -> str | None:
    """The seal that a file states, ``sha256:`` and 64 digits, or None; see `check` for whether it is true."""
    found = _found(content)
    return None if found is None else found[1].decode()


def check(content: bytes, where: str) -> None:
    """Raise `ExportError` for a file without a seal, or with another content than its seal says.

    Args:
        content: the whole file.
        where: what to call it in an error.
    """
    found = _found(content)
    if found is None:
        raise ExportError(
            f"{where} carries no seal: it was exported by an older version of zoo or by something else, or is damaged."
            ' Export it again with zoo.export, or pass trust="unsealed" for a file whose origin you trust.'
        )
    if found[1].decode() != _digest(content, found):
        raise ExportError(
            f"{where} is not what its seal says: the file was changed or damaged since it was exported."
            " Copy or export it again."
        )


def _found(content):
    """The match of the only seal in a file, or None."""
    found = list(_SEAL.finditer(content))
    return found[0] if len(found) == 1 else None


def _digest(content, found):
    view = memoryview(content)
    digest = hashlib.sha256(view[: found.start(1)])
    digest.update(BLANK.encode())
    digest.update(view[found.end(1) :])
    return f"sha256:{digest.hexdigest()}"
