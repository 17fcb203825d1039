import inspect

import keras
import numpy as np
import pytest
import tensorflow as tf

import zoo
from zoo.core.errors import ConfigError, DataError
from zoo.transfer import fine_tuning
from zoo.transfer.augmentation import with_copies

TWO_PHASES = {"head_epochs": 2, "epochs": 3, "verbose": 0}


def _changed(model, before):
    return [not np.array_equal(w.numpy(), b) for w, b in zip(model.weights, before, strict=True)]


def _classifier(units=6, **arguments):
    """Without XLA, whose compilation takes longer than these trainings."""
    keras.utils.set_random_seed(0)
    model = zoo.classifier(zoo.feed_forward((8, 8, 1), units).encoder, 10, **arguments)
    model.compile("adam", model.loss, metrics=["accuracy"], jit_compile=False)
    return model


class Recorder(keras.callbacks.Callback):
    """Everything that it is told."""

    def __init__(self):
        super().__init__()
        self.calls = []

    def on_train_begin(self, logs=None):
        self.calls.append(("begin", self.params["epochs"]))

    def on_epoch_begin(self, epoch, logs=None):
        self.calls.append((epoch, self.params["epochs"]))

    def on_train_end(self, logs=None):
        self.calls.append(("end", sorted(logs)))


class TestPhases:
    def test_is_two_calls_of_fit(self, encoder, digits):
        x, y = digits.samples[:60], digits.labels[:60]
        keras.utils.set_random_seed(1)
        ours = zoo.classifier(encoder, 10)
        start = ours.get_weights()
        history = zoo.fine_tune(
            ours, x, y, head_epochs=3, epochs=2, learning_rate=1e-3, batch_size=20, verbose=0, shuffle=False
        )
        assert history.epoch == [0, 1, 2, 3, 4]
        assert len(history.history["loss"]) == 5

        ours.set_weights(start)
        zoo.freeze(ours)
        ours.optimizer.learning_rate = 1e-2
        ours.compile(keras.optimizers.Adam(1e-2), "sparse_categorical_crossentropy", metrics=["accuracy"])
        expected = ours.fit(x, y, epochs=3, batch_size=20, verbose=0, shuffle=False).history["loss"]
        zoo.unfreeze(ours, 1e-3)
        expected += ours.fit(x, y, epochs=2, batch_size=20, verbose=0, shuffle=False).history["loss"]
        np.testing.assert_allclose(history.history["loss"], expected, rtol=1e-5)

    @pytest.mark.parametrize("frozen", [False, True])
    def test_ends_as_free_as_it_began(self, digits, frozen):
        model = _classifier(freeze_encoder=frozen)
        before = model.get_weights()
        zoo.fine_tune(model, digits.samples[:60], digits.labels[:60], **TWO_PHASES)
        assert model.encoder_frozen is frozen
        assert _changed(model, before)[:2] == [not frozen] * 2

    def test_also_after_an_interruption(self, digits):
        class Interruption(keras.callbacks.Callback):
            def on_epoch_end(self, epoch, logs=None):
                raise KeyboardInterrupt

        model, callback = _classifier(), Recorder()
        with pytest.raises(KeyboardInterrupt):
            zoo.fine_tune(model, digits.samples, digits.labels, callbacks=[callback, Interruption()], **TWO_PHASES)
        assert not model.encoder_frozen
        assert not {"on_train_begin", "on_train_end"} & set(vars(callback))
        before = model.get_weights()
        model.fit(digits.samples[:60], digits.labels[:60], verbose=0)
        assert _changed(model, before)[:2] == [True, True]

    def test_without_second_phase_the_encoder_is_as_it_was(self, encoder, digits):
        before = encoder.get_weights()
        model = zoo.classifier(encoder, 10)
        zoo.fine_tune(model, digits.subset(slice(0, 50)), head_epochs=2, epochs=0, verbose=0)
        assert not any(_changed(encoder, before))
        assert len(model.trainable_weights) == 8

    def test_a_loaded_one_that_was_not_compiled(self, digits, tmp_path):
        _classifier().save(tmp_path / "c.keras")
        model = keras.saving.load_model(tmp_path / "c.keras", compile=False)
        history = zoo.fine_tune(model, digits.samples[:60], digits.labels[:60], **TWO_PHASES)
        assert set(history.history) == {"loss", "accuracy"}


class TestCallbacks:
    """The two phases are one training to them."""

    def test_beginning_and_end_come_once(self, digits):
        callback, own = Recorder(), keras.callbacks.History()
        ends = []
        lambda_callback = keras.callbacks.LambdaCallback(on_train_end=lambda logs: ends.append(logs))
        history = zoo.fine_tune(
            _classifier(),
            digits.samples[:60],
            digits.labels[:60],
            callbacks=[callback, own, lambda_callback],
            **TWO_PHASES,
        )
        epochs = [(epoch, 5) for epoch in range(5)]
        assert callback.calls == [("begin", 5), *epochs, ("end", ["accuracy", "loss"])]
        assert history is own
        assert history.epoch == [0, 1, 2, 3, 4]
        assert len(ends) == 1
        assert "on_train_end" in vars(lambda_callback)

    def test_best_weights_of_both_phases(self, digits):
        x, y, held_out = digits.samples[:300], digits.labels[:300], (digits.samples[300:500], digits.labels[300:500])
        stop = keras.callbacks.EarlyStopping("val_accuracy", patience=50, restore_best_weights=True, mode="max")
        model = _classifier(16)
        history = zoo.fine_tune(
            model,
            x,
            y,
            head_epochs=15,
            epochs=2,
            learning_rate=30.0,
            validation_data=held_out,
            callbacks=stop,
            verbose=0,
        )
        accuracies = history.history["val_accuracy"]
        best = int(np.argmax(accuracies))
        assert best < 15, "the second phase is to be the worse one"
        assert max(accuracies) > accuracies[-1] + 0.1
        assert stop.best_epoch == best
        assert model.evaluate(*held_out, verbose=0)[1] == pytest.approx(max(accuracies), abs=1e-6)

    def test_patience_counts_on(self, digits):
        """From the last epoch of the first phase, whose value no other reaches."""
        values = iter([5, 4, 6, 7, 8, 9])

        class Falling(keras.callbacks.Callback):
            def on_epoch_end(self, epoch, logs=None):
                logs["falling"] = next(values)

        stop = keras.callbacks.EarlyStopping("falling", patience=3, mode="min")
        callbacks = [Falling(), stop]
        history = zoo.fine_tune(
            _classifier(),
            digits.samples[:60],
            digits.labels[:60],
            head_epochs=3,
            epochs=9,
            callbacks=callbacks,
            verbose=0,
        )
        assert history.epoch == [0, 1, 2, 3, 4]
        assert stop.stopped_epoch == 4

    def test_stopping_in_the_first_phase_ends_the_training(self, digits):
        held_out = (digits.samples[300:500], digits.labels[300:500])
        stop = keras.callbacks.EarlyStopping("val_loss", patience=1, restore_best_weights=True, min_delta=9, mode="min")
        recorder, model = Recorder(), _classifier()
        before = model.get_weights()
        history = zoo.fine_tune(
            model,
            *(digits.samples[:300], digits.labels[:300]),
            head_epochs=9,
            epochs=4,
            validation_data=held_out,
            callbacks=[stop, recorder],
            verbose=0,
        )
        assert history.epoch == [0, 1]
        assert recorder.calls[-1] == ("end", ["accuracy", "loss", "val_accuracy", "val_loss"])
        assert len(recorder.calls) == 4
        assert _changed(model, before)[:2] == [False, False]
        loss = model.evaluate(*held_out, verbose=0)[0]
        assert loss == pytest.approx(history.history["val_loss"][0], rel=1e-5), "best weights are those of the first"
        assert len(model.trainable_weights) == 6

    def test_checkpoint_and_schedules(self, digits, tmp_path):
        seen = []
        held_out = (digits.samples[300:500], digits.labels[300:500])
        model = _classifier()
        history = zoo.fine_tune(
            model,
            *(digits.samples[:300], digits.labels[:300]),
            validation_data=held_out,
            callbacks=[
                keras.callbacks.ModelCheckpoint(
                    tmp_path / "best.weights.h5", "val_loss", save_weights_only=True, save_best_only=True
                ),
                keras.callbacks.LearningRateScheduler(lambda epoch, rate: seen.append((epoch, rate)) or rate / 2),
            ],
            head_epochs=4,
            epochs=2,
            learning_rate=0.9,
            head_learning_rate=0.1,
            verbose=0,
        )
        rates = [0.1, 0.05, 0.025, 0.0125, 0.9, 0.45]
        assert seen == [(epoch, pytest.approx(rate)) for epoch, rate in enumerate(rates)]
        losses = history.history["val_loss"]
        assert min(losses) < losses[-1]
        with pytest.warns(UserWarning, match="optimizer"):
            model.load_weights(tmp_path / "best.weights.h5")
        assert model.evaluate(*held_out, verbose=0)[0] == pytest.approx(min(losses), rel=1e-5)

    def test_an_interrupted_training_goes_on(self, digits, tmp_path):
        class Interruption(keras.callbacks.Callback):
            def on_epoch_begin(self, epoch, logs=None):
                if epoch == self.at:
                    raise KeyboardInterrupt

        for at, expected in ((1, [1, 2, 3, 4]), (3, [3, 4])):
            interruption, model = Interruption(), _classifier()
            interruption.at = at
            backup = keras.callbacks.BackupAndRestore(tmp_path / f"{at}")
            arguments = {**TWO_PHASES, "callbacks": [backup, interruption]}
            with pytest.raises(KeyboardInterrupt):
                zoo.fine_tune(model, digits.samples[:60], digits.labels[:60], **arguments)
            interruption.at = None
            history = zoo.fine_tune(model, digits.samples[:60], digits.labels[:60], **arguments)
            assert history.epoch == expected


class TestValidation:
    def test_split_before_augmentation(self, digits):
        """Labels are noise: who has seen copies of the held-out samples knows them."""
        x, y = digits.samples[:60], np.random.default_rng(0).integers(0, 10, 60)
        model = _classifier(16)
        history = zoo.fine_tune(
            model,
            *(x, y),
            head_epochs=0,
            epochs=60,
            learning_rate=1e-2,
            augmentation=zoo.corruption.Gaussian(0.05),
            validation_split=0.3,
            verbose=0,
        ).history
        assert history["accuracy"][-1] > 0.95
        assert history["val_accuracy"][-1] < 0.35

    def test_the_share_is_that_of_keras(self, digits):
        x, y = digits.samples[:50], digits.labels[:50]
        weights = np.random.default_rng(0).random(50).astype("float32")
        losses = []
        for options in (
            {"x": x, "y": y, "sample_weight": weights, "validation_split": 0.25},
            {
                **{"x": x[:37], "y": y[:37], "sample_weight": weights[:37]},
                "validation_data": (x[37:], y[37:], weights[37:]),
            },
        ):
            model = _classifier()
            found = zoo.fine_tune(model, **options, **TWO_PHASES).history
            losses.append([*found["loss"], *found["val_loss"]])
            losses[-1] += model.fit(**options, batch_size=19, verbose=0).history["val_loss"]
        np.testing.assert_allclose(*losses, rtol=1e-5)

    def test_a_computed_head_does_not_learn_what_is_held_out(self, digits):
        x, y = digits.samples[:200], digits.labels[:200]
        models = [_classifier(), _classifier()]
        zoo.fine_tune(models[0], x, y, head="regression", epochs=0, validation_split=0.5)
        zoo.fine_tune(models[1], x[:100], y[:100], head="regression", epochs=0)
        np.testing.assert_array_equal(*(model.predict(x, verbose=0) for model in models))


class TestWeights:
    @pytest.mark.parametrize("augmentation", [None, {"type": "Gaussian", "stddev": 0.1}])
    def test_classes_and_samples(self, digits, augmentation):
        """A weight for a class is that weight for its samples, and nothing for the others is their absence."""
        x, y = digits.samples[:60], digits.labels[:60]
        options = {**TWO_PHASES, "augmentation": augmentation, "copies": 2, "batch_size": 200, "shuffle": False}
        weights = np.where(y == 3, 5.0, 1.0)
        losses = [
            zoo.fine_tune(_classifier(), x, y, **given, **options).history["loss"]
            for given in ({}, {"class_weight": {3: 5.0}}, {"sample_weight": weights})
        ]
        np.testing.assert_allclose(losses[1], losses[2], rtol=1e-6)
        assert losses[1][0] > 1.2 * losses[0][0]
        found = zoo.fine_tune(_classifier(), x, y, sample_weight=np.zeros(60), **options).history["loss"]
        np.testing.assert_array_equal(found, 0)

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"class_weight": np.ones(10)}, "class_weight must be a dictionary of classes from 0 to 9"),
            ({"class_weight": {-1: 2.0}}, "class_weight must be a dictionary of classes from 0 to 9"),
            ({"class_weight": {1: 2.0}, "sample_weight": np.ones(60)}, "cannot be combined with sample_weight"),
            ({"sample_weight": np.ones(61)}, "Received 60 samples and 61 entries"),
        ],
    )
    def test_wrong_weights(self, digits, arguments, message):
        with pytest.raises(DataError, match=message):
            zoo.fine_tune(_classifier(), digits.samples[:60], digits.labels[:60], augmentation="no matter", **arguments)


class TestForms:
    def test_all_are_the_same(self, digits):
        x, y = digits.samples[:60], digits.labels[:60]
        found = []
        for given in (
            (x, y),
            (digits.subset(slice(0, 60)),),
            (tf.data.Dataset.from_tensor_slices((x, y)).batch(7),),
            (iter([(x[:40], y[:40]), (x[40:], y[40:])]),),
        ):
            history = zoo.fine_tune(_classifier(), *given, validation_split=0.2, **TWO_PHASES)
            found.append(history.history["val_loss"])
        for other in found[1:]:
            np.testing.assert_allclose(other, found[0], rtol=1e-5)

    def test_raw_pixels(self, digits, tmp_path):
        zoo.save(zoo.feed_forward((8, 8, 1), 4), tmp_path / "kept")
        model = zoo.classifier(zoo.load_encoder(tmp_path / "kept", raw_input=True), 10)
        pixels = np.rint(digits.samples[:40] * 255).astype("uint8")
        augmentation = zoo.corruption.Affine(rotation=5)
        history = zoo.fine_tune(
            model, pixels, digits.labels[:40], head="discriminant", epochs=1, augmentation=augmentation, verbose=0
        )
        assert np.isfinite(history.history["loss"]).all()
        assert np.mean(model.predict(pixels, verbose=0).argmax(axis=1) == digits.labels[:40]) > 0.3
        with pytest.raises(DataError, match="takes raw pixels: expected dtype uint8. Received float32"):
            zoo.fine_tune(model, digits.samples[:40], digits.labels[:40])

    def test_samples_outside_the_unit_range(self):
        keras.utils.set_random_seed(0)
        rng = np.random.default_rng(0)
        y = np.repeat([0, 1], 30)
        x = rng.normal(size=(60, 4)) * 5 + y[:, None] * 20
        model = zoo.classifier(
            zoo.feed_forward((4,), 3, latent_activation="linear", output_activation="linear").encoder, 2
        )
        zoo.fine_tune(model, x, y, head="discriminant", epochs=0, augmentation=zoo.corruption.Gaussian(0.1))
        assert np.mean(model.predict(x, verbose=0).argmax(axis=1) == y) > 0.9


class TestBadInput:
    @pytest.mark.parametrize(
        ("x", "y", "message"),
        [
            (np.zeros((4, 8, 8, 3)), np.zeros(4, int), "number of channels differs"),
            (np.zeros((4, 8, 8, 1)), np.zeros(3, int), "Received 4 samples and 3 entries"),
            (np.zeros((4, 8, 8, 1)), None, "Labels are missing"),
            (np.full((4, 8, 8, 1), 200.0), np.zeros(4, int), "Divide 8-bit pixels by 255"),
            (np.full((4, 8, 8, 1), np.nan), np.zeros(4, int), "NaN or infinite values in 4 of 4 samples"),
        ],
    )
    def test_samples(self, encoder, x, y, message):
        with pytest.raises(DataError, match=message):
            zoo.fine_tune(zoo.classifier(encoder, 10), x, y)

    def test_arguments(self, digits):
        model = _classifier()
        with pytest.raises(ConfigError, match="head_epochs and epochs are both 0"):
            zoo.fine_tune(model, digits, head_epochs=0, epochs=0)
        with pytest.raises(ConfigError, match="epochs must be a whole number of at least 0. Received: epochs=-1"):
            zoo.fine_tune(model, digits, epochs=-1)
        with pytest.raises(ConfigError, match="takes a classifier, as zoo.classifier.*Received: Encoder"):
            zoo.fine_tune(model.get_encoder(), digits)
        with pytest.raises(TypeError, match="unexpected keyword argument 'calbacks'"):
            zoo.fine_tune(model, digits, head="regression", epochs=0, calbacks=[])

    def test_takes_what_fit_takes(self):
        ours = set(inspect.signature(zoo.fine_tune).parameters)
        assert set(inspect.signature(keras.Model.fit).parameters) - ours == {"self", "initial_epoch"}


class TestAugmentation:
    def test_copies_follow_the_samples(self, digits):
        x = digits.samples[:5]
        noise = {"type": "Gaussian", "stddev": 0.1}
        images = with_copies(x, noise, copies=3)
        assert images.shape == (20, 8, 8, 1)
        np.testing.assert_array_equal(images[:5], x)
        assert images.min() >= 0 and images.max() <= 1
        assert not np.array_equal(images[5:10], images[10:15])
        np.testing.assert_array_equal(with_copies(x, noise, copies=3), images)
        assert not np.array_equal(with_copies(x, noise, copies=3, seed=1)[5:], images[5:])

    def test_pixels_and_other_ranges(self, digits):
        noise = {"type": "Gaussian", "stddev": 0.1}
        pixels = np.rint(digits.samples[:5] * 255).astype("uint8")
        images = with_copies(pixels, noise, copies=1)
        assert images.dtype == "uint8"
        expected = with_copies(pixels.astype("float32") / 255, noise, copies=1)
        np.testing.assert_allclose(images / 255, expected, atol=0.5 / 255 + 1e-6)
        wide = with_copies(4 * digits.samples[:5] - 2, noise, copies=1)
        assert wide[5:].min() < -1.9 and wide[5:].max() > 1.9

    def test_one_label_per_class_is_enough_with_it(self, encoder, digits):
        one_each = digits.subset(np.unique(digits.labels, return_index=True)[1])
        model = zoo.classifier(encoder, 10)
        zoo.fine_tune(model, one_each, head="discriminant", epochs=0, augmentation=zoo.corruption.Affine(8, 0.5))
        assert (model.predict(one_each.samples, verbose=0).argmax(axis=1) == one_each.labels).mean() == 1


def test_equal_batches():
    assert fine_tuning.equal_batches(100) == 25
    assert fine_tuning.equal_batches(101) == 26
    assert fine_tuning.equal_batches(5) == 5
    assert fine_tuning.equal_batches(64, most=32) == 32
