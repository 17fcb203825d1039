#!/usr/bin/env python
"""A coverage-guided fuzzer on the readers of the zoo's own: ``scripts/fuzz.py TARGET --seconds 300``.

Atheris mutates bytes and keeps what reaches new branches; only errors of the zoo may come out. Needs
``pip install "autoencoder-zoo[fuzz]"``. What was reached stays in fuzz-state/TARGET, what was found in
fuzz-state/TARGET-found-*: ``scripts/fuzz.py TARGET --input FILE`` runs it again.
"""

import contextlib
import json
import multiprocessing
import pathlib
import sys
import tempfile

import click

ROOT = pathlib.Path(__file__).parents[1]
STATE = ROOT / "fuzz-state"
_SHIPPED = ROOT / "pretrained"


def _hdf5():
    from zoo.catalog import hdf5

    return hdf5.read, _victims("models/*/model.weights.h5")


def _manifest():
    from zoo.core import manifest

    folder = _memory()

    def read(data):
        (folder / manifest.MANIFEST).write_bytes(data)
        manifest.check(folder)

    return read, sorted(_SHIPPED.glob("*/manifest.json"))[::10]


def _card():
    from zoo.catalog.card import CONFIG, METADATA, parse_card

    def read(data):
        config, _, metadata = data.partition(b"\0")
        parse_card({CONFIG: config, METADATA: metadata}, pathlib.Path("card"))

    folders = sorted(path.parent for path in _SHIPPED.glob("*/metadata.json"))[::10]
    return read, [(path / CONFIG).read_bytes() + b"\0" + (path / METADATA).read_bytes() for path in folders]


def _config():
    from zoo.core import reading
    from zoo.families import from_config

    def read(data):
        from_config(reading.parse_json(data, "config.json"), memory_limit=1e7)

    seeds = _victims("models/*/config.json")
    for seed in seeds:  # imports all of Keras, which would count as a hang
        read(seed.read_bytes())
    return read, seeds


def _recipe():
    from zoo.recipes.recipe import FILE_NAME, read_recipe

    path = _memory() / FILE_NAME

    def read(data):
        path.write_bytes(data)
        read_recipe(path)

    return read, sorted(_SHIPPED.glob("*/recipe.toml"))[::5]


def _metadata():
    from zoo.exporting import metadata

    names = {"reconstruct": {"input": "image", "output": "reconstruction"}}
    known = {
        "model": "autoencoder",
        "default": "reconstruct",
        "signatures": names,
        "unit_range": True,
        "threshold": 0.5,
    }
    return metadata.parsed, [json.dumps({**known, "seal": "sha256:" + "0" * 64}).encode(), json.dumps(known).encode()]


def _structure(module, form):
    def prepare():
        import importlib

        return importlib.import_module(f"zoo.exporting.{module}").check, _victims(f"exports/*.{form}")

    return prepare


def _npy():
    from zoo.core import arrays_file

    folder = _victims("")[0]
    import numpy as np

    seeds = []
    for dtype in ("f4", "u1", "U3", "i8"):
        np.save(folder / "seed.npy", np.ones((2, 3)).astype(dtype))
        seeds.append((folder / "seed.npy").read_bytes())
    return arrays_file.read_array, seeds


def _npz():
    from zoo.core import arrays_file

    return arrays_file.read_arrays, _victims("models/*/golden.npz")


def _zip():
    import io
    import zipfile

    from zoo.core import archives

    def read(data):
        with archives.opened(data, limit=1e7) as archive:
            for name in archive.namelist():
                archive.read(name, limit=1e6)

    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("train/cat/1.png", "train/dog/2.png", "test/cat/3.png"):
            archive.writestr(name, name * 10)
    return read, [content.getvalue()]


# Name -> function that returns a reader of bytes, and what to begin with: bytes, or paths of files.
TARGETS = {
    "hdf5": _hdf5,
    "manifest": _manifest,
    "card": _card,
    "config": _config,
    "recipe": _recipe,
    "metadata": _metadata,
    "tflite": _structure("tflite_structure", "tflite"),
    "onnx": _structure("onnx_structure", "onnx"),
    "npy": _npy,
    "npz": _npz,
    "zip": _zip,
}


def _victims(pattern):
    """Small files that the zoo itself wrote, see `hostile.victims`."""
    folder = STATE / "victims"
    if not folder.is_dir():  # in another process: modules that are imported already cannot be watched
        process = multiprocessing.get_context("spawn").Process(target=_build)
        process.start()
        process.join()
    return sorted(folder.glob(pattern)) if pattern else [folder]


def _build():
    from hostile import campaign

    campaign.prepare(STATE, few=True)


def _memory():
    """A folder for files that are written thousands of times a second."""
    memory = pathlib.Path("/dev/shm")
    return pathlib.Path(tempfile.mkdtemp(dir=memory if memory.is_dir() else None))


@click.command()
@click.argument("target", type=click.Choice(list(TARGETS)))
@click.option("--seconds", default=60, show_default=True, type=click.IntRange(1))
@click.option("--input", "file", type=click.Path(exists=True), help="Only read this file, and show its error.")
def main(target, seconds, file):
    """Fuzz one reader until it raises something else than an error of the zoo, or the time is over."""
    import atheris

    corpus = STATE / target
    corpus.mkdir(parents=True, exist_ok=True)
    if file:
        return TARGETS[target]()[0](pathlib.Path(file).read_bytes())
    with atheris.instrument_imports(include=["zoo"]):
        read, seeds = TARGETS[target]()
    from zoo.core.errors import ZooError

    seeds = [seed if isinstance(seed, bytes) else seed.read_bytes() for seed in seeds]
    for number, seed in enumerate(seeds):
        (corpus / f"seed-{number}").write_bytes(seed)

    def one(data):
        with contextlib.suppress(ZooError):
            read(data)

    options = [
        f"-max_total_time={seconds}",
        f"-max_len={2 * max(map(len, seeds))}",
        f"-artifact_prefix={corpus}-found-",
        "-timeout=10",
        "-rss_limit_mb=4096",
        "-print_final_stats=1",
    ]
    atheris.Setup([sys.argv[0], str(corpus), *options], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
