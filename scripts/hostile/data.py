"""Pictures, archives, folders and NumPy files, read by `zoo.data.load`; recipes, read by `zoo train`."""

import functools
import io
import os
import socket

import numpy as np

from hostile import archives, arrays, pictures, raw
from hostile.trial import Trial

_RECIPE = b"""description = "Digits"
dataset = "digits"

[model]
family = "feed_forward"
input_shape = [8, 8, 1]
latent_dim = 4
activation = "none"

[training]
epochs = 2
learning_rate = 1e-3
"""
_TOML = (
    "epochs = " + "9" * 5_000,
    "epochs = nan",
    "epochs = -1",
    "learning_rate = inf",
    "epochs = 1\nepochs = 2",
    "epochs = " + "[" * 10_000 + "]" * 10_000,
    "a." * 5_000 + "b = 1",
    "[" + ".".join(["a"] * 20_000) + "]",
    'epochs = "' + "x" * 1_000_000 + '"',
    "epochs = 0x" + "f" * 20_000,
    "epochs = 1979-05-27T07:32:00Z",
    'loss = "\\ud800"',
    "epochs = 2\r\n\0",
)


def _picture_file(place, rng):
    folder = place / "data" / "train" / "cat"
    folder.mkdir(parents=True)
    content, detail = pictures.mutated(pictures.picture(), rng)
    (folder / rng.choice(("x.png", "x.jpg", "x.jpeg"))).write_bytes(content)
    return place / "data", detail


def _folder(place, rng):
    root = place / "data"
    for name, content in archives.members():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    chosen = root / "train" / "cat" / "0.png"
    kind = rng.choice(
        (
            "picture",
            "picture",
            "loop",
            "pipe",
            "socket",
            "folder",
            "empty",
            "device",
            "names",
            "dangling",
            "many",
            "huge",
        )
    )
    detail = kind
    if kind == "picture":
        content, detail = pictures.mutated(chosen.read_bytes(), rng)
        chosen.write_bytes(content)
    elif kind == "loop":
        (root / "train" / "cat" / "loop").symlink_to(root)
        (root / "loop").symlink_to(".")
    elif kind in ("pipe", "folder", "device", "dangling", "socket"):
        chosen.unlink()
        if kind == "pipe":
            os.mkfifo(chosen)
        elif kind == "folder":
            chosen.mkdir()
        elif kind == "socket":
            with socket.socket(socket.AF_UNIX) as made:
                made.bind(os.path.relpath(chosen))
        else:
            chosen.symlink_to("/dev/zero" if kind == "device" else "nothing")
    elif kind == "empty":
        chosen.write_bytes(b"")
    elif kind == "names":
        name = rng.choice((b"a\nb.png", b"\xff\xfe.png", b"\x1b[31m.png", b" .png", b"-rf.png", b"x" * 250 + b".png"))
        with open(os.path.join(os.fsencode(root), b"train/cat", name), "wb") as file:  # noqa: PTH118
            file.write(rng.choice((pictures.picture(), b"nothing")))
        detail = repr(name[:20])
    elif kind == "many":
        for i in range(50_000):
            (root / "train" / "cat" / f"{i:05}.png").touch()
    else:
        os.truncate(chosen, 2**40)
    return root, detail


def _archive(place, rng):
    path = place / "data" / "x.zip"
    content, detail = archives.mutated(rng)
    path.write_bytes(content)
    return path, detail


def _npy(place, rng):
    path = place / "data" / "x.npy"
    content, detail = arrays.mutated_npy(arrays.npy(np.zeros((3, 4, 4, 1), "f4")), rng)
    path.write_bytes(content)
    return path, detail


def _npz(place, rng):
    buffer = io.BytesIO()
    keys = rng.choice((("images", "labels"), ("x_train", "y_train", "x_test", "y_test"), ("x",)))
    np.savez(buffer, **{key: np.zeros((3, 4, 4, 1) if key[0] in "xi" else 3, "u1") for key in keys})
    path = place / "data" / "x.npz"
    mutate = raw.mutated if rng.random() < 0.3 else arrays.mutated_npz
    content, detail = mutate(buffer.getvalue(), rng)
    path.write_bytes(content)
    return path, detail


def _recipe(place, rng):
    path = place / "data" / "recipe.toml"
    if rng.random() < 0.5:
        line = rng.choice(_TOML)
        old = b"learning_rate = 1e-3" if line.startswith("learning_rate") else b"epochs = 2"
        content, detail = _RECIPE.replace(old, line.encode()), line[:40]
    else:
        content, detail = raw.mutated(_RECIPE, rng)
    path.write_bytes(content)
    return path, detail


ROWS = {
    "a picture": (2, _picture_file),
    "a folder of pictures": (3, _folder),
    "a zip archive of pictures": (4, _archive),
    "a .npy file": (2, _npy),
    "a .npz file": (2, _npz),
    "a recipe": (1, _recipe),
}


def trial(row, rng, place, root, computed):
    """The trial of a row: files that are made for it."""
    canary = place / "canary"
    for folder in (canary, place / "data"):
        folder.mkdir()
    (canary / "secret.txt").write_text("nobody's business")
    (canary / "secret.png").write_bytes(pictures.picture())
    path, detail = ROWS[row][1](place, rng)
    options = {"split": rng.choice(("train", "all"))}
    if rng.random() < 0.6:
        options["shape"] = (8, 8, 1)
        if rng.random() < 0.5:
            options["stream"] = True
    read = functools.partial(_read_recipe, path) if row == "a recipe" else functools.partial(_read, path, options)
    return Trial(row, f"{options}: {detail}", place / "data", read, canary)


def _read(path, options):
    import zoo

    source = zoo.data.load(path, **options)
    if hasattr(source, "stored"):  # a stream
        for _ in zip(range(1_000), source.stored.examples(source.shape), strict=False):
            pass
    else:
        source.pixels()
    return "read"


def _read_recipe(path):
    import zoo
    from zoo.recipes.recipe import read_recipe

    zoo.from_config(read_recipe(path).model)
    return "read"
