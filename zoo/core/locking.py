"""Files that one writer at a time may have. A lock ends with its process, however that ends."""

import contextlib
import datetime
import json
import os
import pathlib
import socket
import stat
import threading
from collections.abc import Iterator

from zoo.core.errors import OutputError

try:
    import fcntl
except ImportError:  # Windows: writers are not kept apart there
    fcntl = None  # type: ignore[assignment]

LOCK = ".zoo-lock"
_held = threading.local()


@contextlib.contextmanager
def locked(directory: str | os.PathLike) -> Iterator[None]:
    """Keep other writers out of an existing directory; a thread that holds the lock may take it again.

    Raises:
        OutputError: another process or thread writes there; the message says which.
        OSError: the directory cannot be written.
    """
    path = pathlib.Path(directory).resolve() / LOCK
    held = _held.__dict__.setdefault("paths", set())
    if path in held:
        yield
        return
    descriptor = create(path, f"{str(directory)!r}")
    try:
        about = {"process": os.getpid(), "host": socket.gethostname(), "since": _now()}
        os.write(descriptor, json.dumps(about).encode())
        held.add(path)
        yield
    finally:
        held.discard(path)
        with contextlib.suppress(OSError):
            path.unlink()
        os.close(descriptor)


def create(path: pathlib.Path, what: str) -> int:
    """Descriptor of a new file at `path` that other callers may not replace before it is closed.

    What a killed process left there is removed; nothing is ever written through a link.

    Args:
        path: path of the file.
        what: what is written, as the error names it.

    Raises:
        OutputError: another process or thread holds it.
        OSError: the file cannot be created.
    """
    while True:
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
        except FileExistsError:
            _remove_abandoned(path, what)
            continue
        if _lock(descriptor) and _is_at(descriptor, path):
            return descriptor
        os.close(descriptor)  # somebody took it for abandoned before it was locked


def _remove_abandoned(path, what):
    """Remove the file at `path` unless its writer lives."""
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    except FileNotFoundError:
        return
    except OSError:  # a link or a socket, which no writer makes
        path.unlink(missing_ok=True)
        return
    try:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OutputError(f"Cannot write {what}: the folder {str(path)!r} is in the way. Remove it.")
        if not _lock(descriptor):
            raise OutputError(
                f"{what} is being written by {_holder(descriptor)}. Wait until it ends, or choose another place."
            )
        if _is_at(descriptor, path):
            path.unlink(missing_ok=True)
    finally:
        os.close(descriptor)


def _lock(descriptor):
    """Whether the file is ours now; file systems without locks let everybody in."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def _is_at(descriptor, path):
    try:
        return os.path.samestat(os.fstat(descriptor), path.lstat())
    except FileNotFoundError:
        return False


def _holder(descriptor):
    try:
        about = json.loads(os.pread(descriptor, 1000, 0))
        return f"process {int(about['process'])} on {str(about['host'])[:100]!r} since {str(about['since'])[:20]}"
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return "another process"


def _now():
    return datetime.datetime.now().strftime("%Y-%m-%d %H:%M:%S")
