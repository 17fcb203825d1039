"""Callbacks of the compiled engine: how often they are called, that they work, and that they do not disturb it."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import zoo
from zoo.core.errors import ConfigError
from zoo.engine.steps import chunk_length, observes_batches, whole_divisor
from zoo.engine.tensorflow import ChunkCallbacks

_BATCHES = {"batch_size": 25, "epochs": 3, "shuffle": False, "verbose": 0}  # of 100 samples: four steps per epoch


@pytest.fixture(scope="module")
def compiled():
    """One model for all tests, whose compiled programs are kept, and the state it starts from."""
    keras.utils.set_random_seed(0)
    model = zoo.feed_forward((8, 8, 1), 4, (16,))
    model.compile(keras.optimizers.Adam(1e-2), jit_compile=False)
    model.optimizer.build(model.trainable_variables)
    return model, [(v, v.numpy()) for v in (*model.variables, *model.optimizer.variables)]


@pytest.fixture
def restart(compiled):
    """A function that brings the model back to its start and returns it."""

    def start():
        model, kept = compiled
        for variable, value in kept:
            variable.assign(value)
        model._initial_epoch = None  # Keras keeps what BackupAndRestore has set
        return model

    return start


@pytest.fixture
def x(digits):
    return digits.samples[:100]


@pytest.fixture
def held_out(digits):
    return digits.samples[100:150]


@pytest.fixture
def calls(monkeypatch):
    """List of the steps taken by each call of compiled training steps."""
    taken, end = [], ChunkCallbacks.on_train_batch_end

    def counted(self, batch, logs=None):
        before = self.taken
        end(self, batch, logs)
        taken.append(self.taken - before)

    monkeypatch.setattr(ChunkCallbacks, "on_train_batch_end", counted)
    return taken


class Recorder(keras.callbacks.Callback):
    """Looks at every batch, and keeps its number, the logs and the steps that the optimizer has taken."""

    def __init__(self):
        super().__init__()
        self.batches, self.losses, self.steps, self.weights = [], [], [], []

    def on_train_batch_end(self, batch, logs=None):
        self.batches.append(batch)
        self.losses.append(logs["loss"])
        self.steps.append(int(self.model.optimizer.iterations))

    def on_epoch_end(self, epoch, logs=None):
        self.weights.append(self.model.get_weights())


class CheckpointOfEveryBatch(keras.callbacks.ModelCheckpoint):
    def on_train_batch_end(self, batch, logs=None):
        """A method of one's own in a subclass of a callback of Keras."""


class TestChunkLength:
    def test_every_length_trains_alike(self, restart, x):
        """Shuffled, with a short last batch; 100 is more than an epoch has."""
        config, weights, histories = restart().get_config(), restart().get_weights(), {}
        for steps in (1, 2, 3, 100):
            model = zoo.from_config(config)
            model.set_weights(weights)
            model.compile(keras.optimizers.Adam(1e-2), jit_compile=False, steps_per_execution=steps)
            keras.utils.set_random_seed(1)
            arguments = _BATCHES | {"shuffle": True, "batch_size": 32}
            histories[steps] = model.fit(x, validation_data=x[:70], **arguments).history
            assert int(model.optimizer.iterations) == 12
        for steps, history in histories.items():
            assert history == histories[1], steps

    def test_explicit_length_is_what_callbacks_see(self, restart, x, calls):
        model = zoo.from_config(restart().get_config())
        model.compile(jit_compile=False, steps_per_execution=3)
        recorder = Recorder()
        model.fit(x, callbacks=[recorder], **_BATCHES | {"epochs": 2})
        assert calls == [3, 1, 3, 1]
        assert recorder.steps == [3, 4, 7, 8]
        assert recorder.batches == [2, 3, 2, 3]
        for wrong in (0, -1, 2.5, True):
            with pytest.raises(ConfigError, match="steps_per_execution must be a whole number of at least 1"):
                model.compile(steps_per_execution=wrong)

    @pytest.mark.parametrize(
        ("build", "single"),
        [
            (lambda path: Recorder(), True),
            (lambda path: keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: None), True),
            (lambda path: keras.callbacks.LambdaCallback(on_train_batch_begin=lambda batch, logs: None), True),
            (lambda path: keras.callbacks.ModelCheckpoint(path / "a.keras", save_freq=2), True),
            (lambda path: CheckpointOfEveryBatch(path / "a.keras"), True),
            (lambda path: [keras.callbacks.History(), [Recorder()]], True),
            (lambda path: keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: None), False),
            (lambda path: keras.callbacks.ModelCheckpoint(path / "a.keras"), False),
            (lambda path: keras.callbacks.BackupAndRestore(path / "b"), False),
            (lambda path: keras.callbacks.EarlyStopping("loss"), False),
            (lambda path: keras.callbacks.ReduceLROnPlateau("loss"), False),
            (lambda path: keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate), False),
            (lambda path: keras.callbacks.TerminateOnNaN(), False),
            (lambda path: keras.callbacks.CSVLogger(path / "log.csv"), False),
            (lambda path: [], False),
        ],
    )
    def test_single_steps_only_for_who_looks_at_every_batch(self, restart, x, calls, tmp_path, build, single):
        restart().fit(x, callbacks=build(tmp_path), **_BATCHES | {"epochs": 1})
        assert calls == ([1, 1, 1, 1] if single else [4])

    def test_the_logs_of_a_batch_are_the_means_so_far(self, restart, x):
        recorder, reference = Recorder(), Recorder()
        restart().fit(x, callbacks=recorder, **_BATCHES)
        keras.Model.fit(restart(), x, x, callbacks=[reference], **_BATCHES)
        assert recorder.batches == reference.batches == [0, 1, 2, 3] * 3
        np.testing.assert_allclose(recorder.losses, reference.losses, rtol=1e-5)

    def test_test_batches(self, restart, x):
        class Tests(keras.callbacks.Callback):
            seen = ()

            def on_test_batch_end(self, batch, logs=None):
                self.seen = (*self.seen, batch)

        tests = Tests()
        restart().evaluate(x, batch_size=30, callbacks=[tests], verbose=0)
        assert tests.seen == (0, 1, 2, 3)

    def test_automatic_length(self):
        """About the same work in every chunk; never more steps than there are, never fewer than one."""
        small, large = zoo.feed_forward((784,), 8), zoo.feed_forward((784,), 512, (1024,))
        assert chunk_length(small, 32, 4) == 4
        assert 1 <= chunk_length(large, 4096, 1000) <= 3
        for steps in (1, 7, 1875, 60_000):
            lengths = [chunk_length(model, 32, steps) for model in (small, large)]
            assert 1 <= lengths[1] <= lengths[0] <= steps

    def test_whole_divisor(self):
        for length, counts, expected in ((32, (None, 0), 32), (32, (3,), 3), (8, (12, 18), 6), (5, (7,), 1)):
            assert whole_divisor(length, *counts) == expected


class TestTheyWork:
    @pytest.mark.parametrize(
        "build",
        [
            lambda: keras.callbacks.ReduceLROnPlateau("loss", factor=0.1, patience=1, min_delta=10),
            lambda: keras.callbacks.LearningRateScheduler(lambda epoch, rate: 0.3 * rate),
            # The second epoch diverges, so the weights of the first one come back.
            lambda: [
                keras.callbacks.EarlyStopping("val_loss", patience=1, restore_best_weights=True),
                keras.callbacks.LearningRateScheduler(lambda epoch, rate: 1e-2 if epoch == 0 else 5.0),
            ],
        ],
        ids=["plateau", "scheduler", "early stopping"],
    )
    def test_as_in_keras(self, restart, x, held_out, build):
        model = restart()
        ours = model.fit(x, validation_data=held_out, callbacks=build(), **_BATCHES).history
        weights = model.get_weights()
        theirs = keras.Model.fit(
            restart(), x, x, validation_data=(held_out, held_out), callbacks=build(), **_BATCHES
        ).history
        assert set(ours) == set(theirs)
        assert len(set(theirs.get("learning_rate"))) > 1
        for name, values in theirs.items():
            np.testing.assert_allclose(ours[name], values, rtol=1e-5, err_msg=name)
        for ours, theirs in zip(weights, model.get_weights(), strict=True):
            np.testing.assert_allclose(ours, theirs, atol=1e-5)

    def test_restored_best_weights_are_the_best(self, restart, x, held_out):
        model = restart()
        stop = keras.callbacks.EarlyStopping("val_loss", patience=1, restore_best_weights=True)
        worse = keras.callbacks.LearningRateScheduler(lambda epoch, rate: 1e-2 if epoch < 2 else 5.0)
        history = model.fit(x, validation_data=held_out, callbacks=[stop, worse], **_BATCHES | {"epochs": 9}).history
        assert int(np.argmin(history["val_loss"])) == 1
        assert len(history["loss"]) == 3
        np.testing.assert_allclose(model.evaluate(held_out, verbose=0), history["val_loss"][1], rtol=1e-5)

    def test_model_checkpoint(self, restart, x, tmp_path):
        """Each file holds the weights at the end of its epoch."""
        recorder = Recorder()
        files = [
            keras.callbacks.ModelCheckpoint(tmp_path / "{epoch}.weights.h5", save_weights_only=True),
            keras.callbacks.ModelCheckpoint(tmp_path / "{epoch}.keras"),
        ]
        model = restart()
        model.fit(x, callbacks=[*files, recorder], **_BATCHES)
        assert len([*tmp_path.iterdir()]) == 6
        for epoch in (1, 3):
            restart().load_weights(tmp_path / f"{epoch}.weights.h5")
            loaded = keras.saving.load_model(tmp_path / f"{epoch}.keras")
            for weights in (model.get_weights(), loaded.get_weights()):
                for ours, expected in zip(weights, recorder.weights[epoch - 1], strict=True):
                    np.testing.assert_array_equal(ours, expected)

    def test_tensorboard(self, restart, x, held_out, calls, tmp_path):
        pytest.importorskip("tensorboard", reason="tensorboard is not installed, which Keras' callback writes with")
        assert observes_batches(keras.callbacks.TensorBoard(tmp_path, update_freq="batch"))
        board = keras.callbacks.TensorBoard(tmp_path, histogram_freq=1)
        history = restart().fit(x, validation_data=held_out, callbacks=[board], **_BATCHES).history
        assert calls == [4, 4, 4]
        for folder, name in (("train", "loss"), ("validation", "val_loss")):
            files = [str(path) for path in (tmp_path / folder).glob("events.out.tfevents*")]
            events = [tf.compat.v1.Event.FromString(e) for e in tf.data.TFRecordDataset(files).as_numpy_iterator()]
            values = [tf.make_ndarray(v.tensor) for e in events for v in e.summary.value if v.tag == "epoch_loss"]
            np.testing.assert_allclose(values, history[name], rtol=1e-6)

    def test_backup_and_restore(self, restart, x, tmp_path):
        """The resumed training ends as the uninterrupted one, optimizer state included."""

        def fail(epoch, logs):
            if epoch == 2:
                raise InterruptedError

        def fit(*more):
            backup = keras.callbacks.BackupAndRestore(tmp_path / "backup")
            return restart().fit(x, callbacks=[backup, *more], **_BATCHES | {"epochs": 4})

        expected = fit().history["loss"]
        with pytest.raises(InterruptedError):
            fit(keras.callbacks.LambdaCallback(on_epoch_begin=fail))
        resumed = fit()
        assert resumed.epoch == [2, 3]
        np.testing.assert_allclose(resumed.history["loss"], expected[2:], rtol=1e-6)

    def test_terminate_on_nan_stops_quietly(self, x):
        model = zoo.feed_forward((8, 8, 1), 4, output_activation="linear")
        model.compile(keras.optimizers.SGD(0.1), jit_compile=False)
        spoilt = np.where(np.arange(100)[:, None, None, None] == 60, np.float32(1e30), x)
        history = model.fit(spoilt, callbacks=[keras.callbacks.TerminateOnNaN()], **_BATCHES)
        assert len(history.epoch) == 1
        assert not np.isfinite(history.history["loss"][0])

    def test_stopping_in_the_middle_of_an_epoch(self, restart, x):
        def stop(batch, logs):
            model.stop_training = batch == 1

        model = restart()
        model.fit(x, callbacks=[keras.callbacks.LambdaCallback(on_train_batch_end=stop)], **_BATCHES)
        assert int(model.optimizer.iterations) == 2

    def test_progress_bar(self, restart, x, capsys):
        restart().fit(x, **_BATCHES | {"verbose": 1, "epochs": 2})
        out = capsys.readouterr().out
        assert out.count("Epoch") == 2
        assert "4/4" in out


class TestTheyDoNotDisturb:
    """A callback that uses the model in the middle of `fit` gets right numbers and leaves the training as it was."""

    @pytest.mark.parametrize("validation", [True, False])
    @pytest.mark.parametrize("verb", ["evaluate", "evaluate a dataset", "predict", "test_on_batch"])
    def test_using_the_model(self, restart, digits, x, held_out, verb, validation):
        other = digits.samples[200:280]
        dataset = tf.data.Dataset.from_tensor_slices(other).batch(16)

        class Use(keras.callbacks.Callback):
            def on_epoch_end(self, epoch, logs=None):
                model = self.model
                result = {
                    "evaluate": lambda: model.evaluate(other, verbose=0),
                    "evaluate a dataset": lambda: model.evaluate(dataset, verbose=0),
                    "predict": lambda: np.mean((model.predict(other, verbose=0) - other) ** 2),
                    "test_on_batch": lambda: model.test_on_batch(other, other),
                }[verb]()
                expected = np.mean((model.reconstruct(other) - other) ** 2)
                np.testing.assert_allclose(result, expected, rtol=1e-5)

        arguments = _BATCHES | ({"validation_data": held_out} if validation else {})
        expected = restart().fit(x, **arguments).history
        assert restart().fit(x, callbacks=[Use()], **arguments).history == expected
