"""The compiled engine computes what Keras' own loop computes: the same losses from the same weights and noise."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

import zoo

_FAMILIES = {
    "feed forward": lambda: zoo.feed_forward((8, 8, 1), 4, (16,)),
    "tied, normalised": lambda: zoo.feed_forward((8, 8, 1), 4, (16,), tied_weights=True, batch_normalization=True),
    "convolutional": lambda: zoo.convolutional((8, 8, 1), 4, (4,)),
    "Gaussian": lambda: zoo.denoising(zoo.feed_forward((8, 8, 1), 4), zoo.corruption.Gaussian(0.3)),
    "Masking": lambda: zoo.denoising(zoo.feed_forward((8, 8, 1), 4), zoo.corruption.Masking(0.3)),
    "Affine": lambda: zoo.denoising(zoo.feed_forward((8, 8, 1), 4), zoo.corruption.Affine(20, 1, 0.1, 0.1)),
    "L1": lambda: zoo.sparse(zoo.feed_forward((8, 8, 1), 4), zoo.sparsity.L1(0.1)),
    "KL": lambda: zoo.sparse(
        zoo.feed_forward((8, 8, 1), 4, latent_activation="sigmoid"), zoo.sparsity.KL(target=0.1, weight=0.1)
    ),
    "TopK": lambda: zoo.sparse(zoo.feed_forward((8, 8, 1), 16), zoo.sparsity.TopK(3)),
}
_FUNCTIONAL = ("feed forward", "tied, normalised", "convolutional", "TopK")  # wholly described by their two halves
_WITH_XLA = ("feed forward", "Gaussian", "TopK")  # compiling takes most of a test's time
_BATCHES = {"batch_size": 25, "epochs": 3, "shuffle": False, "verbose": 0}  # of 100 samples: four equal batches
_SHORT = {"batch_size": 32}  # the last of four batches is short


def _keep(model):
    """Every variable of a model with its value: weights, statistics, and states of random generators."""
    return [(variable, variable.numpy()) for variable in model.variables]


def _set(kept):
    for variable, value in kept:
        variable.assign(value)


def _seeded(build):
    keras.utils.set_random_seed(0)
    return build()


def _plain(model):
    """A keras.Model of the same layers, which knows nothing of the zoo."""
    if not isinstance(model, zoo.Autoencoder):
        return keras.Model(model.inputs, model.outputs)
    image = keras.Input(model.input_shape)
    return keras.Model(image, model.decoder(model.encoder(image)))


def _assert_equal(model, plain, settings, ours, theirs, jit_compile=False, rtol=1e-5):
    """Histories of `model.fit(**ours)` and of Keras' own `fit(plain, **theirs)`, from the same state, agree.

    `settings` returns the arguments of `compile` anew. `jit_compile` is for ours: Keras runs without XLA.
    """
    start = _keep(model)
    model.compile(**settings(), jit_compile=jit_compile)
    ours = model.fit(**_BATCHES | ours).history
    _set(start)
    plain.compile(**settings(), jit_compile=False)
    theirs = keras.Model.fit(plain, **_BATCHES | theirs).history
    assert set(ours) == set(theirs)
    for name, values in theirs.items():
        np.testing.assert_allclose(ours[name], values, rtol=rtol, err_msg=name)
    losses = theirs["loss"]
    assert len(set(losses)) == len(losses), "a training that changes nothing compares nothing"
    return ours


class TestAutoencoders:
    @pytest.mark.parametrize("name", _FAMILIES)
    def test_every_family(self, name, digits):
        """A short last batch, whose weight in the mean and in BatchNormalization or KL a mistake would change."""
        x, held_out = digits.samples[:100], digits.samples[100:150]
        model = _seeded(_FAMILIES[name])
        history = _assert_equal(
            model,
            _plain(model) if name in _FUNCTIONAL else model,
            lambda: {"optimizer": keras.optimizers.Adam(1e-2), "loss": "mse", "metrics": ["mae"]},
            {"x": x, "validation_data": held_out, "validation_batch_size": 50, **_SHORT},
            {"x": x, "y": x, "validation_data": (held_out, held_out), "validation_batch_size": 50, **_SHORT},
            jit_compile=name in _WITH_XLA,
        )
        assert set(history) == {"loss", "mae", "val_loss", "val_mae"}

    def test_schedule_and_clipping(self, digits):
        """The schedule reads the step's number inside of the compiled loop."""
        x, model = digits.samples[:100], _seeded(_FAMILIES["feed forward"])

        def settings():
            rate = keras.optimizers.schedules.CosineDecay(1.0, decay_steps=10)
            return {"optimizer": keras.optimizers.SGD(rate, momentum=0.9, clipnorm=0.05), "loss": "mse"}

        history = _assert_equal(model, _plain(model), settings, {"x": x}, {"x": x, "y": x})
        assert int(model.optimizer.iterations) == 12
        model.compile(keras.optimizers.SGD(1.0, momentum=0.9), jit_compile=False)
        assert abs(model.fit(x, **_BATCHES).history["loss"][0] - history["loss"][0]) > 1e-4  # both have their effect

    def test_own_loss_and_metric(self, digits):
        """A metric whose state is no mean: how many batches it saw, and the largest error among them."""

        class Largest(keras.metrics.Metric):
            def __init__(self):
                super().__init__(name="largest")
                self.largest = self.add_variable((), "zeros", name="value")
                self.batches = self.add_variable((), "zeros", name="batches")

            def update_state(self, y, y_pred, sample_weight=None):
                self.largest.assign(ops.maximum(self.largest, ops.max(ops.abs(y - y_pred))))
                self.batches.assign_add(1.0)

            def result(self):
                return {"largest": self.largest + 0.0, "batches": self.batches + 0.0}

        def loss(y, y_pred):
            return ops.mean(ops.abs(y - y_pred) ** 1.5, axis=-1)

        x, held_out = digits.samples[:100], digits.samples[100:150]
        model = _seeded(_FAMILIES["feed forward"])
        history = _assert_equal(
            model,
            _plain(model),
            lambda: {"optimizer": keras.optimizers.Adam(1e-2), "loss": loss, "metrics": [Largest()]},
            {"x": x, "validation_data": held_out, "validation_batch_size": 20},
            {"x": x, "y": x, "validation_data": (held_out, held_out), "validation_batch_size": 20},
        )
        assert history["batches"] == [4, 4, 4]
        assert history["val_batches"] == [3, 3, 3]

    def test_sample_weight(self, digits):
        x, held_out = digits.samples[:100], digits.samples[100:150]
        weight, held_out_weight = np.linspace(0, 2, 100), np.linspace(3, 1, 50)
        model = _seeded(_FAMILIES["feed forward"])
        _assert_equal(
            model,
            model,
            lambda: {"optimizer": keras.optimizers.Adam(1e-2), "loss": "mse", "weighted_metrics": ["mae"]},
            {"x": x, "sample_weight": weight, "validation_data": (held_out, None, held_out_weight)},
            {
                "x": x,
                "y": x,
                "sample_weight": weight,
                "validation_data": (held_out, held_out, held_out_weight),
            },
        )

    def test_mixed_precision(self, digits):
        """A loss scale that overflows first: steps are left out and the scale is halved, inside of the loop."""
        before, optimizers = keras.config.dtype_policy(), []
        keras.config.set_dtype_policy("mixed_float16")
        try:
            x, model = digits.samples[:100], _seeded(_FAMILIES["feed forward"])
            plain = _plain(model)
        finally:
            keras.config.set_dtype_policy(before)

        def settings():
            optimizers.append(keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(1e-2), initial_scale=2.0**22))
            return {"optimizer": optimizers[-1], "loss": "mse"}

        _assert_equal(model, plain, settings, {"x": x}, {"x": x, "y": x}, rtol=1e-3)
        assert model.decoder.layers[-1].compute_dtype == "float16"
        ours, theirs = (float(optimizer.dynamic_scale) for optimizer in optimizers)
        assert ours == theirs < 2.0**22
        ours, theirs = (int(optimizer.inner_optimizer.iterations) for optimizer in optimizers)
        assert ours == theirs
        assert 0 < ours < 12


class TestClassifier:
    @pytest.mark.parametrize("kind", ["labels", "sample_weight", "class_weight"])
    def test_labels_and_weights(self, digits, kind):
        """With dropout, whose noise is drawn inside of the loop. Keras weighs no held-out sample by its class."""
        x, y = digits.samples[:100], digits.labels[:100]
        class_weight = {label: 0.2 * label for label in range(1, 10)}  # none for 0: it weighs 1
        arguments = {
            "labels": {"validation_data": (digits.samples[100:150], digits.labels[100:150])},
            "sample_weight": {"sample_weight": np.linspace(0, 2, 100), "validation_split": 0.25},
            "class_weight": {"class_weight": class_weight, "validation_split": 0.25},
        }[kind]
        encoder = _seeded(_FAMILIES["feed forward"]).encoder
        model = _seeded(lambda: zoo.classifier(encoder, 10, hidden_units=(8,), dropout=0.3))
        _assert_equal(
            model,
            _plain(model),
            lambda: {
                "optimizer": keras.optimizers.Adam(1e-2),
                "loss": "sparse_categorical_crossentropy",
                "metrics": ["accuracy"],
                "weighted_metrics": [keras.metrics.SparseTopKCategoricalAccuracy(2)],
            },
            {"x": x, "y": y, **arguments},
            {"x": x, "y": y, **arguments},
        )

    def test_one_hot_labels_and_their_class_weights(self, digits):
        x, y = digits.samples[:100], keras.utils.to_categorical(digits.labels[:100], 10)
        model = _seeded(lambda: zoo.classifier(_FAMILIES["feed forward"]().encoder, 10))
        arguments = {"x": x, "y": y, "class_weight": {3: 5.0, 7: 0.0}}
        _assert_equal(
            model,
            _plain(model),
            lambda: {
                "optimizer": keras.optimizers.Adam(1e-2),
                "loss": "categorical_crossentropy",
                "metrics": ["accuracy"],
            },
            arguments,
            arguments,
        )


class TestKerasLoop:
    """Where chunks do not apply, Keras' own loop runs, and both can follow each other."""

    def test_eager_execution(self, digits, recwarn):
        eager = []

        def loss(y, y_pred):
            eager.append(not hasattr(y_pred, "graph"))
            return ops.mean(ops.square(y - y_pred), axis=-1)

        x, model = digits.samples[:100], _seeded(_FAMILIES["feed forward"])
        start = _keep(model)
        model.compile(keras.optimizers.Adam(1e-2), loss, run_eagerly=True)
        assert not [w for w in recwarn if "jit_compile" in str(w.message)], "nobody asked for XLA"
        ours = model.fit(x, validation_data=x[:50], **_BATCHES | _SHORT).history
        assert len(eager) == 3 * (4 + 2)
        assert all(eager)
        _set(start)
        model.compile(keras.optimizers.Adam(1e-2), jit_compile=False)
        expected = model.fit(x, validation_data=x[:50], **_BATCHES | _SHORT).history
        for name, values in expected.items():
            np.testing.assert_allclose(ours[name], values, rtol=1e-5)

    def test_a_step_of_ones_own(self, digits):
        class Own(zoo.Autoencoder):
            def train_step(self, data):
                logs = super().train_step(data)
                return {**logs, "doubled": 2 * logs["loss"]}

            def test_step(self, data):
                return {**super().test_step(data), "own": ops.ones(())}

        parts = _seeded(_FAMILIES["feed forward"])
        model = Own(parts.encoder, parts.decoder)
        model.compile(jit_compile=False)
        history = model.fit(digits.samples[:100], validation_data=digits.samples[:50], **_BATCHES).history
        np.testing.assert_allclose(history["doubled"], np.multiply(history["loss"], 2), rtol=1e-6)
        assert history["val_own"] == [1.0, 1.0, 1.0]

    def test_batch_methods_after_fit(self, digits):
        """`fit` leaves nothing behind: neither chunks nor a number of steps per call."""
        x, model = digits.samples[:100], _seeded(_FAMILIES["feed forward"])
        model.compile(keras.optimizers.SGD(0.1), jit_compile=False)
        model.fit(x, **_BATCHES)
        expected = np.mean((model.reconstruct(x[:40]) - x[:40]) ** 2)
        np.testing.assert_allclose(model.test_on_batch(x[:40], x[:40]), expected, rtol=1e-5)
        np.testing.assert_allclose(model.predict(x, verbose=0), model.reconstruct(x), atol=1e-6)
        assert int(model.optimizer.iterations) == 12
        np.testing.assert_allclose(model.train_on_batch(x[:40], x[:40]), expected, rtol=1e-5)
        assert int(model.optimizer.iterations) == 13
        assert np.mean((model.reconstruct(x[:40]) - x[:40]) ** 2) < expected

    def test_inside_a_distribution_strategy(self, digits):
        """Keras builds a model made there on the first batch of its dataset, which chunks do not read."""
        with tf.distribute.MirroredStrategy(["CPU:0"]).scope():
            model = _seeded(_FAMILIES["feed forward"])
            model.compile(keras.optimizers.Adam(1e-2), metrics=["mae"], jit_compile=False)
        ours = model.fit(digits.samples[:100], **_BATCHES).history
        model = _seeded(_FAMILIES["feed forward"])
        model.compile(keras.optimizers.Adam(1e-2), metrics=["mae"], jit_compile=False)
        expected = keras.Model.fit(model, digits.samples[:100], **_BATCHES).history
        for name, values in expected.items():
            np.testing.assert_allclose(ours[name], values, rtol=1e-5)


class TestFiles:
    @pytest.mark.parametrize(("kind", "steps"), [("autoencoder", "auto"), ("classifier", "auto"), ("classifier", 2)])
    def test_a_loaded_model_goes_on_training(self, digits, tmp_path, kind, steps):
        """With the state of its optimizer, which a fresh one would not have, and the chunk length asked for."""
        model = _seeded(_FAMILIES["feed forward"])
        if kind == "classifier":
            model = zoo.classifier(model.encoder, 10)
        loss = "mse" if kind == "autoencoder" else "sparse_categorical_crossentropy"
        model.compile(keras.optimizers.Adam(1e-2), loss, jit_compile=False, steps_per_execution=steps)
        data = (digits.samples[:100],) if kind == "autoencoder" else (digits.samples[:100], digits.labels[:100])
        model.fit(*data, **_BATCHES)
        model.save(tmp_path / "model.keras")
        loaded = keras.saving.load_model(tmp_path / "model.keras")
        assert type(loaded) is type(model)
        assert loaded.get_compile_config()["steps_per_execution"] == steps
        assert loaded.jit_compile is False
        ours, expected = (m.fit(*data, **_BATCHES).history["loss"] for m in (loaded, model))
        np.testing.assert_allclose(ours, expected, rtol=1e-6)
