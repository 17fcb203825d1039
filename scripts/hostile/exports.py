"""Exported files, read and run by `zoo.lite`."""

import functools
import shutil

import numpy as np

from hostile import flatbuffer, folders, json_text, onnx_file, raw, sealing, victims
from hostile.models import FOUND, SEALED, UNSEALED
from hostile.trial import Trial


def _metadata(format_module):
    return lambda data, rng, canary: format_module.with_metadata(data, lambda text: json_text.mutated(text, rng))


def _plain(mutate):
    return lambda data, rng, canary: mutate(data, rng)


def _tables(data, rng):
    """Bytes of a FlatBuffer where its tables and offsets are, not its weights."""
    return raw.mutated_near(data, [rng.randrange(0, len(data) - 64, 4)], rng, reach=8)


_TFLITE = {
    ".tflite, bytes": (2, _plain(raw.mutated)),
    ".tflite, offsets and tables": (3, _plain(_tables)),
    ".tflite, metadata": (2, _metadata(flatbuffer)),
    **{f".tflite, {name}": (2, _plain(flatbuffer.mutation(name))) for name in flatbuffer.MUTATIONS},
}
_ONNX = {
    ".onnx, bytes": (2, _plain(raw.mutated)),
    ".onnx, metadata": (2, _metadata(onnx_file)),
    ".onnx, nodes": (2, _plain(onnx_file.nodes)),
    ".onnx, weights": (2, _plain(onnx_file.weights)),
    ".onnx, weights in other files": (1, onnx_file.external),
    ".onnx, graph": (2, _plain(onnx_file.graph)),
    ".onnx, bombs": (1, _plain(onnx_file.bomb)),
}
_NO_FILE = "a link, pipe, device or nothing for an exported file"
ROWS = {**_TFLITE, **_ONNX, _NO_FILE: (1, None)}


def trial(row, rng, place, root, computed):
    """The trial of a row: a damaged copy of an exported file in `place`, of those below `root`."""
    suffix = row.split(",")[0] if row != _NO_FILE else rng.choice((".tflite", ".onnx"))
    pristine = rng.choice([path for path in sorted((root / victims.EXPORTS).iterdir()) if path.suffix == suffix])
    folder, canary = place / "exported", place / "canary"
    canary.mkdir()
    (canary / folders.SECRET).write_bytes(bytes(4096))
    shutil.copy(pristine, canary / pristine.name)
    folder.mkdir()
    path = folder / pristine.name
    shutil.copy(pristine, path)
    form = rng.choices((FOUND, SEALED, UNSEALED), (3, 4, 3))[0]
    if row == _NO_FILE:
        form = FOUND
        kind = rng.choice([kind for kind in folders.KINDS if kind != "link to a copy"])  # a user may name a link
        detail = kind
        folders.KINDS[kind](path, canary, rng)
    else:
        content, detail = ROWS[row][1](path.read_bytes(), rng, canary)
        path.write_bytes(sealing.sealed_export(content) if form == SEALED else content)
    expected = {key.partition("/")[2]: value for key, value in computed.items() if key.split("/")[0] == pristine.name}
    read = functools.partial(_read, path, form, expected, pristine)
    return Trial(row, f"{pristine.name}, {form}: {detail}", folder, read, canary)


def _read(path, form, expected, pristine):
    import zoo

    model = zoo.lite.load(path, trust="unsealed" if form == UNSEALED else "sealed")
    x = expected[""]
    usual = model.input_shape == x.shape[1:]
    if not usual:
        x = np.zeros((1, *model.input_shape), "float32")
    x = x.astype(model.dtype)
    model(x)
    same = usual
    for verb in model.signatures:
        if verb in ("encode", "reconstruct", "score"):
            output = getattr(model, verb)(x)
            same = (
                same and verb in expected and np.allclose(output, expected[verb], rtol=1e-5, atol=1e-6, equal_nan=True)
            )
    if same:
        original = zoo.lite.load(pristine)
        same = all(
            getattr(model, name) == getattr(original, name)
            for name in ("signatures", "threshold", "contract", "output_name", "latent_shape")
        )
    return "same numbers" if same else "other numbers" if form == FOUND else "another model"
