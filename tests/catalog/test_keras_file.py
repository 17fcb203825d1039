"""`.keras` files: the archive, the config and the weights in it are checked before Keras opens them."""

import io
import json
import os
import zipfile

import h5py
import keras
import numpy as np
import pytest

import zoo
from zoo.core.errors import ConfigError


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    model = zoo.feed_forward((8, 8, 1), 4)
    model.pretrained_loss = "mse"
    model.compile()
    model.fit(zoo.data.load("digits", "all").samples[:64], verbose=0)
    path = tmp_path_factory.mktemp("keras") / "model.keras"
    model.save(path)
    return path


def rewritten(file, path, **changes):
    """A copy of an archive with other contents of members; None leaves one out."""
    with zipfile.ZipFile(file) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    contents |= {name.replace("__", "."): content for name, content in changes.items()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in contents.items():
            if content is not None:
                archive.writestr(name, content)
    return path


def hdf5(write, **options):
    content = io.BytesIO()
    with h5py.File(content, "w", **options) as file:
        write(file)
    return content.getvalue()


def test_a_good_file(file):
    loaded = zoo.load_model(file)
    assert loaded.pretrained_loss == "mse"
    assert loaded.compiled
    assert int(loaded.optimizer.iterations.numpy()) > 0
    np.testing.assert_array_equal(loaded.get_weights()[0], keras.saving.load_model(file).get_weights()[0])


def test_weights_in_a_newer_format(file, tmp_path):
    with zipfile.ZipFile(file) as archive:
        content = archive.read("model.weights.h5")

    def copy(target):
        with h5py.File(io.BytesIO(content)) as source:
            for name in source:
                source.copy(name, target)

    path = rewritten(file, tmp_path / "new.keras", **{"model.weights.h5": hdf5(copy, libver="latest")})
    np.testing.assert_array_equal(zoo.load_model(path).get_weights()[0], zoo.load_model(file).get_weights()[0])


def _external(file):
    file.create_dataset("layers/w", (4,), "f4", external=[("/etc/hostname", 0, 16)])


def _link(file):
    file["w"] = h5py.ExternalLink("/etc/other.h5", "/w")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"config__json": None}, "lacks config.json"),
        ({"model.weights.h5": None}, "lacks model.weights.h5"),
        ({"model.weights.npz": b""}, "contains 'model.weights.npz'"),
        ({"../escaped": b""}, "'../escaped' has a path that may lead out"),
        ({"config__json": "[" * 5_000 + "]" * 5_000}, "config.json of .* is not valid JSON: it is nested too deeply"),
        ({"config__json": "[]"}, "config.json of .* describes no model"),
        ({"config__json": "{}"}, "cannot be loaded"),
        ({"config__json": "\ud800".encode("utf-8", "surrogatepass")}, "not valid JSON"),
        ({"model.weights.h5": b"no weights"}, "model.weights.h5 of .* is damaged"),
        ({"model.weights.h5": hdf5(_external)}, "'layers/w' has data in other files"),
        (
            {"model.weights.h5": hdf5(_external, libver="latest")},
            "'layers/w' is compressed, or its data are not in one",
        ),
        ({"model.weights.h5": hdf5(_link, libver="latest")}, "'w' is a link, which weights never need"),
        ({"model.weights.h5": hdf5(lambda f: None)}, "cannot be loaded: A total of"),
        ({"assets/bomb": bytes(2**29)}, "as in a decompression bomb"),
        ({"assets/pretrained.json": b'{"trained_on": [], "loss": null}'}, "cannot be loaded: "),
    ],
)
def test_others_are_refused(file, tmp_path, changes, message):
    path = rewritten(file, tmp_path / "model.keras", **changes)
    with pytest.raises(ConfigError, match=message) as caught:
        zoo.load_model(path)
    assert "model.keras" in str(caught.value)


def test_more_weights_than_the_limit(file, tmp_path):
    with zipfile.ZipFile(file) as archive:
        config = json.loads(archive.read("config.json"))
    config["config"]["latent_dim"] = 10**9
    path = rewritten(file, tmp_path / "model.keras", config__json=json.dumps(config))
    with pytest.raises(ConfigError, match="model.keras' describes a model of .* bytes of weights.*memory_limit=8,000,"):
        zoo.load_model(path)
    with pytest.raises(ConfigError, match="unpack to .* bytes, more than 1,000"):
        zoo.load_model(file, memory_limit=1_000)


def test_the_check_draws_no_random_numbers(file):
    keras.utils.set_random_seed(1)
    keras.saving.load_model(file)
    expected = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]).get_weights()[0]
    keras.utils.set_random_seed(1)
    zoo.load_model(file)
    received = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]).get_weights()[0]
    np.testing.assert_array_equal(received, expected)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_no_regular_file(tmp_path):
    os.mkfifo(tmp_path / "pipe.keras")
    (tmp_path / "folder.keras").mkdir()
    for name, kind in (("pipe", "a named pipe"), ("folder", "a folder")):
        with pytest.raises(ConfigError, match=f"Received {kind}"):
            zoo.load_model(tmp_path / f"{name}.keras")
