"""Writing files and directories so that an interruption loses nothing, and the hashes that prove it."""

import contextlib
import hashlib
import os
import pathlib
import shutil
import tempfile

from zoo.core.errors import OutputError

_PENDING = ".zoo-pending"


@contextlib.contextmanager
def staged(directory):
    """Yield a scratch directory whose files appear in `directory` all together, or not at all.

    The files are written next to their final place, flushed, and renamed to a *pending* folder in one atomic step; only
    then do they replace older ones. Interrupted before that step, `directory` is as it was; interrupted after it,
    `recover` (called by every reader and writer) finishes the replacement. Other files in `directory` are left alone.

    Raises:
        OutputError: `directory` cannot be created or written.
    """
    directory = pathlib.Path(directory)
    try:
        existed = directory.is_dir()
        directory.mkdir(parents=True, exist_ok=True)
        recover(directory)
        scratch = pathlib.Path(tempfile.mkdtemp(prefix=".zoo-writing-", dir=directory))
    except OSError as error:
        raise OutputError(
            f"Cannot write to {str(directory)!r}: {error.strerror or error}. Choose a directory that you may write to."
        ) from error
    try:
        yield scratch
        _flush(scratch)
        os.rename(scratch, directory / _PENDING)
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        if not existed:
            with contextlib.suppress(OSError):
                directory.rmdir()
        raise
    recover(directory)


@contextlib.contextmanager
def replacing(path):
    """Yield a binary file that replaces `path` when the block ends; if the block raises, `path` stays as it was.

    Raises:
        OSError: the file cannot be written.

    Example:
        >>> with files.replacing("results.json") as file:
        ...     file.write(text.encode())
    """
    path = pathlib.Path(path)
    part = path.with_name(f"{path.name}.part")
    try:
        with open(part, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise


def check_writable(directory):
    """Raise `OutputError` unless `directory` can be created and written: before long work, not after it."""
    with staged(directory):
        pass


def recover(directory):
    """Finish a replacement that was interrupted in `directory`; does nothing when there is none."""
    pending = pathlib.Path(directory) / _PENDING
    if not pending.is_dir():
        return
    for path in sorted(pending.iterdir()):
        target = pathlib.Path(directory) / path.name
        if target.is_dir() and not target.is_symlink():
            shutil.rmtree(target)
        os.replace(path, target)
    pending.rmdir()


def _flush(directory):
    for path in directory.rglob("*"):
        if path.is_file():
            with open(path, "rb+") as file:
                os.fsync(file.fileno())


def sha256(path):
    """SHA-256 of a file, or of a directory's relative paths and contents in sorted order, as 64 hex digits."""
    path = pathlib.Path(path)
    if path.is_file():
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    digest = hashlib.sha256()
    for file in sorted(p for p in path.rglob("*") if p.is_file()):
        digest.update(f"{file.relative_to(path).as_posix()}\0{sha256(file)}\n".encode())
    return digest.hexdigest()


def size_bytes(path):
    """Size of a file, or of all files below a directory, in bytes."""
    path = pathlib.Path(path)
    if path.is_file():
        return path.stat().st_size
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
