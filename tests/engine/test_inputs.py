"""What the compiled engine makes of its data: order, validation, memory, streams, and samples that cannot be used."""

import gc
import sys

import keras
import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

import zoo
from zoo.core.errors import DataError, TrainingError
from zoo.engine.in_memory import ArrayChunks
from zoo.engine.inputs import Samples, take
from zoo.engine.tensorflow import ChunkState

_BATCHES = {"batch_size": 32, "epochs": 2, "verbose": 0}  # of 100 samples: three full batches and a short one


@pytest.fixture(scope="module")
def compiled():
    """One model for all tests, whose compiled programs are kept, and the state it starts from."""
    keras.utils.set_random_seed(0)
    model = zoo.feed_forward((8, 8, 1), 4, (16,))
    model.compile(keras.optimizers.SGD(1.0), jit_compile=False)
    model.optimizer.build(model.trainable_variables)
    return model, [(v, v.numpy()) for v in (*model.variables, *model.optimizer.variables)]


@pytest.fixture
def restart(compiled):
    """A function that brings the model back to its start and returns it; a learning rate of 0 keeps it there."""

    def start(learning_rate=1.0, seed=0):
        model, kept = compiled
        for variable, value in kept:
            variable.assign(value)
        model.optimizer.learning_rate = learning_rate
        keras.utils.set_random_seed(seed)
        return model

    return start


@pytest.fixture
def x(digits):
    return digits.samples[:100]


@pytest.fixture(scope="module")
def classifier():
    keras.utils.set_random_seed(0)
    model = zoo.classifier(zoo.feed_forward((8, 8, 1), 4).encoder, 10)
    model.compile(keras.optimizers.SGD(0.0), "sparse_categorical_crossentropy", jit_compile=False)
    return model


def _losses(model, x, **arguments):
    return model.fit(x, **_BATCHES | arguments).history["loss"]


def _chunks(x, **arguments):
    return ArrayChunks(ChunkState(), Samples(x, count=len(x)), **{"batch_size": 32, **arguments})


class TestOrder:
    @staticmethod
    def _order(chunks, epoch):
        return np.concatenate([part.ravel() for part in chunks.order(epoch)])

    def test_every_sample_once_in_every_epoch(self):
        for samples, batch_size in ((100, 32), (96, 32), (5, 32), (1, 1)):
            data = _chunks(np.zeros((samples, 2), "float32"), batch_size=batch_size, shuffle=True)
            for epoch in range(3):
                np.testing.assert_array_equal(np.sort(self._order(data, epoch)), np.arange(samples))
        plain = _chunks(np.zeros((100, 2), "float32"))
        np.testing.assert_array_equal(self._order(plain, 1), np.arange(100))
        assert [order.shape for order in plain.order(0)] == [(3, 32), (1, 4)]

    def test_every_epoch_has_its_own(self):
        """It follows from NumPy's seed and the epoch alone."""
        np.random.seed(3)
        data, other = (_chunks(np.zeros((100, 2), "float32"), shuffle=True) for _ in range(2))
        np.random.seed(3)
        again = _chunks(np.zeros((100, 2), "float32"), batch_size=7, shuffle=True)
        orders = [self._order(data, epoch) for epoch in range(4)] + [self._order(other, 0)]
        np.testing.assert_array_equal(self._order(again, 2), orders[2])
        for i, first in enumerate(orders):
            for second in orders[:i]:
                assert (first == second).sum() < 15  # one is expected; 15 has a probability of 3e-13

    def test_every_place_is_equally_likely(self):
        np.random.seed(0)
        data = _chunks(np.zeros((10, 2), "float32"), batch_size=3, shuffle=True)
        counts = np.zeros((10, 10))
        for epoch in range(3000):
            counts[np.arange(10), self._order(data, epoch)] += 1
        assert np.square(counts - 300).sum() / 300 < scipy.stats.chi2.ppf(1 - 1e-7, 81)

    def test_the_mean_is_over_all_samples(self, restart, x):
        """Targets and weights go with their samples, and the short batch weighs what it holds."""
        model, weight = restart(0.0), np.linspace(0, 2, 100)
        np.testing.assert_allclose(_losses(model, x), [model.reconstruction_error(x).mean()] * 2, rtol=1e-5)
        expected = [(np.square(model.reconstruct(x) - (1 - x)).reshape(100, -1).mean(axis=1) * weight).mean()] * 2
        np.testing.assert_allclose(_losses(model, x, y=1 - x, sample_weight=weight), expected, rtol=1e-5)

    def test_seeds(self, restart, x):
        first, again, other = (_losses(restart(seed=seed), x) for seed in (1, 1, 2))
        unshuffled = _losses(restart(seed=1), x, shuffle=False)
        assert first == again
        assert len({first[1], other[1], unshuffled[1]}) == 3

    def test_a_later_start_goes_on_with_the_same_orders(self, restart, x):
        expected = _losses(restart(), x, epochs=4)
        model = restart()
        _losses(model, x, epochs=2)
        keras.utils.set_random_seed(0)
        history = model.fit(x, initial_epoch=2, **_BATCHES | {"epochs": 4})
        assert history.epoch == [2, 3]
        np.testing.assert_allclose(history.history["loss"], expected[2:], rtol=1e-6)


class TestValidation:
    @pytest.mark.parametrize("share", [0.1, 0.33, 0.29])
    def test_split_takes_the_last_samples_as_keras_does(self, restart, x, share):
        ours = restart(0.0).fit(x, validation_split=share, **_BATCHES).history
        theirs = keras.Model.fit(restart(0.0), x, x, validation_split=share, **_BATCHES).history
        np.testing.assert_allclose(ours["val_loss"], theirs["val_loss"], rtol=1e-5)
        np.testing.assert_allclose(ours["loss"], theirs["loss"], rtol=1e-5)

    def test_frequency(self, restart, x):
        history = restart().fit(x, validation_data=x[:32], validation_freq=2, **_BATCHES | {"epochs": 5}).history
        assert (len(history["loss"]), len(history["val_loss"])) == (5, 2)

    def test_steps(self, restart, digits, x):
        model, held_out = restart(0.0), digits.samples[200:300]
        dataset = tf.data.Dataset.from_tensor_slices(held_out).batch(10)
        expected = model.reconstruction_error(held_out[:30]).mean()
        for data in (dataset, dataset.repeat(), held_out):
            history = model.fit(x, validation_data=data, validation_steps=3, validation_batch_size=10, **_BATCHES)
            np.testing.assert_allclose(history.history["val_loss"], [expected] * 2, rtol=1e-5)

    def test_labels_of_a_source(self, classifier, digits):
        """Also where Keras' own loop validates, because only some steps are asked for."""
        source = digits.subset(slice(0, 100))
        for steps, samples in ((None, 100), (2, 64)):
            history = classifier.fit(source, validation_data=source, validation_steps=steps, **_BATCHES).history
            expected = classifier.evaluate(source.samples[:samples], source.labels[:samples], verbose=0)
            np.testing.assert_allclose(history["val_loss"][1], expected[0], rtol=1e-5)
            result = classifier.evaluate(source, batch_size=32, steps=steps, verbose=0)
            np.testing.assert_allclose(result, expected, rtol=1e-5)


class TestMemory:
    def test_8_bit_pixels_train_like_floats(self, restart, digits):
        images = (digits.samples * 255).astype("uint8")
        train, held_out = (zoo.data.Source(images[part]) for part in (slice(100), slice(100, 150)))
        ours = restart().fit(train, validation_data=held_out, **_BATCHES).history
        expected = restart().fit(train.pixels(), validation_data=held_out.pixels(), **_BATCHES).history
        for name, values in expected.items():
            np.testing.assert_allclose(ours[name], values, rtol=1e-5)
        chunks = ArrayChunks(ChunkState(), take(restart().contract, train), batch_size=32)
        assert chunks.data["pixels"].dtype == "uint8"

    @pytest.mark.parametrize("xla", [True, False])
    def test_it_is_shared_where_it_is_aligned(self, x, xla):
        """TensorFlow's kernels want 64 bytes, XLA 16; anything else must be copied, or the process aborts."""
        memory = np.zeros(x.nbytes + 128, "uint8")
        start = -memory.ctypes.data % 64
        for offset, shared in ((0, True), (16, xla), (4, False)):
            array = memory[start + offset : start + offset + x.nbytes].view("float32").reshape(x.shape)
            array[:] = x
            chunks = _chunks(array, xla=xla)
            array[3, 0, 0] = 0.123
            held = np.asarray(memoryview(chunks.data["x"]))
            assert (held[3, 0] == np.float32(0.123)) == shared, offset
        array.flags.writeable = False
        held = np.asarray(memoryview(_chunks(array, xla=xla).data["x"]))
        np.testing.assert_array_equal(held, array.reshape(100, -1))

    @pytest.mark.parametrize("xla", [True, False])
    def test_any_array_trains_alike(self, restart, x, xla):
        model, start = restart(), restart().get_weights()
        if xla:
            model = zoo.from_config(model.get_config())
            model.compile(keras.optimizers.SGD(1.0))
        misaligned, constant = np.zeros(x.nbytes + 4, "uint8")[4:].view("float32").reshape(x.shape), x.copy()
        misaligned[:] = x
        constant.flags.writeable = False
        views = {
            "misaligned": misaligned,
            "read-only": constant,
            "strided": np.repeat(x, 2, axis=0)[::2],
            "Fortran order": np.asfortranarray(x),
            "float64": x.astype("float64"),
            "big-endian": x.astype(">f4"),
            "tensor": tf.constant(x),
        }
        losses = {}
        for name, array in {"plain": x, **views}.items():
            model.set_weights(start)
            keras.utils.set_random_seed(0)
            losses[name] = _losses(model, array)
        assert all(loss == losses["plain"] for loss in losses.values()), losses

    def test_labels_of_any_integer_type(self, classifier, digits):
        x, y = digits.samples[:100], digits.labels[:100]
        expected = classifier.evaluate(x, y, verbose=0)
        for labels in (*map(y.astype, ("uint8", "int32", ">i8", "float32")), y[:, None], list(y)):
            np.testing.assert_allclose(classifier.evaluate(x, labels, verbose=0), expected, rtol=1e-6)

    def test_it_is_given_back_after_fit(self, restart, x):
        x = x.copy()
        before = sys.getrefcount(x)
        _losses(restart(), x, validation_data=x)
        gc.collect()
        assert sys.getrefcount(x) == before


class TestBadInput:
    def test_lengths_and_shares(self, classifier, digits, x):
        with pytest.raises(DataError, match="y must have one entry per sample. Received 100 samples and 99 entries"):
            classifier.fit(x, digits.labels[:99], **_BATCHES)
        with pytest.raises(DataError, match="sample_weight must have one entry per sample"):
            classifier.fit(x, digits.labels[:100], sample_weight=np.ones(101), **_BATCHES)
        for share in (0.999, 1.0, 1.5, -0.1):
            with pytest.raises(DataError, match="validation_split must leave samples on both sides"):
                classifier.fit(x, digits.labels[:100], validation_split=share, **_BATCHES)
        with pytest.raises(DataError, match="empty"):
            classifier.fit(x[:0], digits.labels[:0], **_BATCHES)

    def test_a_classifier_looks_at_its_samples_first(self, classifier, digits, x):
        """Else they would show up as a training that diverged, with the advice to lower the learning rate."""
        spoilt = np.where(np.arange(100)[:, None, None, None] == 7, np.float32("nan"), x)
        with pytest.raises(DataError, match="index 7"):
            classifier.fit(spoilt, digits.labels[:100], **_BATCHES)
        with pytest.raises(DataError, match="10"):
            classifier.fit(x, digits.labels[:100] + 1, **_BATCHES)

    @pytest.mark.parametrize(("index", "step"), [(0, 1), (57, 2), (99, 4)])
    @pytest.mark.parametrize("steps_per_execution", ["auto", 3])
    def test_a_loss_that_is_not_finite_is_located(self, x, index, step, steps_per_execution):
        """Number 99 is in the short last batch, which is a loop of its own."""
        model = zoo.feed_forward((8, 8, 1), 4, output_activation="linear")
        model.compile(keras.optimizers.SGD(0.1), jit_compile=False, steps_per_execution=steps_per_execution)
        spoilt = np.where(np.arange(100)[:, None, None, None] == index, np.float32(1e30), x)
        weights = model.get_weights()
        for epoch in (1, 3):
            model.set_weights(weights)
            with pytest.raises(TrainingError, match=f"The loss became (nan|inf) at step {step} of epoch {epoch}:"):
                model.fit(spoilt, shuffle=False, initial_epoch=epoch - 1, **_BATCHES | {"epochs": epoch})

    def test_a_training_that_diverges(self, restart, digits, x):
        """In the second epoch, whose first step spoils the weights. The model trains on once they are restored."""
        model = zoo.feed_forward((8, 8, 1), 4, output_activation="linear")
        model.compile(keras.optimizers.SGD(0.1), jit_compile=False)
        weights = model.get_weights()
        rate = keras.callbacks.LearningRateScheduler(lambda epoch: 0.1 if epoch == 0 else 1e30)
        # Keras' loop shows the end of the call only.
        for data, step in ((x, "[23]"), (tf.data.Dataset.from_tensor_slices(x).batch(32), "4")):
            with pytest.raises(TrainingError, match=f"step {step} of epoch 2"):
                model.fit(data, callbacks=[rate], **_BATCHES)
            model.set_weights(weights)
        model.compile(keras.optimizers.SGD(0.1), jit_compile=False)
        assert np.isfinite(_losses(model, x)).all()

    def test_a_dataset_without_a_whole_batch(self, restart, classifier, digits, x):
        for model, data in ((restart(), x), (classifier, (x, digits.labels[:100]))):
            with pytest.raises(DataError, match="empty"):
                model.fit(tf.data.Dataset.from_tensor_slices(data).batch(200, drop_remainder=True), verbose=0)


class TestDatasetsAndGenerators:
    def test_no_more_steps_than_asked_for(self, restart, x):
        def batches():
            while True:
                yield (x[:32],)

        for data in (batches(), tf.data.Dataset.from_tensor_slices(x).batch(20).repeat(), x):
            model = restart()
            model.fit(data, steps_per_epoch=3, epochs=2, verbose=0)
            assert int(model.optimizer.iterations) == 6

    @pytest.mark.filterwarnings("ignore:The structure of `inputs`")
    def test_batch_size_of_what_is_no_array(self, classifier, digits, x):
        before = int(classifier.optimizer.iterations)
        classifier.fit({"image": x}, digits.labels[:100], **_BATCHES | {"batch_size": 10})
        assert int(classifier.optimizer.iterations) == before + 20

    def test_a_dataset_of_unknown_length(self, restart, x):
        dataset = tf.data.Dataset.from_tensor_slices(x).batch(32).filter(lambda batch: True)
        assert dataset.cardinality() == tf.data.UNKNOWN_CARDINALITY
        model = restart()
        losses = model.fit(dataset, epochs=2, verbose=0).history["loss"]
        assert int(model.optimizer.iterations) == 8
        np.testing.assert_allclose(losses, _losses(restart(), x, shuffle=False), rtol=1e-5)

    def test_steps_of_evaluate_after_a_stream(self, restart, x):
        """`fit` on a dataset takes many steps per call; that number must not outlive it."""
        model, dataset = restart(0.0), tf.data.Dataset.from_tensor_slices(x).batch(20)
        model.fit(dataset, verbose=0)
        for data in (dataset, x):
            result = model.evaluate(data, batch_size=20 if data is x else None, steps=3, verbose=0)
            np.testing.assert_allclose(result, model.reconstruction_error(x[:60]).mean(), rtol=1e-5)
