"""Folders of models with other things in them than files: links, pipes, devices, what an interrupted writer leaves."""

import os
import shutil
import socket
import stat

from zoo.catalog.card import CONFIG, GOLDEN, METADATA, WEIGHTS

READ = (CONFIG, METADATA, WEIGHTS, GOLDEN, "manifest.json")
SECRET = "secret.txt"


def canary(folder, model):
    """Make a folder that nobody may touch: a copy of a model, so that a link to it would be of use, and a secret."""
    shutil.copytree(model, folder)
    (folder / SECRET).write_text("nobody's business")
    (folder / "below").mkdir()
    (folder / "below" / SECRET).write_text("nobody's business either")


def _missing(path, canary, rng):
    _remove(path)


def _empty(path, canary, rng):
    path.write_bytes(b"")


def _folder(path, canary, rng):
    _remove(path)
    path.mkdir()
    if rng.random() < 0.5:
        (path / "file").write_text("text")


def _link_to_a_copy(path, canary, rng):
    _remove(path)
    target = canary / path.name
    path.symlink_to(target if rng.random() < 0.5 else os.path.relpath(target, path.parent))


def _link_to_itself(path, canary, rng):
    _remove(path)
    path.symlink_to(path.name)


def _dangling_link(path, canary, rng):
    _remove(path)
    path.symlink_to("nothing")


def _link_in_the_folder(path, canary, rng):
    path.rename(path.with_name("moved"))
    path.symlink_to("moved")


def _pipe(path, canary, rng):
    _remove(path)
    os.mkfifo(path)


def _socket(path, canary, rng):
    _remove(path)
    short = path.parent.parent / "s"  # the name of a socket is short
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(os.path.relpath(short))
    short.rename(path)


def _device(path, canary, rng):
    _remove(path)
    device = rng.choice(("/dev/zero", "/dev/full", "/dev/tty", "/dev/urandom", "/proc/self/mem", "/proc/kmsg"))
    if device in ("/dev/zero", "/dev/urandom") and os.geteuid() == 0 and rng.random() < 0.5:
        os.mknod(path, 0o666 | stat.S_IFCHR, os.stat(device).st_rdev)  # noqa: PTH116
    else:
        path.symlink_to(device)


def _huge(path, canary, rng):
    os.truncate(path, rng.choice((10**9, 2**40)))  # sparse: takes no space


def _no_permission(path, canary, rng):
    path.chmod(0)


def _other_case(path, canary, rng):
    path.rename(path.with_name(path.name.upper()))


KINDS = {
    "missing": _missing,
    "empty": _empty,
    "folder": _folder,
    "link to a copy": _link_to_a_copy,
    "link to itself": _link_to_itself,
    "dangling link": _dangling_link,
    "link inside": _link_in_the_folder,
    "named pipe": _pipe,
    "socket": _socket,
    "device": _device,
    "huge and sparse": _huge,
    "no permission": _no_permission,
    "other case": _other_case,
}


def replace_file(folder, canary, rng):
    """Put something else in the place of one of the files that `zoo.load` reads."""
    name = rng.choice([name for name in (*READ, "README.md") if (folder / name).exists()])
    kind = rng.choice(list(KINDS))
    KINDS[kind](folder / name, canary, rng)
    return f"{kind} for {name}"


def add_leftovers(folder, canary, rng):
    """Put what an interrupted writer leaves, or something of its name, into a folder."""
    name = rng.choice(
        (".zoo-pending", ".zoo-pending", ".zoo-writing-abc123", ".zoo-lock", ".zoo-old", "config.json.part")
    )
    path = folder / name
    kind = rng.choice(
        ("files", "link to a folder", "file", "pipe", "empty folder", "links", "folders", "deep", "device")
    )
    if kind == "link to a folder":
        path.symlink_to(canary)
    elif kind == "file":
        path.write_text("pid 1 on host")
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        path.mkdir()
        if kind == "files":  # a complete other model
            for file in canary.iterdir():
                if file.is_file():
                    shutil.copy(file, path / file.name)
        elif kind == "links":
            for file in READ:
                (path / file).symlink_to(canary / file)
        elif kind == "folders":
            for file in (*READ, ".zoo-pending"):
                (path / file).mkdir()
        elif kind == "deep":
            inner = path
            for _ in range(50):
                inner = inner / ".zoo-pending"
                inner.mkdir()
    return f"{name}: {kind}"


def add_files(folder, canary, rng):
    """Put files into a folder that do not belong there; nobody reads them."""
    name = rng.choice(("extra.bin", "model.weights.h5.bak", "a\nb", "\udcff", "conftest.py", "__init__.py", "numpy.py"))
    kind = rng.choice(("file", "link", "pipe", "folder", "5,000 files"))
    path = folder / name
    if kind == "file":
        path.write_bytes(b"raise SystemExit(1)\n")
    elif kind == "link":
        path.symlink_to(canary)
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
        (path / "link").symlink_to(canary)
    else:
        for i in range(5_000):
            (folder / f"{i:04}").touch()
    return f"{name!r}: {kind}"


def _remove(path):
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
