"""The manifest of a folder: size and SHA-256 of each file that `zoo` wrote there, so that no change goes unnoticed.

A manifest is replaced before the files that it lists, in one atomic step. Until they have followed, `read` finds the
new ones in the folder `PENDING`, by their hashes; nothing else in there counts.
"""

import contextlib
import dataclasses
import hashlib
import json
import os
import pathlib
import stat
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from zoo.core import reading
from zoo.core.errors import IntegrityError, ZooError, unknown_name
from zoo.core.schema import Count, Sha256, convert

MANIFEST = "manifest.json"
PENDING = ".zoo-pending"
_LIMIT = 4e6
_TRUST = ("sealed", "unsealed")
_ATTEMPTS = 20


@dataclasses.dataclass(frozen=True)
class Entry:
    """What a file has to be: its size in bytes and its SHA-256."""

    size_bytes: Count
    sha256: Sha256


@dataclasses.dataclass(frozen=True)
class Manifest:
    """The content of a manifest: number of its format, and relative POSIX path of each file to its `Entry`."""

    format: Literal[1]
    files: dict[str, dict]

    def entries(self) -> dict[str, Entry]:
        """Name to `Entry`, checked."""
        if bad := [name for name in self.files if not all(map(reading.is_plain_name, name.split("/")))]:
            raise IntegrityError(f"{MANIFEST} lists {bad[0]!r}, which is no path inside the folder.")
        return {name: convert(entry, Entry, f"{name!r} of {MANIFEST}") for name, entry in self.files.items()}


def written(entries: Mapping[str, Entry]) -> str:
    """The text of a manifest."""
    files = {name: dataclasses.asdict(entry) for name, entry in sorted(entries.items())}
    return json.dumps({"format": 1, "files": files}, indent=2) + "\n"


def describe(directory: pathlib.Path) -> dict[str, Entry]:
    """The entries of all files below a directory that this process wrote, but for the manifest."""
    found = (path for path in sorted(directory.rglob("*")) if path.is_file() and path != directory / MANIFEST)
    return {path.relative_to(directory).as_posix(): entry(path.read_bytes()) for path in found}


def entry(content: bytes) -> Entry:
    """The entry of a file."""
    return Entry(len(content), hashlib.sha256(content).hexdigest())


def entries(directory: pathlib.Path) -> dict[str, Entry]:
    """The entries of the manifest in a directory.

    Raises:
        IntegrityError: there is none, or it is damaged.
    """
    return _parsed(_manifest_bytes(directory), directory)


def read(
    directory: pathlib.Path,
    limits: Mapping[str, float],
    *,
    trust: str = "sealed",
    optional: Sequence[str] = (),
    accept: Callable[[bytes], object] | None = None,
) -> dict[str, bytes]:
    """The content of files of a directory, each with the size and SHA-256 that the manifest states.

    Args:
        directory: pathlib.Path.
        limits: name to largest size in bytes.
        trust: "sealed", or "unsealed" to read a directory without a manifest, too, and check nothing then.
        optional: those of the names that may be missing from the manifest.
        accept: called with the bytes of each manifest that is used, before it is; raises an error to refuse it.

    Returns:
        dict of name to bytes, without the optional ones that are not there.

    Raises:
        IntegrityError: no or a damaged manifest; a file that is missing, a link, no regular file, too large or changed.
        UnknownNameError: another `trust`.
    """
    if trust not in _TRUST:
        raise unknown_name("trust", trust, _TRUST)
    if trust == "unsealed" and not os.path.lexists(directory / MANIFEST):
        return read_unsealed(directory, limits, optional)
    stated = _manifest_bytes(directory)
    for _ in range(_ATTEMPTS):
        listed = _parsed(stated, directory, accept)
        try:
            return {
                name: _read_one(directory, name, listed.get(name), limit)
                for name, limit in limits.items()
                if name in listed or name not in optional
            }
        except IntegrityError:
            before, stated = stated, _manifest_bytes(directory)
            if stated == before:  # else a writer has replaced the files meanwhile
                raise
    raise IntegrityError(f"The files in {str(directory)!r} change all the time: wait until nobody writes there.")


def read_unsealed(directory: pathlib.Path, limits: Mapping[str, float], optional: Sequence[str]) -> dict[str, bytes]:
    """As `read`, whatever the manifest says."""
    present = (name for name in limits if name not in optional or os.path.lexists(directory / name))
    return {name: _bytes(directory, name, limits[name]) for name in present}


def arriving(path: pathlib.Path) -> bytes | None:
    """The new content of a file whose writer was killed, or is at work, after the manifest and before this file."""
    directory, pending = path.parent, path.parent / PENDING
    if pending.is_symlink() or not (pending / path.name).is_file():
        return None
    try:
        return _checked(pending, path.name, entries(directory)[path.name])
    except (IntegrityError, KeyError):
        return None


def check(directory: pathlib.Path, accept: Callable[[bytes], object] | None = None) -> dict[str, Entry]:
    """Compare every file that the manifest of a directory lists, and return the entries; `accept`, errors as `read`."""
    listed = _parsed(_manifest_bytes(directory), directory, accept)
    for name, entry in listed.items():
        _read_one(directory, name, entry, entry.size_bytes)
    return listed


def is_as(directory: pathlib.Path, name: str, entry: Entry) -> bool:
    """Whether a file of a directory is as its entry says."""
    try:
        _checked(directory, name, entry)
    except IntegrityError:
        return False
    return True


def _manifest_bytes(directory):
    path = directory / MANIFEST
    if not os.path.lexists(path):
        raise IntegrityError(
            f"{str(directory)!r} has no {MANIFEST}, so that a changed file could not be noticed. If an older version of"
            " zoo wrote it and you trust it, add one with the command: zoo seal DIRECTORY. To read it as it is, pass"
            " trust='unsealed'."
        )
    return _bytes(directory, MANIFEST, _LIMIT)


def _parsed(content, directory, accept=None):
    if accept:
        accept(content)
    where = f"{MANIFEST} in {str(directory)!r}"
    try:
        parsed = convert(reading.parse_json(content, where, error=IntegrityError), Manifest, where)
        return parsed.entries()
    except IntegrityError:
        raise
    except ZooError as error:
        raise IntegrityError(f"The pretrained model has a damaged {where}: {error}") from error


def _read_one(directory, name, entry, limit):
    if entry is None:
        raise IntegrityError(f"The model in {str(directory)!r} is incomplete: {MANIFEST} does not list {name}.")
    if entry.size_bytes > limit:
        raise IntegrityError(
            f"{name} in {str(directory)!r} is too large: expected at most {int(limit):,} bytes. Received"
            f" {entry.size_bytes:,}."
        )
    try:
        return _checked(directory, name, entry)
    except IntegrityError:
        pending = directory / PENDING  # a writer may have been killed, or be at work, between two files
        if not pending.is_symlink():
            with contextlib.suppress(IntegrityError):
                return _checked(pending, name, entry)
    return _checked(directory, name, entry)  # where it may have arrived meanwhile


def _checked(directory, name, entry):
    with contextlib.suppress(OSError):
        status = (directory / name).lstat()
        if stat.S_ISREG(status.st_mode) and status.st_size != entry.size_bytes:
            raise _changed(directory, name, f"{entry.size_bytes:,} bytes", f"{status.st_size:,}")
    content = _bytes(directory, name, entry.size_bytes)
    received = hashlib.sha256(content).hexdigest()
    if received != entry.sha256:
        raise _changed(directory, name, f"SHA-256 {entry.sha256}", received)
    return content


def _changed(directory, name, expected, received):
    return IntegrityError(
        f"{name} in {str(directory)!r} was changed or damaged: expected {expected}, received {received}. Restore the"
        " file from where it came; do not use it as it is."
    )


def _bytes(directory, name, limit):
    """The content of a file; neither itself nor one of its folders below `directory` may be a link."""
    path = directory
    for part in name.split("/")[:-1]:
        path = path / part
        if path.is_symlink():
            raise IntegrityError(f"{str(path)!r} is a symbolic link: put the folder itself in its place.")
    path = directory / name
    if not os.path.lexists(path):
        raise IntegrityError(f"{str(directory)!r} is incomplete: {name} is missing.")
    return reading.read_bytes(path, limit=limit, follow_links=False, error=IntegrityError, missing=IntegrityError)
