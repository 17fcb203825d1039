"""Models in ``.keras`` files, read back in a fresh process that has imported nothing but `zoo` and `keras`."""

import json
import subprocess
import sys

import keras
import numpy as np
import pytest
from keras import layers

import zoo
from tests.base import resealed
from zoo.core.errors import ConfigError, DataNotFoundError
from zoo.layers.parts import Decoder, Encoder


def _wrapped():
    image = keras.Input((8, 8, 1), name="image")
    code = layers.Dense(5, name="code", kernel_regularizer="l2")(layers.Flatten()(image))
    pixels = layers.Dense(64, activation="sigmoid")(code)
    return zoo.wrap(keras.Model(image, layers.Reshape((8, 8, 1))(pixels), name="mine"), "code")


def _hand_made():
    return zoo.Autoencoder(
        keras.Sequential([keras.Input((8, 8, 1)), layers.Flatten(), layers.Dense(4, activation="relu")]),
        keras.Sequential([keras.Input((4,)), layers.Dense(64), layers.Reshape((8, 8, 1))]),
        corruption=[zoo.corruption.Gaussian(0.2)],
        sparsity=zoo.sparsity.L1(0.1),
    )


MODELS = {
    "normalised": lambda: zoo.feed_forward((8, 8, 1), 4, (12,), batch_normalization=True),
    "tied": lambda: zoo.feed_forward((8, 8, 1), 4, (12,), tied_weights=True),
    "tied convolutions": lambda: zoo.convolutional((8, 8, 1), 4, (3, 5), tied_weights=True, batch_normalization=True),
    "spatial": lambda: zoo.convolutional((8, 8, 1), None, (3,)),
    "denoising": lambda: zoo.denoising(
        zoo.feed_forward((8, 8, 1), 4), [zoo.corruption.Affine(10), zoo.corruption.Masking(0.2)]
    ),
    "top-k": lambda: zoo.sparse(zoo.feed_forward((8, 8, 1), 9), zoo.sparsity.TopK(3)),
    "wrapped": _wrapped,
    "wrapped, denoising": lambda: zoo.denoising(_wrapped(), zoo.corruption.Gaussian(0.1)),
    "hand-made": _hand_made,
}
_READ = """
import sys, {imports}
import numpy as np
assert not {{"zoo.autoencoder", "zoo.layers", "zoo.transfer"}} & set(sys.modules)
load = {load}
for number in range({count}):
    model = load(f"{{number}}.keras")
    x, expected = np.load(f"{{number}}.x.npy"), np.load(f"{{number}}.y.npy")
    given = model.reconstruct(x) if hasattr(model, "reconstruct") else model.predict(x, verbose=0)
    part = getattr(model, "encoder", model)
    part = model.layers[1] if type(model).__name__ == "Classifier" else part
    print(type(model).__name__, np.abs(given - expected).max(), part.trained_on, part.unit_range, model.compiled)
"""


@pytest.fixture(scope="module")
def saved(tmp_path_factory, digits, mnist_like):
    """A directory with a file of every kind of model, samples and outputs, and what the reader should print."""
    directory = tmp_path_factory.mktemp("saved")
    x, large = digits.samples[:64], mnist_like[:64]
    keras.utils.set_random_seed(0)
    made = []
    for name, build in MODELS.items():
        model, trained = build(), name in ("normalised", "wrapped, denoising")  # with an optimizer's state
        if trained:
            model.fit(x, verbose=0)
        made.append((model, x, f"Autoencoder 0.0 None {name != 'hand-made'} {trained}"))
    top_k, spatial = made[5][0], made[3][0]
    classifier = zoo.classifier(zoo.load_encoder("mnist-convolutional-16"), 10)
    zoo.fine_tune(classifier, large, digits.labels[:64], head_epochs=1, epochs=1, verbose=0)
    made += [
        (zoo.load("mnist-feed-forward-8"), large, "Autoencoder 0.0 mnist True False"),
        (zoo.load_encoder("mnist-convolutional-16"), large, "Encoder 0.0 mnist True False"),
        (top_k.encoder, x, "Encoder 0.0 None True False"),
        (spatial.decoder, spatial.encode(x), "Decoder 0.0 None None False"),
        (classifier, large, "Classifier 0.0 mnist True True"),
    ]
    pixels = np.rint(large * 255).astype("uint8")
    made.append((zoo.load_encoder("mnist-convolutional-16", raw_input=True), pixels, "Encoder 0.0 mnist True False"))
    for number, (model, samples, _) in enumerate(made):
        model.save(directory / f"{number}.keras")
        outputs = model.reconstruct(samples) if hasattr(model, "reconstruct") else model.predict(samples, verbose=0)
        np.save(directory / f"{number}.x.npy", samples)
        np.save(directory / f"{number}.y.npy", outputs)
    return directory, [line for *_, line in made]


@pytest.mark.parametrize(
    ("imports", "load"), [("zoo, keras", "keras.saving.load_model"), ("keras, zoo", "zoo.load_model")]
)
def test_a_fresh_process_reads_every_kind_of_model(saved, imports, load):
    directory, expected = saved
    code = _READ.format(imports=imports, load=load, count=len(expected))
    process = subprocess.run([sys.executable, "-c", code], cwd=directory, capture_output=True, text=True)
    assert process.stdout.splitlines() == expected, process.stderr


def test_every_registered_class_is_in_the_table():
    """What Keras would look for in vain in a process that has not imported its module."""
    import zoo.transfer.classifier  # noqa: F401
    from zoo import _SERIALIZABLE

    known = {name for name in keras.saving.get_custom_objects() if name.startswith("zoo>")}
    assert known == {f"zoo>{name}" for name in _SERIALIZABLE}


def test_importing_zoo_imports_no_keras_and_changes_nothing_else():
    waiting = "sum(type(finder).__module__.startswith('zoo') for finder in sys.meta_path)"
    code = "import sys, zoo, importlib.util; importlib.util.find_spec('keras')"  # as many libraries ask where it is
    code += f"; print('keras' in sys.modules, {waiting})"
    code += f"; import keras; print(keras.__spec__.name, {waiting}, 'zoo>Encoder' in keras.saving.get_custom_objects())"
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert output.splitlines() == ["False 2", "keras 0 True"]  # of zoo and of zoo.preprocessing


def test_hdf5_is_refused_on_the_way_out(tmp_path):
    model = zoo.feed_forward((8, 8, 1), 4, tied_weights=True)
    classifier = zoo.classifier(zoo.feed_forward((8, 8, 1), 4).encoder, 3)
    for refused in (model, model.encoder, model.decoder, classifier):
        for name in ("model.h5", "model.HDF5"):
            with pytest.raises(ConfigError, match=r"Save it as model.save\('model.keras'\), or its weights alone"):
                refused.save(tmp_path / name)
    assert not list(tmp_path.iterdir())
    model.save_weights(tmp_path / "model.weights.h5")  # which is what the sentence recommends
    fresh = zoo.from_config(model.get_config())
    fresh.load_weights(tmp_path / "model.weights.h5")
    np.testing.assert_array_equal(fresh.get_weights()[0], model.get_weights()[0])


def test_what_no_file_can_describe_leaves_none(tmp_path):
    tied = zoo.feed_forward((8, 8, 1), 4, tied_weights=True)
    with pytest.raises(ConfigError, match="This decoder has a layer without a config: A tied layer cannot be"):
        tied.decoder.save(tmp_path / "decoder.keras")
    image = keras.Input((6,))
    shared = layers.Dense(6, name="both")
    model = zoo.wrap(keras.Model(image, shared(layers.Dense(6, name="code")(shared(image)))), "code")
    with pytest.raises(ConfigError, match="Encoder and decoder share the layer 'both'"):
        model.save(tmp_path / "shared.keras")

    class Subclassed(keras.Model):
        def call(self, x):
            return x

    halves = Subclassed(), Subclassed()
    for half in halves:
        half(np.zeros((1, 4)))
    with pytest.raises(ConfigError, match="Only functional parts have a config.*Received a Subclassed"):
        zoo.Autoencoder(*halves).get_config()
    assert not list(tmp_path.iterdir())


def test_load_model_says_what_is_missing(tmp_path):
    def own_loss(target, output):
        return keras.ops.mean(keras.ops.square(target - output), axis=-1)

    model = zoo.feed_forward((8, 8, 1), 4)
    model.compile("adam", own_loss)
    model.save(tmp_path / "loss.keras")
    with pytest.raises(ConfigError, match="needs the function 'own_loss'.*import the module.*Or pass compile=False"):
        zoo.load_model(tmp_path / "loss.keras")
    loaded = zoo.load_model(tmp_path / "loss.keras", compile=False)
    assert [type(part) for part in (loaded.encoder, loaded.decoder)] == [Encoder, Decoder]

    class Own(layers.Layer):
        def call(self, x):
            return x

    image = keras.Input((4,))
    plain = keras.Model(image, Own()(layers.Dense(4, name="code")(image)))
    zoo.wrap(plain, "code").save(tmp_path / "layer.keras")
    with pytest.raises(ConfigError, match="needs the class 'Own', which is not registered with Keras"):
        zoo.load_model(tmp_path / "layer.keras", compile=False)
    with keras.saving.custom_object_scope({"Own": Own}):
        x = np.ones((2, 4), "float32")
        loaded = keras.saving.load_model(tmp_path / "layer.keras")
        np.testing.assert_array_equal(loaded.reconstruct(x), plain.predict(x, verbose=0))

    with pytest.raises(DataNotFoundError, match="No such file"):
        zoo.load_model(tmp_path / "absent.keras")
    with pytest.raises(ConfigError, match="an .h5 file for keras.models.load_model. Received: '.*old.h5'"):
        zoo.load_model(tmp_path / "old.h5")
    (tmp_path / "broken.keras").write_text("no archive")
    with pytest.raises(ConfigError, match="is damaged or not a zip archive"):
        zoo.load_model(tmp_path / "broken.keras")


class TestSave:
    """`zoo.save` of models that no family built."""

    @pytest.mark.parametrize("name", ["wrapped", "wrapped, denoising", "hand-made"])
    def test_round_trip(self, name, tmp_path, digits):
        x = digits.samples[:64]
        model = MODELS[name]()
        card = zoo.save(model, tmp_path / "saved")
        assert card.family == {"wrapped, denoising": "denoising"}.get(name, "wrapped")
        loaded = zoo.load(tmp_path / "saved")
        np.testing.assert_array_equal(loaded.reconstruct(x), model.reconstruct(x))
        assert loaded.get_config() == model.get_config() == card.config
        assert [c.describe() for c in loaded.corruption] == [c.describe() for c in model.corruption]
        assert (loaded.sparsity is None) == (model.sparsity is None)
        assert zoo.save(loaded, tmp_path / "again").sha256 == card.sha256

    def test_layers_of_keras(self, tmp_path):
        """With wrappers, nested objects as arguments, and a nested encoder of the zoo."""
        x = np.random.default_rng(0).random((3, 6, 4), "float32")
        for layer in (
            layers.Bidirectional(layers.GRU(3)),
            layers.TimeDistributed(layers.Dense(2)),
            layers.LayerNormalization(),
            layers.Normalization(),
            layers.Dense(4, activation=layers.LeakyReLU(0.1)),
            layers.Conv1D(3, 2, activation="gelu", kernel_regularizer="l2", bias_constraint="non_neg"),
            layers.Conv1D(3, 2, kernel_initializer=keras.initializers.HeNormal(seed=3)),
            zoo.sparse(zoo.convolutional((6, 4), 5, (3,)), zoo.sparsity.TopK(2)).encoder,
        ):
            image = keras.Input((6, 4))
            code = layers.Dense(3, name="code")(layers.Flatten()(layer(image)))
            model = zoo.wrap(keras.Model(image, layers.Reshape((6, 4))(layers.Dense(24)(code))), "code")
            zoo.save(model, tmp_path / "saved")
            loaded = zoo.load(tmp_path / "saved")
            np.testing.assert_array_equal(loaded.reconstruct(x), model.reconstruct(x), err_msg=layer.name)

    def test_layers_of_ones_own_are_refused_with_what_to_do(self, tmp_path):
        class Own(layers.Layer):
            def call(self, x):
                return x

        def own_activation(x):
            return x

        image = keras.Input((4,))
        code = layers.Dense(4, name="code")(image)
        for last, named in (
            (Own(), "'Own'"),
            (layers.Lambda(lambda x: x, output_shape=(4,)), "'Lambda'"),
            (layers.Dense(4, activation=own_activation), "'function' 'own_activation'"),
        ):
            with pytest.raises(ConfigError, match=rf"decoder's config contains {named}.*model.save\('model.keras'\)"):
                zoo.save(zoo.wrap(keras.Model(image, last(code)), "code"), tmp_path / "saved")
        assert not (tmp_path / "saved").exists()

    @pytest.mark.parametrize(
        "change",
        [
            lambda layer: layer.update(class_name="Lambda", config={"function": {"class_name": "__lambda__"}}),
            lambda layer: layer.update(class_name="TFSMLayer", config={"filepath": "/tmp/model"}),
            lambda layer: layer.update(module="os", class_name="system", config={"command": "true"}),
            lambda layer: layer.update(module="keras.src.layers.core.lambda_layer", class_name="Lambda"),
            lambda layer: layer.update(registered_name="zoo>Classifier"),
            lambda layer: layer.update(compile_config={"optimizer": "adam"}),
            lambda layer: layer["config"].update(activation="load_model"),
            lambda layer: layer["config"].update(activation={"value": "4wAAAAA="}),
            lambda layer: layer["config"].update(activation={"class_name": "function", "config": "exec"}),
            lambda layer: layer["config"].update(kernel_initializer="my_initializer"),
            lambda layer: layer["config"].update(units={"class_name": "__numpy__", "config": {"value": [4]}}),
            lambda layer: layer["config"].update(filepath="/etc/passwd"),
            lambda layer: layer["config"].update(kernel_regularizer={"class_name": "L2", "module": "mine"}),
        ],
    )
    def test_a_forged_config_builds_nothing(self, change, tmp_path, monkeypatch):
        zoo.save(_wrapped(), tmp_path / "saved")
        path = tmp_path / "saved" / "config.json"
        config = json.loads(path.read_text())
        (dense,) = (layer for layer in config["encoder"]["layers"] if layer["name"] == "code")
        change(dense)
        path.write_text(json.dumps(config))
        resealed(tmp_path / "saved")
        built = []
        monkeypatch.setattr("zoo.autoencoder.Encoder.from_config", built.append)
        with pytest.raises(ConfigError, match="encoder's config contains .* know Keras' own layers only"):
            zoo.load(tmp_path / "saved")
        assert built == []
