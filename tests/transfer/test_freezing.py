import keras
import numpy as np
import pytest

import zoo

LABELLED = "sparse_categorical_crossentropy"


def _changed(model, before):
    return [not np.array_equal(w.numpy(), b) for w, b in zip(model.weights, before, strict=True)]


def own_loss(y, probabilities):
    return 2 * keras.losses.sparse_categorical_crossentropy(y, probabilities)


class OwnLoss(keras.losses.Loss):
    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def call(self, y, probabilities):
        return self.factor * keras.losses.sparse_categorical_crossentropy(y, probabilities)


class OwnMetric(keras.metrics.Mean):
    def __init__(self):
        super().__init__(name="largest")

    def update_state(self, y, probabilities, sample_weight=None):
        return super().update_state(keras.ops.max(probabilities, axis=-1), sample_weight)


class OwnSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """Without `get_config`: it cannot be serialised."""

    def __call__(self, step):
        return 0.01 / (1.0 + keras.ops.cast(step, "float32"))


class OwnOptimizer(keras.optimizers.SGD):
    pass


class WithoutConfig(keras.optimizers.SGD):
    """Its `get_config`, SGD's, does not fit its constructor."""

    def __init__(self, boost):
        super().__init__(0.1 * boost)


@pytest.fixture
def plain():
    keras.utils.set_random_seed(0)
    return zoo.classifier(zoo.feed_forward((8, 8, 1), 6).encoder, 10)


class TestEncoder:
    def test_frozen_encoder_does_not_move_and_unfrozen_does(self, encoder, digits):
        model = zoo.classifier(encoder, 10)
        x, y = digits.samples[:64], digits.labels[:64]
        before = encoder.get_weights()
        assert zoo.freeze(model) is model
        model.fit(x, y, verbose=0)
        assert not any(_changed(encoder, before))
        assert zoo.unfreeze(model, learning_rate=5e-4) is model
        assert float(model.optimizer.learning_rate) == pytest.approx(5e-4)
        assert model.jit_compile is True
        model.fit(x, y, verbose=0)
        assert sum(_changed(encoder, before)) == 4, "batch normalisation keeps the statistics of its pretraining"

    def test_a_layer_frozen_by_hand_stays_frozen(self, digits):
        encoder = zoo.feed_forward((8, 8, 1), 6, (12,)).encoder
        first = encoder.layers[2]
        first.trainable = False
        model = zoo.classifier(encoder, 10)
        before = encoder.get_weights()
        zoo.unfreeze(zoo.freeze(model), 0.01)
        model.fit(digits.samples[:64], digits.labels[:64], verbose=0)
        zoo.fine_tune(model, digits.samples[:64], digits.labels[:64], head_epochs=1, epochs=1, verbose=0)
        assert _changed(encoder, before) == [False, False, True, True]
        assert not first.trainable

    @pytest.mark.parametrize("kind", ["autoencoder", "encoder", "own model"])
    def test_flags_come_back_exactly(self, digits, kind):
        autoencoder = zoo.feed_forward((8, 8, 1), 6, (12,))
        encoder = autoencoder.encoder
        encoder.layers[2].trainable = False
        model = {
            "autoencoder": autoencoder,
            "encoder": encoder,
            "own model": keras.Sequential([encoder, keras.layers.Dense(2)]),
        }[kind]
        flags = [layer.trainable for layer in encoder.layers]
        zoo.freeze(zoo.freeze(model))
        assert not encoder.trainable
        assert not any(layer.trainable for layer in encoder.layers)
        if kind == "own model":
            assert model.layers[-1].trainable
        zoo.unfreeze(model)
        assert encoder.trainable
        assert [layer.trainable for layer in encoder.layers] == flags
        encoder.layers[2].trainable = True  # and the new flags, the next time
        zoo.unfreeze(zoo.freeze(model))
        assert all(layer.trainable for layer in encoder.layers)

    def test_unfreeze_undoes_every_way_to_freeze_the_whole(self, digits):
        x, y = digits.samples[:64], digits.labels[:64]
        for make in (
            lambda encoder: zoo.classifier(encoder, 10, freeze_encoder=True),
            lambda encoder: setattr(encoder, "trainable", False) or zoo.classifier(encoder, 10),
        ):
            encoder = zoo.feed_forward((8, 8, 1), 6).encoder
            model = make(encoder)
            before = encoder.get_weights()
            model.fit(x, y, verbose=0)
            assert _changed(encoder, before) == [False, False]
            zoo.unfreeze(model).fit(x, y, verbose=0)
            assert _changed(encoder, before) == [True, True]

    def test_autoencoder_with_a_loss_of_its_own(self, digits):
        def loss(x, reconstruction):
            return keras.ops.mean(keras.ops.abs(x - reconstruction), axis=-1)

        model = zoo.feed_forward((8, 8, 1), 4)
        model.compile(keras.optimizers.RMSprop(1e-3, rho=0.7), loss, metrics=[OwnMetric()])
        zoo.freeze(model)
        before = model.get_weights()
        model.fit(digits.samples[:64], verbose=0)
        assert _changed(model, before) == [False, False, True, True]
        assert model.loss is loss
        zoo.unfreeze(model, 0.01)
        assert (model.optimizer.rho, float(model.optimizer.learning_rate)) == (0.7, pytest.approx(0.01))
        history = model.fit(digits.samples[:64], verbose=0).history
        assert set(history) == {"loss", "largest"}
        assert _changed(model, before) == [True] * 4

    def test_what_was_not_compiled_stays_so(self):
        model = zoo.feed_forward((8, 8, 1), 4)
        assert zoo.unfreeze(zoo.freeze(model)).compiled is False


class TestCompiledObjects:
    @pytest.mark.parametrize(
        "loss", [own_loss, lambda y, p: own_loss(y, p), OwnLoss(2.0), LABELLED], ids=["function", "lambda", "Loss", ""]
    )
    def test_loss_and_metrics(self, plain, digits, loss):
        x, y = digits.samples[:64], digits.labels[:64]
        metric = OwnMetric()
        options = {
            "metrics": [metric, own_loss],
            "weighted_metrics": ["accuracy"],
            "loss_weights": 0.5,
            "jit_compile": False,
            "steps_per_execution": 2,
        }
        plain.compile("sgd", loss, **options)
        expected = plain.evaluate(x, y, verbose=0, return_dict=True)
        assert set(expected) == {"loss", "largest", "own_loss", "accuracy"}
        for change in (zoo.freeze, zoo.unfreeze):
            change(plain)
            assert plain.loss is loss
            assert plain.jit_compile is False
            assert plain.engine.steps_per_execution == 2
            found = plain.evaluate(x, y, verbose=0, return_dict=True)
            assert found == {name: pytest.approx(value, rel=1e-5) for name, value in expected.items()}
            assert float(metric.result()) == pytest.approx(found["largest"]), "the very object"
            metric.reset_state()
        history = zoo.fine_tune(plain, x, y, head_epochs=1, epochs=1, verbose=0).history
        assert set(history) == set(expected)
        assert plain.loss is loss
        zeros = zoo.fine_tune(plain, x, y, sample_weight=np.zeros(64), head_epochs=1, epochs=1, verbose=0).history
        assert zeros["accuracy"] == [0, 0], "a weighted metric"
        assert min(zeros["own_loss"]) > 0, "one that is not"

    def test_automatic_chunks_and_eager_mode(self, plain):
        zoo.freeze(plain)
        assert plain.get_compile_config()["steps_per_execution"] == "auto"
        plain.compile("sgd", LABELLED, run_eagerly=True, jit_compile=False)
        assert zoo.unfreeze(plain).run_eagerly is True

    @pytest.mark.parametrize(
        ("optimizer", "settings"),
        [
            (lambda: keras.optimizers.SGD(0.1, momentum=0.8, nesterov=True), {"momentum": 0.8, "nesterov": True}),
            (lambda: keras.optimizers.AdamW(0.1, weight_decay=0.3, clipnorm=2.0), {"weight_decay": 0.3, "clipnorm": 2}),
            (
                lambda: keras.optimizers.Adam(0.1, use_ema=True, ema_momentum=0.5),
                {"use_ema": True, "ema_momentum": 0.5},
            ),
            (lambda: OwnOptimizer(0.1, momentum=0.7), {"momentum": 0.7, "__class__": OwnOptimizer}),
        ],
    )
    def test_optimizer(self, plain, digits, optimizer, settings):
        x, y = digits.samples[:64], digits.labels[:64]
        given = optimizer()
        plain.compile(given, LABELLED)
        zoo.freeze(plain)
        plain.fit(x, y, verbose=0)
        zoo.unfreeze(plain)
        assert int(plain.optimizer.iterations) == 0, "a fresh state"
        zoo.fine_tune(plain, x, y, head_epochs=1, epochs=1, verbose=0)
        assert {name: getattr(plain.optimizer, name) for name in settings} == settings
        assert float(plain.optimizer.learning_rate) == pytest.approx(2e-4)
        assert float(given.learning_rate) == pytest.approx(0.1), "the object that was given is as it was"

    def test_freeze_keeps_the_optimizer_and_its_state(self, plain, digits):
        given = keras.optimizers.SGD(0.1, momentum=0.9)
        plain.compile(given, LABELLED)
        plain.fit(digits.samples[:64], digits.labels[:64], verbose=0)
        zoo.freeze(plain)
        assert plain.optimizer is given
        plain.fit(digits.samples[:64], digits.labels[:64], verbose=0)
        assert int(given.iterations) == 4

    @pytest.mark.parametrize("schedule", [keras.optimizers.schedules.ExponentialDecay(0.01, 1, 0.5), OwnSchedule()])
    @pytest.mark.parametrize("wrapped", [False, True])
    def test_schedule(self, plain, digits, schedule, wrapped):
        x, y = digits.samples[:64], digits.labels[:64]

        def compiled():
            inner = keras.optimizers.SGD(schedule, momentum=0.5)
            plain.compile(keras.optimizers.LossScaleOptimizer(inner, initial_scale=8.0) if wrapped else inner, LABELLED)

        def inner():
            return plain.optimizer.inner_optimizer if wrapped else plain.optimizer

        compiled()
        rates = [float(schedule(step)) for step in range(3)]
        for change in (zoo.freeze, zoo.unfreeze, lambda m: zoo.fine_tune(m, x, y, head_epochs=1, epochs=1, verbose=0)):
            change(plain)
            assert inner().momentum == 0.5
            step = int(inner().iterations)
            assert float(plain.optimizer.learning_rate) == pytest.approx(rates[step])
        assert step == 2, "two steps of the second phase: the schedule began anew"
        if wrapped:
            assert plain.optimizer.initial_scale == 8
        zoo.unfreeze(plain, 0.125)
        assert float(plain.optimizer.learning_rate) == 0.125
        compiled()
        zoo.unfreeze(plain, keras.optimizers.schedules.PolynomialDecay(0.25, 10))
        assert float(plain.optimizer.learning_rate) == 0.25

    def test_weights_without_decay_stay_without(self, plain, digits):
        optimizer = keras.optimizers.AdamW(0.0, weight_decay=0.5)
        optimizer.exclude_from_weight_decay(var_names=["kernel"])
        plain.compile(optimizer, LABELLED)
        bias, kernel = plain.layers[-1].bias, plain.layers[-1].kernel
        bias.assign(np.ones(10))
        before = kernel.numpy()
        zoo.unfreeze(plain, 1e-3)
        plain.optimizer.learning_rate = 1.0
        plain.optimizer.apply([keras.ops.zeros_like(w) for w in (kernel, bias)], [kernel, bias])
        np.testing.assert_array_equal(kernel, before)
        np.testing.assert_allclose(bias, 0.5 * np.ones(10))

    def test_several_optimizers(self, plain, digits):
        x, y = digits.samples[:64], digits.labels[:64]
        by_path = keras.optimizers.OptimizerMap(keras.optimizers.SGD(0.1), {"dense.*": keras.optimizers.Adam(0.01)})
        plain.compile(keras.optimizers.MultiOptimizer(by_path), LABELLED)
        zoo.fine_tune(plain, x, y, head_epochs=1, epochs=1, verbose=0)
        zoo.unfreeze(zoo.freeze(plain)).fit(x, y, verbose=0)
        found = {type(one).__name__: float(one.learning_rate) for one in plain.optimizer.optimizers}
        assert found == {"SGD": pytest.approx(0.1), "Adam": pytest.approx(0.01)}

    def test_an_optimizer_that_cannot_be_made_anew_is_kept(self, plain, digits):
        optimizer = WithoutConfig(2)
        plain.compile(optimizer, LABELLED)
        before = plain.get_weights()
        history = zoo.fine_tune(plain, digits.samples[:64], digits.labels[:64], head_epochs=1, epochs=1, verbose=0)
        assert plain.optimizer is optimizer
        assert int(optimizer.iterations) == 4
        assert float(optimizer.learning_rate) == pytest.approx(2e-4)
        assert len(history.epoch) == 2
        assert _changed(plain, before)[:2] == [True, True]

    def test_a_model_that_is_not_ours(self, digits):
        model = keras.Sequential([zoo.feed_forward((8, 8, 1), 6).encoder, keras.layers.Dense(10, "softmax")])
        metric = OwnMetric()
        model.compile(keras.optimizers.SGD(0.1, momentum=0.3), own_loss, metrics=[metric])
        before = model.get_weights()
        zoo.freeze(model).fit(digits.samples[:64], digits.labels[:64], verbose=0)
        assert _changed(model, before) == [False, False, True, True]
        zoo.unfreeze(model)
        history = model.fit(digits.samples[:64], digits.labels[:64], verbose=0).history
        assert set(history) == {"loss", "largest"}
        assert model.loss is own_loss
        assert model.optimizer.momentum == 0.3
        assert _changed(model, before) == [True] * 4
