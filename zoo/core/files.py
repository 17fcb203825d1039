"""Writing files and directories so that an interruption loses nothing, and the hashes that prove it."""

import contextlib
import errno
import hashlib
import os
import pathlib
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from typing import BinaryIO

from zoo.core import locking, manifest
from zoo.core.errors import IntegrityError, OutputError, ZooError
from zoo.core.manifest import MANIFEST, PENDING

_WRITING = ".zoo-writing-"
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_REFUSED = {errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG}
# What libraries say of a full disk whose errors are no OSError, or one without a number.
_FULL_TEXTS = ("No space left on device", "File too large", "Disk quota exceeded")


@contextlib.contextmanager
def staged(directory: str | os.PathLike, *, sealed: bool = False, stale: Sequence[str] = ()) -> Iterator[pathlib.Path]:
    """Yield a scratch directory whose files appear in `directory` all together, or not at all.

    The files are written next to their final place, flushed, and moved to a *pending* folder in one atomic step; then
    they replace older ones, the manifest first. Interrupted before the manifest, the earlier files are valid;
    interrupted after it, the new ones: `manifest.read` finds them, and the next writer finishes the replacement. Other
    files in `directory` are left alone. Only one writer at a time is let in.

    Args:
        directory: where the files are to appear; created if needed.
        sealed: list them in the directory's manifest, next to what it lists already.
        stale: names of earlier files that the new ones make obsolete.

    Raises:
        OutputError: `directory` cannot be created or written, the disk is full, or another writer is at work there.
    """
    directory = pathlib.Path(directory)
    existed = directory.is_dir()
    with contextlib.ExitStack() as stack:
        with _problems_of(directory, _REFUSED):
            directory.mkdir(parents=True, exist_ok=True)
            stack.callback(_remove_if_empty, None if existed else directory)
            stack.enter_context(locking.locked(directory))
            _recover(directory)
            scratch = pathlib.Path(tempfile.mkdtemp(prefix=_WRITING, dir=directory))
        stack.callback(shutil.rmtree, scratch, ignore_errors=True)
        with _problems_of(directory):
            yield scratch
            if sealed:
                _seal(directory, scratch, stale)
            _flush(scratch)
            _check_targets(directory, scratch)
            os.rename(scratch, directory / PENDING)
            _replace(directory)
            for name in stale:
                (directory / name).unlink(missing_ok=True)


@contextlib.contextmanager
def replacing(path: str | os.PathLike) -> Iterator[BinaryIO]:
    """Yield a binary file that replaces `path` when the block ends; if the block raises, `path` stays as it was.

    Raises:
        OutputError: the file cannot be written, or another process writes it.

    Example:
        >>> with files.replacing("results.json") as file:
        ...     file.write(text.encode())
    """
    path = pathlib.Path(path)
    if path.exists() and not path.is_file():  # a device would be replaced by a file
        raise OutputError(f"Cannot write the file {str(path)!r}: in its place is a folder, a device or a pipe.")
    part = path.with_name(f"{path.name}.part")
    with _problems_of(path, _REFUSED):
        descriptor = locking.create(part, f"{str(path)!r}")
    try:
        with _problems_of(path), os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
            os.replace(part, path)
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise


def check_writable(directory: str | os.PathLike) -> None:
    """Raise `OutputError` unless `directory` can be created and written: before long work, not after it."""
    with held(directory):
        pass


@contextlib.contextmanager
def held(directory: str | os.PathLike) -> Iterator[None]:
    """Create a directory if needed, and keep other writers out of it; errors as for `staged`."""
    directory = pathlib.Path(directory)
    with contextlib.ExitStack() as stack:
        with _problems_of(directory, _REFUSED):
            directory.mkdir(parents=True, exist_ok=True)
            stack.enter_context(locking.locked(directory))
        yield


def _seal(directory, scratch, stale):
    """Write the manifest of the staged files, and of what the earlier one lists and is still there."""
    try:
        earlier = manifest.entries(directory)
    except IntegrityError:  # none, or no longer a valid one
        earlier = {}
    names = {path.name for path in scratch.iterdir()} | set(stale)
    kept = {
        name: entry
        for name, entry in earlier.items()
        if name.split("/")[0] not in names and (directory / name).is_file()
    }
    text = manifest.written({**kept, **manifest.describe(scratch)})
    (scratch / MANIFEST).write_text(text, encoding="utf-8")


def _recover(directory):
    """Remove what killed writers left in `directory`, after finishing a replacement that had begun."""
    pending = directory / PENDING
    if pending.is_dir() and not pending.is_symlink() and not (pending / MANIFEST).exists():
        with contextlib.suppress(IntegrityError):
            listed = manifest.entries(directory)
            for path in sorted(pending.iterdir()):
                if _is_listed(pending, path.name, listed):
                    _move(path, directory / path.name)
    for path in directory.iterdir():
        if path.name == PENDING or path.name.startswith(_WRITING):
            _discard(path)


def _is_listed(directory, name, listed):
    """Whether the file, or all files of the folder, `name` are those of the manifest."""
    expected = {path: entry for path, entry in listed.items() if path.split("/")[0] == name}
    return bool(expected) and all(manifest.is_as(directory, path, entry) for path, entry in expected.items())


def _replace(directory):
    """Move the pending files to their places, the manifest first."""
    pending = directory / PENDING
    for path in sorted(pending.iterdir(), key=lambda path: (path.name != MANIFEST, path.name)):
        _move(path, directory / path.name)
    pending.rmdir()


def _check_targets(directory, scratch):
    """Raise `OutputError` if a file would have to replace a folder: before the first is replaced."""
    for path in scratch.iterdir():
        target = directory / path.name
        if not path.is_dir() and target.is_dir() and not target.is_symlink():
            raise OutputError(f"Cannot write the file {str(target)!r}: a folder is in its place. Move it away.")


def _move(source, target):
    if source.is_dir() and target.is_dir() and not target.is_symlink():
        shutil.rmtree(target)
    os.replace(source, target)


def _discard(path):
    """Remove a file, a link (not what it leads to) or a folder."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def _remove_if_empty(directory):
    if directory is not None:
        with contextlib.suppress(OSError):
            directory.rmdir()


def _flush(directory):
    for path in directory.rglob("*"):
        if path.is_file():
            with open(path, "rb+") as file:
                os.fsync(file.fileno())


@contextlib.contextmanager
def _problems_of(path, refused=frozenset()):
    """Turn a full disk, and errors of the numbers `refused`, into an `OutputError` that names `path`."""
    try:
        yield
    except ZooError:
        raise
    except Exception as error:
        number = getattr(error, "errno", None)
        full = os.strerror(number) if number in _FULL else next((t for t in _FULL_TEXTS if t in str(error)), None)
        if full:
            advice = "Make room there, or choose another place."
            raise OutputError(f"Cannot write to {str(path)!r}: {full}. {advice}") from error
        if number not in refused:
            raise
        advice = "Choose a directory that you may write to."
        raise OutputError(f"Cannot write to {str(path)!r}: {os.strerror(number)}. {advice}") from error


def sha256(path: str | os.PathLike) -> str:
    """SHA-256 of a file, or of a directory's relative paths and contents in sorted order, as 64 hex digits."""
    path = pathlib.Path(path)
    if path.is_file():
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    digest = hashlib.sha256()
    for inner in sorted(p for p in path.rglob("*") if p.is_file()):
        digest.update(f"{inner.relative_to(path).as_posix()}\0{sha256(inner)}\n".encode())
    return digest.hexdigest()


def size_bytes(path: str | os.PathLike) -> int:
    """Size of a file, or of all files below a directory, in bytes."""
    path = pathlib.Path(path)
    if path.is_file():
        return path.stat().st_size
    return sum(inner.stat().st_size for inner in path.rglob("*") if inner.is_file())
