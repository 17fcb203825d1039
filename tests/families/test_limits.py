"""Configs of absurd size are refused before memory is allocated or time is spent."""

import json
import os
import time

import keras
import numpy as np
import pytest
from keras import layers

import zoo
from zoo.core.errors import ConfigError, IntegrityError, ZooError
from zoo.engine import keras_internals
from zoo.families import registry

DENSE = {"family": "feed_forward", "input_shape": [784], "latent_dim": 16}
MAPS = {"family": "convolutional", "input_shape": [28, 28, 1], "latent_dim": 4}


def wrapped():
    x = image = keras.Input((8, 8, 1))
    x = layers.Flatten()(layers.Dropout(0.1)(layers.Conv2D(3, 3)(x)))
    x = layers.Dense(5, name="features", kernel_initializer="orthogonal")(x)
    x = layers.Reshape((8, 8, 1))(layers.Dense(64)(x))
    return zoo.wrap(keras.Model(image, x), "features").get_config()


def nested(depth, config=DENSE):
    for _ in range(depth):
        config = {"family": "denoising", "backbone": config, "corruption": {"type": "Gaussian", "stddev": 0.1}}
    return config


def changed(**arguments):
    """The wrapped config with other arguments of its dense layers."""
    config = wrapped()
    for part in ("encoder", "decoder"):
        for layer in config[part]["layers"]:
            if layer["class_name"] == "Dense":
                layer["config"].update(arguments)
                layer.pop("build_config", None)
    return config


LARGE = {
    "input": {**DENSE, "input_shape": [10**6, 10**6, 3]},
    "one long axis": {**DENSE, "input_shape": [10**9]},
    "units": {**DENSE, "latent_dim": 10**12},
    "units beyond 64 bits": {**DENSE, "latent_dim": 10**30},
    "hidden units": {**DENSE, "hidden_units": [10**6, 10**6]},
    "layers": {**DENSE, "hidden_units": [1] * 10**6},
    "filters": {**MAPS, "filters": [10**9]},
    "kernels": {**MAPS, "kernel_size": 10**5},
    "maps": {**MAPS, "input_shape": [50_000, 50_000, 1], "latent_dim": None, "filters": [1]},
    "backbones": nested(1_000),
    "text": {**DENSE, "name": "x" * 10**6},
    "depth": {**DENSE, "hidden_units": json.loads("[" * 900 + "]" * 900)},
    "corruptions": {**nested(1), "corruption": [{"type": "Gaussian", "stddev": 0.1}] * 10**5},
    "k": {"family": "sparse", "backbone": {**DENSE, "latent_dim": 30_000}, "sparsity": {"type": "TopK", "k": 30_000}},
    "wrapped units": changed(units=10**10),
}


@pytest.mark.parametrize("name", LARGE)
def test_refused_at_once(name):
    start = time.process_time()
    with pytest.raises(ConfigError) as caught:
        zoo.from_config(LARGE[name])
    assert time.process_time() - start < 5
    assert len(str(caught.value)) < 1_000


def test_the_limit_is_bytes_of_weights_and_of_activations():
    model = zoo.from_config(DENSE)
    weights = 4 * model.count_params()
    activations = 4 * (784 + 16 + 16 + 784)
    with pytest.raises(ConfigError, match=f"{weights:,} bytes of weights and {activations:,} bytes of activations"):
        zoo.from_config(DENSE, memory_limit=weights + activations - 1)
    zoo.from_config(DENSE, memory_limit=weights + activations)
    large = {**DENSE, "latent_dim": 400_000}  # 2.5 GB of weights
    with pytest.raises(ConfigError, match="memory_limit=2,000,000,000. If you trust"):
        zoo.from_config(large)
    model, variables = registry.without_values(large, memory_limit=None)
    assert len(variables) == 4
    assert model.count_params() == 400_000 * 1569 + 784


def test_orthogonal_kernels_that_take_minutes_to_draw():
    x = image = keras.Input((2, 3))
    x = layers.Dense(3, name="features")(layers.LSTM(2)(x))
    config = zoo.wrap(keras.Model(image, layers.Reshape((2, 3))(layers.Dense(6)(x))), "features").get_config()
    lstm = next(layer for layer in config["encoder"]["layers"] if layer["class_name"] == "LSTM")
    lstm["config"]["units"] = 4_000
    for layer in config["encoder"]["layers"]:
        layer.pop("build_config", None)
    with pytest.raises(ConfigError, match="orthogonal kernels so large.*pass memory_limit=None"):
        zoo.from_config(config)
    lstm["config"]["units"] = 20
    assert zoo.from_config(config).latent_shape == (3,)


@pytest.mark.parametrize("config", [DENSE, MAPS, nested(1), wrapped()], ids=lambda config: config["family"])
def test_initial_values_are_those_of_a_model_built_at_once(config):
    """Deferring them changes no value, no name and no order: what a seed gives stays."""
    keras.utils.clear_session()
    keras.utils.set_random_seed(3)
    model = zoo.from_config(config)
    keras.utils.clear_session()
    keras.utils.set_random_seed(3)
    plain = registry._built(config)
    for variable, expected in zip(model.variables, plain.variables, strict=True):
        assert variable.path == expected.path
        assert getattr(variable.value, "name", None) == getattr(expected.value, "name", None)
        np.testing.assert_array_equal(variable.numpy(), expected.numpy())
    assert not keras_internals.values_are_deferred()


def test_a_limit_of_load(tmp_path):
    zoo.save(zoo.feed_forward((8, 8, 1), 4), tmp_path / "saved")
    with pytest.raises(ConfigError, match="memory_limit=1,000"):
        zoo.load(tmp_path / "saved", memory_limit=1_000)
    assert zoo.load(tmp_path / "saved", memory_limit=None).latent_shape == (4,)

    os.truncate(tmp_path / "saved" / "model.weights.h5", 10**9)  # sparse: takes no space, but would take memory
    with pytest.raises(ConfigError, match="has 1,000,000,000 bytes, which is more than memory_limit=200,000,000"):
        zoo.load(tmp_path / "saved", memory_limit=2e8)


def test_weights_that_are_not_finite(tmp_path):
    model = zoo.feed_forward((8, 8, 1), 4)
    model.set_weights([np.full_like(w, np.nan) for w in model.get_weights()])
    with pytest.raises(
        ConfigError, match="The model holds NaN or infinite values, in the array '0' of 'decoder/layers"
    ):
        zoo.save(model, tmp_path / "saved")


def test_a_layer_takes_all_of_its_arrays_and_only_these():
    model = zoo.feed_forward((8,), 4)
    arrays = {
        f"{part}/layers/dense/vars": {"0": np.ones(shape, "float32"), "1": np.zeros(shape[1], "float32")}
        for part, shape in (("encoder", (8, 4)), ("decoder", (4, 8)))
    }
    before = model.get_weights()
    kernel = "encoder/layers/dense/vars"
    for wrong, message in (
        (
            {**arrays, "encoder/layers/dense_1/vars": {"0": np.ones(2)}},
            "no layer takes the array '0' of 'encoder/layers/dense_1",
        ),
        ({**arrays, kernel: {**arrays[kernel], "2": np.ones(2)}}, "'features'"),
        ({**arrays, kernel: {"0": np.ones((8, 4))}}, "'features'"),
        ({"decoder/layers/dense/vars": arrays["decoder/layers/dense/vars"]}, "'features'"),
        ({**arrays, kernel: {"0": np.ones((4, 8)), "1": np.zeros(4)}}, "must match"),
    ):
        with pytest.raises(ValueError, match=message):
            keras_internals.load_weights(model, wrong)
        for value, expected in zip(model.get_weights(), before, strict=True):
            np.testing.assert_array_equal(value, expected)
    keras_internals.load_weights(model, arrays)
    np.testing.assert_array_equal(model.get_weights()[0], np.ones((8, 4)))


def test_mutated_configs_raise_errors_of_the_zoo_only():
    values = [0, -1, 10**6, 10**12, 10**30, 1.5, True, None, "", "relu", "\0", "a/b", [], [0], {}, [10**6] * 3, ["a"]]
    values += [{"type": "TopK", "k": 1}, {"class_name": "Lambda", "config": {}}, json.loads("[" * 500 + "]" * 500)]
    chance = np.random.default_rng(0)
    outcomes = set()
    for config in (DENSE, MAPS, nested(1), {**wrapped(), "sparsity": {"type": "L1", "weight": 0.1}}):
        for _ in range(40):
            changing = json.loads(json.dumps(config))
            place = changing
            while isinstance(place, (dict, list)) and place:
                key = chance.choice(list(place)) if isinstance(place, dict) else int(chance.integers(len(place)))
                if not isinstance(place[key], (dict, list)) or not place[key] or chance.random() < 0.2:
                    place[key] = values[chance.integers(len(values))]
                    break
                place = place[key]
            try:
                zoo.from_config(changing)
                outcomes.add("built")
            except ZooError as error:
                assert not isinstance(error, IntegrityError)
                outcomes.add(type(error).__name__)
    assert outcomes == {"built", "ConfigError", "UnknownNameError"}
