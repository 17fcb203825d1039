"""The one way in for files that somebody else may have made: opened, bounded and parsed without surprises.

Whatever is wrong with such a file becomes one error of the caller's choice that names the file: a link, pipe, device
or folder in its place, a size beyond the limit, text that is nested too deeply to be parsed.
"""

import contextlib
import errno
import io
import os
import pathlib
import stat
from collections.abc import Iterator
from typing import Any

import msgspec

from zoo.core.errors import DataError, DataNotFoundError, ZooError

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
_REASONS = {
    errno.ELOOP: "is a symbolic link, or part of a loop of links: put the file itself in its place",
    errno.EACCES: "may not be read: check its permissions",
    errno.ENOTDIR: "lies below something that is no folder",
    errno.ENAMETOOLONG: "has a name that is too long",
    errno.ENXIO: "is a socket, not a regular file",
}


@contextlib.contextmanager
def opened(
    path: str | os.PathLike,
    *,
    limit: float | None = None,
    follow_links: bool = True,
    error: type[ZooError] = DataError,
    missing: type[ZooError] = DataNotFoundError,
) -> Iterator[io.BufferedReader]:
    """Open a regular file for reading; nothing blocks, and nothing else is opened.

    Args:
        path: path of the file.
        limit: largest size in bytes.
        follow_links: whether the last part of `path` may be a symbolic link: True for a path that the user named,
            False for a file that a folder from elsewhere brings.
        error: class of the error for a file that is not readable, not regular, or larger than the limit.
        missing: class of the error for a file that is not there.

    Example:
        >>> with reading.opened("recipe.toml", limit=1e6, error=ConfigError) as file:
        ...     content = file.read()
    """
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    if not follow_links:
        flags |= getattr(os, "O_NOFOLLOW", 0)
    try:
        descriptor = os.open(path, flags)
    except FileNotFoundError as problem:
        raise missing(f"No such file: {os.fspath(path)!r}.") from problem
    except (OSError, ValueError) as problem:  # ValueError: a name with a null character
        raise error(f"{os.fspath(path)!r} {reason(problem)}.") from problem
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            kind = _KINDS.get(stat.S_IFMT(status.st_mode), "something else")
            raise error(f"Expected a regular file at {os.fspath(path)!r}. Received {kind}.")
        if limit is not None and status.st_size > limit:
            raise error(
                f"{os.fspath(path)!r} is too large: expected at most {int(limit):,} bytes. Received {status.st_size:,}."
            )
        file = os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise
    with file:
        yield file


def read_bytes(path: str | os.PathLike, *, limit: float, **options: Any) -> bytes:
    """The content of a file of at most `limit` bytes; options and errors as for `opened`."""
    error = options.get("error", DataError)
    with opened(path, limit=limit, **options) as file:
        try:
            content = file.read(os.fstat(file.fileno()).st_size + 1)
            if file.peek(1):  # it grows while it is read, or is one whose size is not known before
                content += file.read(int(limit) + 1)
        except OSError as problem:
            raise error(f"{os.fspath(path)!r} {reason(problem)}.") from problem
        if content is None:  # of what calls itself a regular file but keeps its readers waiting, as /proc/kmsg does
            raise error(
                f"Expected a regular file at {os.fspath(path)!r}. Received one that has nothing to be read yet."
            )
    if len(content) > limit:
        raise error(f"{os.fspath(path)!r} is too large: expected at most {int(limit):,} bytes.")
    return content


def expanded(path: str | os.PathLike) -> pathlib.Path:
    """The path with "~" replaced by the home folder; as it is, where nobody has such a home."""
    try:
        return pathlib.Path(path).expanduser()
    except RuntimeError:
        return pathlib.Path(path)


def kind(path: str | os.PathLike, *, error: type[ZooError] = DataError) -> str | None:
    """What is at `path`, behind links: "a file", "a folder", "a named pipe", ...; None if there is nothing.

    Args:
        path: path to look at; nothing is opened.
        error: class of the error where that cannot be known: no permission, a loop of links.
    """
    try:
        mode = pathlib.Path(path).stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as problem:
        if getattr(problem, "errno", None) == errno.ENAMETOOLONG:
            return None
        raise error(f"{os.fspath(path)!r} {reason(problem)}.") from problem
    return "a file" if stat.S_ISREG(mode) else _KINDS.get(stat.S_IFMT(mode), "something else")


def parse_json(content: bytes | str, where: str, *, error: type[ZooError] = DataError) -> Any:
    """The value of a JSON text: no NaN, no infinity, no depth that Python cannot follow.

    Args:
        content: the text, UTF-8.
        where: what to call it in an error.
        error: class of the error.
    """
    try:
        return msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        reason = "it is nested too deeply" if isinstance(problem, RecursionError) else str(problem)
        raise error(f"{where} is not valid JSON: {reason}.") from problem


def is_dataset_name(name: str) -> bool:
    """Whether `name` is the name of a dataset, or of several joined by "+", and no path."""
    return all(map(is_plain_name, name.split("+")))


def is_plain_name(name: str) -> bool:
    """Whether `name` is the name of a file inside a folder: no path, no way out of it."""
    return name not in ("", ".", "..") and "\0" not in name and pathlib.PurePath(name).name == name and "\\" not in name


def reason(problem: Exception) -> str:
    """Why a path cannot be opened, in words that follow it: "may not be read: check its permissions"."""
    number = getattr(problem, "errno", None)
    return _REASONS.get(number or 0, f"cannot be read: {getattr(problem, 'strerror', None) or problem}")
