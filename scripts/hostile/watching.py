"""Whether anything was touched: the folder that is read must not change, its neighbours must not even be opened."""

import ctypes
import hashlib
import os
import pathlib
import struct

_EVENTS = {
    0x001: "read",
    0x002: "written",
    0x004: "attributes changed",
    0x020: "opened",
    0x040: "moved away",
    0x080: "moved in",
    0x100: "created",
    0x200: "deleted",
    0x400: "deleted itself",
    0x800: "moved itself",
}
_HEADER = struct.Struct("iIII")
_libc = ctypes.CDLL(None, use_errno=True)


class Canary:
    """Watches a folder and those below it by inotify: `touched` tells what happened to them since the last time."""

    def __init__(self, folder: pathlib.Path):
        self._descriptor = _libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._descriptor < 0:
            raise OSError(ctypes.get_errno(), "inotify_init1")
        for path in (folder, *(p for p in folder.rglob("*") if p.is_dir())):
            if _libc.inotify_add_watch(self._descriptor, os.fsencode(path), sum(_EVENTS)) < 0:
                raise OSError(ctypes.get_errno(), f"inotify_add_watch {path}")

    def touched(self) -> list[str]:
        """What happened, such as "opened secret.txt"."""
        found = []
        while True:
            try:
                content = os.read(self._descriptor, 65536)
            except BlockingIOError:
                return sorted(set(found))
            while content:
                _, mask, _, length = _HEADER.unpack_from(content)
                name = content[_HEADER.size : _HEADER.size + length].rstrip(b"\0").decode(errors="replace")
                found += [f"{word} {name or 'itself'}" for bit, word in _EVENTS.items() if mask & bit]
                content = content[_HEADER.size + length :]

    def close(self) -> None:
        """Stop watching."""
        os.close(self._descriptor)


def snapshot(path: pathlib.Path) -> dict:
    """Names, kinds, sizes, times and contents of everything below a path, without following links."""
    found = {}
    for folder, folders, files in os.walk(path) if path.is_dir() else [(path.parent, [], [path.name])]:
        for name in (*folders, *files, "."):
            entry = os.path.join(folder, name)  # noqa: PTH118, names may be no valid text
            status = os.lstat(entry)
            content = ""
            if os.path.isfile(entry) and not os.path.islink(entry) and status.st_size < 1e8:  # noqa: PTH113, PTH114
                with open(entry, "rb") as file:
                    content = hashlib.file_digest(file, "sha256").hexdigest()
            found[entry] = (status.st_mode, status.st_ino, status.st_size, status.st_mtime_ns, content)
        if not path.is_dir():
            break
    return found
