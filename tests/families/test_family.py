import functools
import inspect
import json

import keras
import numpy as np
import pytest

import zoo
from zoo.core.errors import ConfigError, UnknownNameError
from zoo.families import registry


@pytest.fixture(autouse=True)
def only_ours(monkeypatch):
    """What a test registers is forgotten after it."""
    monkeypatch.setattr(registry, "_BUILDERS", dict(registry._BUILDERS))


def narrow_family():
    @zoo.family
    def narrow(input_shape, units=4, *, activation="relu"):
        """Narrow."""
        return zoo.feed_forward(input_shape, units, (2 * units,), activation=activation)

    return narrow


def test_a_family_of_ones_own_is_a_family(tmp_path):
    narrow = narrow_family()
    assert "narrow" in zoo.list_families() == sorted(zoo.list_families())
    model = narrow((8, 8, 1), np.int64(3), activation="tanh")
    config = {"family": "narrow", "input_shape": [8, 8, 1], "units": 3, "activation": "tanh"}
    assert json.loads(json.dumps(model.get_config())) == config
    x = np.random.default_rng(0).random((5, 8, 8, 1), dtype="float32")
    zoo.save(model, tmp_path / "saved", description="mine")
    assert zoo.card(tmp_path / "saved").family == "narrow"
    np.testing.assert_array_equal(zoo.load(tmp_path / "saved").reconstruct(x), model.reconstruct(x))
    wrapped = zoo.denoising({"family": "narrow", "input_shape": [64]}, zoo.corruption.Masking(0.1))
    assert wrapped.get_config()["backbone"] == {"family": "narrow", "input_shape": [64]}
    assert wrapped.latent_shape == (4,)
    assert zoo.list_pretrained(family="narrow") == []


def test_a_family_whose_module_was_not_imported(tmp_path):
    zoo.save(narrow_family()((64,)), tmp_path, description="mine")
    del registry._BUILDERS["narrow"]
    with pytest.raises(
        UnknownNameError, match=r"Unknown family 'narrow'\. .* Import the module of a family of your own"
    ):
        zoo.load(tmp_path)
    with pytest.raises(UnknownNameError, match="Unknown family 'sparze'. Did you mean 'sparse'"):
        zoo.from_config({"family": "sparze"})
    with pytest.raises(UnknownNameError, match="Unknown family 'narrow'"):
        zoo.list_pretrained(family="narrow")


def test_names_that_are_taken(monkeypatch):
    def sparse(input_shape):
        return zoo.feed_forward(input_shape, 4)

    for known in (registry._BUILDERS, {}):  # also before the built-in module is imported
        monkeypatch.setattr(registry, "_BUILDERS", dict(known))
        with pytest.raises(ConfigError, match="named 'sparse' exists already, in module zoo.families.sparse"):
            zoo.family(sparse)
    narrow_family()
    latest = narrow_family()  # a cell of a notebook that runs again
    assert registry._BUILDERS["narrow"] is latest
    latest.__module__ = "another"
    with pytest.raises(ConfigError, match="named 'narrow' exists already, in module another"):
        narrow_family()


def test_what_a_config_cannot_hold():
    def keywords(input_shape, **others): ...
    def positions(*sizes): ...
    def family(family): ...
    def first(input_shape, /): ...

    for function in (keywords, positions, family, first):
        with pytest.raises(ConfigError, match=f"Family '{function.__name__}' must name each of its arguments"):
            zoo.family(function)

    @zoo.family
    def initialised(input_shape, initializer):
        return zoo.feed_forward(input_shape, 4)

    with pytest.raises(
        ConfigError, match="Argument 'initializer' of family 'initialised' must be a JSON value.*<lambda>"
    ):
        initialised((64,), lambda shape: 0)

    @zoo.family
    def plain_keras(input_shape):
        return keras.Sequential([keras.Input(input_shape)])

    with pytest.raises(ConfigError, match="Family 'plain_keras' must return a zoo.Autoencoder. Received: <Sequential"):
        plain_keras((64,))


def test_configs_are_checked_before_building():
    with pytest.raises(ConfigError, match="Config of family 'feed_forward': missing a required argument: 'latent_dim'"):
        zoo.from_config({"family": "feed_forward", "input_shape": [64]})
    with pytest.raises(UnknownNameError, match="Unknown key in the config of family 'feed_forward' 'latent_dimm'"):
        zoo.from_config({"family": "feed_forward", "input_shape": [64], "latent_dimm": 3})

    @zoo.family
    def broken(input_shape):
        return len(5)

    with pytest.raises(
        TypeError, match="object of type 'int' has no len"
    ):  # a mistake in the family, not in its config
        zoo.from_config({"family": "broken", "input_shape": [64]})


@pytest.mark.parametrize("family", [zoo.convolutional, zoo.denoising, zoo.feed_forward, zoo.sparse])
def test_signatures_and_annotations_are_those_of_the_function(family):
    signature = inspect.signature(family, eval_str=True)
    assert signature.return_annotation is zoo.Autoencoder
    assert all(p.annotation is not p.empty for p in signature.parameters.values())
    assert functools.WRAPPER_ASSIGNMENTS[1] in dir(family) and family.__doc__.startswith("A ")
