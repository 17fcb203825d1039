"""Every form of samples through every method: numbers as for arrays, or the sentence that arrays get.

A model that learns at rate 0 stays as it is, so that each method has one right answer.
"""

import re

import keras
import numpy as np
import pandas
import pytest
import tensorflow as tf

import zoo
from zoo.core.errors import ConfigError, DataError
from zoo.data.stream import Stream
from zoo.transfer.fine_tuning import Classifier

_SAMPLES, _BATCH = 40, 16  # two whole batches and a short one
_QUIET = {"verbose": 0}


class Batches(keras.utils.PyDataset):
    """x, (x, y) or (x, y, sample_weight), by batches."""

    def __init__(self, *arrays, **options):
        super().__init__(**options)
        self.arrays = arrays

    def __len__(self):
        return -(-len(self.arrays[0]) // _BATCH)

    def __getitem__(self, index):
        batch = tuple(a[_BATCH * index : _BATCH * (index + 1)] for a in self.arrays)
        return batch if len(batch) > 1 else batch[0]


class Endless(Batches):
    @property
    def num_batches(self):
        return None

    def __getitem__(self, index):
        return super().__getitem__(index % 2)


class OldSequence:
    """As Keras 2 had them: `len` and indices, and no base class."""

    def __init__(self, *arrays):
        self._batches = Batches(*arrays)

    def __len__(self):
        return len(self._batches)

    def __getitem__(self, index):
        return self._batches[index]


class Stored:
    """Images that a Stream reads; the one at `broken` cannot be read."""

    def __init__(self, images, broken=None):
        self.images, self.broken = images, broken

    def __len__(self):
        return len(self.images)

    def examples(self, shape=None, seed=None, skip=0):
        for number in range(skip, len(self)):
            if number == self.broken:
                raise DataError("number 20 cannot be read")
            yield self.images[number], None

    def part(self, begin, end):
        return Stored(self.images[begin:end], self.broken)


def _named(x, y=None, sample_weight=None):
    arrays = {"image": x, "label": y, "sample_weight": sample_weight}
    return {name: array for name, array in arrays.items() if array is not None}


def _dataset(*arrays):
    return tf.data.Dataset.from_tensor_slices(arrays if len(arrays) > 1 else arrays[0])


def _of_unknown_shape(*arrays):
    batches = Batches(*arrays)
    first = batches[0] if len(arrays) > 1 else arrays[0]
    types = tuple(a.dtype for a in first) if len(arrays) > 1 else first.dtype
    return tf.data.Dataset.from_generator(lambda: (batches[i] for i in range(len(batches))), output_types=types)


def _flow(*arrays):
    x, y, sample_weight = (*arrays, None, None)[:3]
    flow = tf.keras.preprocessing.image.ImageDataGenerator().flow
    return flow(x, y, batch_size=_BATCH, sample_weight=sample_weight, shuffle=False)


# Form -> function of (x[, y[, sample_weight]]).
_BATCHED = {
    "dataset": lambda *arrays: _dataset(*arrays).batch(_BATCH),
    "dataset of single samples": _dataset,
    "dataset of dictionaries": lambda *arrays: tf.data.Dataset.from_tensor_slices(_named(*arrays)).batch(_BATCH),
    "dataset of unknown length": lambda *arrays: _dataset(*arrays).batch(_BATCH).filter(lambda *batch: True),
    "dataset of unknown shape": _of_unknown_shape,
    "generator": lambda *arrays: iter([Batches(*arrays)[i] for i in range(len(Batches(*arrays)))]),
    "generator of lists": lambda *arrays: (
        list(batch) if len(arrays) > 1 else batch for batch in map(Batches(*arrays).__getitem__, range(3))
    ),
    "PyDataset": Batches,
    "Keras 2 sequence": OldSequence,
    "image flow": _flow,
}
_IN_MEMORY = {
    "list": lambda *arrays: list(arrays[0]),
    "tensor": lambda *arrays: tf.constant(arrays[0]),
    "dictionary": _named,
}
_ONCE = ("generator", "generator of lists")  # each method gets a new one


@pytest.fixture(scope="module")
def x(digits):
    return digits.samples[:_SAMPLES]


@pytest.fixture(scope="module")
def y(digits):
    return digits.labels[:_SAMPLES]


@pytest.fixture(scope="module")
def weight():
    return np.linspace(0, 2, _SAMPLES, dtype="float32")


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    model = zoo.feed_forward((8, 8, 1), 4)
    # One step per call is the smallest program to trace.
    model.compile(keras.optimizers.SGD(0.0), jit_compile=False, steps_per_execution=1)
    return model


@pytest.fixture(scope="module")
def classifier(model):
    """Without batch normalisation, whose statistics move at any rate."""
    inputs = keras.Input((8, 8, 1))
    made = Classifier(inputs, keras.layers.Dense(10, "softmax")(model.encoder(inputs)))
    made.compile(keras.optimizers.SGD(0.0), "sparse_categorical_crossentropy", jit_compile=False, steps_per_execution=1)
    return made


def _losses(model, x):
    """Method -> function of the given form, for what gives the mean loss; `x` are good samples."""
    return {
        "fit": lambda given, **more: model.fit(given, batch_size=_BATCH, **_QUIET, **more).history["loss"][0],
        "validation_data": lambda given, **more: model.fit(
            x[0], x[1], validation_data=given, validation_batch_size=_BATCH, **_QUIET, **more
        ).history["val_loss"][0],
        "evaluate": lambda given, **more: model.evaluate(given, batch_size=_BATCH, **_QUIET, **more),
    }


def _arrays(model):
    """Method -> function of the given form, for what gives one row per sample."""
    return {
        "predict": lambda given: model.predict(given, **_QUIET),
        "encode": model.encode,
        "reconstruct": model.reconstruct,
        "reconstruction_error": model.reconstruction_error,
    }


def _entropy(classifier, x, y):
    probabilities = classifier.predict(x, **_QUIET)
    return -np.log(probabilities[np.arange(len(y)), y])


def _assert_refused(methods, make, message):
    """All `methods` refuse what `make()` gives with the same sentence."""
    for name, method in methods.items():
        with pytest.raises(DataError) as caught:
            method(make())
        prefix = r"(In (a batch of )?(x|validation_data): )?"
        assert re.fullmatch(prefix + message, str(caught.value)), (name, str(caught.value))


class TestNumbers:
    @pytest.mark.parametrize("form", [*_BATCHED, *_IN_MEMORY])
    def test_an_autoencoder(self, form, model, x, y, weight):
        """Labels that come along are left out; targets of the sample's shape, and weights, are kept."""
        make = (_BATCHED | _IN_MEMORY)[form]
        errors, wrong = model.reconstruction_error(x), 1 - x
        against = np.square(model.reconstruct(x) - wrong).reshape(_SAMPLES, -1).mean(axis=1)
        cases = {"samples": ((x,), errors)}
        if form not in ("list", "tensor"):
            cases |= {
                "labels": ((x, y), errors),
                "targets": ((x, wrong), against),
                "weights": ((x, y, weight), errors * weight),
                "targets and weights": ((x, wrong, weight), against * weight),
            }
        for case, (arrays, expected) in cases.items():
            for name, method in _losses(model, (x, None)).items():
                np.testing.assert_allclose(method(make(*arrays)), expected.mean(), rtol=1e-5, err_msg=f"{case}, {name}")
        for name, expected in {n: method(x) for n, method in _arrays(model).items()}.items():
            for arrays in ((x,), (x, y)) if form not in ("list", "tensor") else ((x,),):
                result = _arrays(model)[name](make(*arrays))
                assert result.dtype == np.float32
                np.testing.assert_allclose(result, expected, atol=1e-6, err_msg=name)

    # A list and a tensor hold no labels.
    @pytest.mark.parametrize("form", [*_BATCHED, *(set(_IN_MEMORY) - {"list", "tensor"})])
    def test_a_classifier(self, form, classifier, x, y, weight):
        make, entropy = (_BATCHED | _IN_MEMORY)[form], _entropy(classifier, x, y)
        for arrays, expected in (((x, y), entropy), ((x, y, weight), entropy * weight)):
            for name, method in _losses(classifier, (x, y)).items():
                np.testing.assert_allclose(method(make(*arrays)), expected.mean(), rtol=1e-5, err_msg=name)
        np.testing.assert_allclose(classifier.predict(make(x, y), **_QUIET), classifier.predict(x, **_QUIET), atol=1e-6)
        table = {3: 5.0, 7: 0.0}
        expected = np.mean(entropy * np.array([table.get(int(label), 1.0) for label in y]))
        result = classifier.fit(make(x, y), class_weight=table, batch_size=_BATCH, **_QUIET).history["loss"][0]
        np.testing.assert_allclose(result, expected, rtol=1e-5)


_WRONG = {
    "NaN": (
        lambda x: np.where(np.arange(len(x))[:, None, None, None] == 20, np.float32("nan"), x),
        r"x holds NaN or infinite values in 1 of \d+ samples, first at index \d+. Remove or repair these samples.",
    ),
    "0..255": (lambda x: x * 255, r"x lies outside \[0, 1\].* from 0 to 255. Divide 8-bit pixels by 255: x / 255..*"),
    "8-bit": (lambda x: (x * 255).astype("uint8"), "x holds integer pixels: expected floats .* Received dtype uint8.*"),
    "wrong shape": (
        lambda x: x[:, :7],
        r"x has the wrong shape: expected \(samples, 8, 8, 1\). Received .* 7, 8, 1\).*",
    ),
    "empty": (lambda x: x[:0], "x is empty: expected at least one (sample|batch).* of shape .*"),
}


# What a form cannot be: an image flow gives floats always, and three forms take no empty array.
_IMPOSSIBLE = {("image flow", "8-bit")} | {
    (form, "empty") for form in ("dataset of unknown shape", "generator of lists", "image flow")
}


@pytest.mark.parametrize(
    ("form", "wrong"), [(f, w) for f in (*_BATCHED, *_IN_MEMORY) for w in _WRONG if (f, w) not in _IMPOSSIBLE]
)
def test_wrong_samples(form, wrong, model, classifier, x, y):
    """Number 20 is in the second batch."""
    spoil, message = _WRONG[wrong]
    make, spoilt = (_BATCHED | _IN_MEMORY)[form], spoil(x)
    # The first batches are dark: pixels from 0 to 255 that only a later batch betrays.
    _assert_refused(_losses(model, (x, None)) | _arrays(model), lambda: make(spoilt), message)
    if form not in ("list", "tensor"):
        methods = _losses(classifier, (x, y)) | {"predict": lambda given: classifier.predict(given, **_QUIET)}
        _assert_refused(methods, lambda: make(spoilt, y[: len(spoilt)]), message)


@pytest.mark.parametrize("form", [*_BATCHED, "dictionary"])
def test_wrong_labels(form, classifier, x, y):
    """In the last batch alone."""
    make = (_BATCHED | _IN_MEMORY)[form]
    for spoilt, message in (
        (np.where(np.arange(_SAMPLES) == 39, 10, y), r"y must hold one int label from 0 to 9 .* values from \d to 10."),
        (np.where(np.arange(_SAMPLES) == 39, -1, y), r"y must hold one int label from 0 to 9 .* values from -1 to \d."),
        (y + 0.5, r"y must hold one int label from 0 to 9 .* values from 0.5 to 9.5."),
        (keras.utils.to_categorical(y, 10), "The loss takes int labels .* y is one-hot. .* Pass y.argmax.*"),
    ):
        _assert_refused(_losses(classifier, (x, y)), lambda spoilt=spoilt: make(x, spoilt), message)
    _assert_refused(_losses(classifier, (x, y)), lambda: make(x), "Labels are missing: expected y.* Received None.")
    if form not in ("dataset of unknown shape", "image flow"):
        names = np.array([f"digit {label}" for label in y])
        _assert_refused(
            _losses(classifier, (x, y)), lambda: make(x, names), r"y must hold one int label .* np.unique\(.*"
        )


@pytest.mark.parametrize(
    "make", [lambda *arrays: _dataset(*arrays).batch(_BATCH).repeat(), Endless], ids=["dataset", "PyDataset"]
)
def test_endless(make, model, x):
    """Refused, unless it is said how much of it to take."""
    for name, argument in (
        ("fit", "steps_per_epoch"),
        ("validation_data", "validation_steps"),
        ("evaluate", "steps"),
    ):
        method = _losses(model, (x, None))[name]
        with pytest.raises(DataError, match=f"x is endless: pass {argument}, or a finite part of it"):
            method(make(x))
        expected = model.reconstruction_error(x[: 2 * _BATCH]).mean()
        np.testing.assert_allclose(method(make(x), **{argument: 2}), expected, rtol=1e-5)
    with pytest.raises(DataError, match="x is endless: pass steps, or"):
        model.predict(make(x), **_QUIET)
    assert model.predict(make(x), steps=2, **_QUIET).shape == (2 * _BATCH, 8, 8, 1)
    for method in (model.encode, model.reconstruct, model.reconstruction_error):
        with pytest.raises(DataError, match="x is endless: pass a finite part of it, such as dataset.take"):
            method(make(x))


class TestSourcesAndStreams:
    """Images with labels as the zoo stores them: 8-bit pixels, which the model takes divided by 255."""

    @pytest.fixture(scope="class")
    def source(self, x, y):
        return zoo.data.Source(np.rint(x * 255).astype("uint8"), y)

    @pytest.fixture(scope="class")
    def stream(self, source):
        return Stream(Stored(source.samples), (8, 8, 1))

    def test_numbers(self, source, stream, model, classifier, y):
        pixels = source.pixels()
        for form in (source, stream):
            for name, method in (_losses(model, (pixels, None)) | _arrays(model)).items():
                np.testing.assert_allclose(method(form), method(pixels), atol=1e-6, err_msg=name)
            np.testing.assert_allclose(
                classifier.predict(form, **_QUIET), classifier.predict(pixels, **_QUIET), atol=1e-6
            )
        for name, method in _losses(classifier, (pixels, y)).items():
            np.testing.assert_allclose(
                method(source),
                method((pixels, y)) if name == "validation_data" else method({"image": pixels, "label": y}),
                rtol=1e-5,
            )

    def test_wrong(self, source, stream, model, classifier, x, y):
        pixels, images = source.pixels(), source.samples
        _assert_refused(
            _losses(classifier, (pixels, y)), lambda: zoo.data.Source(images), "Labels are missing: .* Received None."
        )
        _assert_refused(_losses(classifier, (pixels, y)), lambda: stream, "A stream gives samples without labels: .*")
        every = _losses(model, (pixels, None)) | _arrays(model)
        _assert_refused(every, lambda: zoo.data.Source(images[:, :7]), "x has the wrong shape: .*")
        _assert_refused(every, lambda: zoo.data.Source(x * 255), r"x lies outside \[0, 1\].* Divide .*")
        broken = Stream(Stored(images, broken=20), (8, 8, 1))
        for method in every.values():
            with pytest.raises(DataError, match="^number 20 cannot be read$"):
                method(broken)
        with pytest.raises(DataError, match="A stream is given alone"):
            model.fit(stream, sample_weight=np.ones(_SAMPLES), **_QUIET)

    def test_a_classifier_of_raw_pixels(self, source, x, y):
        inputs = keras.Input((8, 8, 1), dtype="uint8")
        encoder = keras.Sequential([inputs, keras.layers.Rescaling(1 / 255), keras.layers.Flatten()])
        raw = Classifier(inputs, keras.layers.Dense(10, "softmax")(encoder(inputs)))
        raw.compile(keras.optimizers.SGD(0.0), "sparse_categorical_crossentropy", jit_compile=False)
        expected = _entropy(raw, source.samples, y).mean()
        for given in (source, {"image": source.samples, "label": y}, _BATCHED["dataset"](source.samples, y)):
            np.testing.assert_allclose(raw.evaluate(given, **_QUIET), expected, rtol=1e-5)
        for given in (x, _BATCHED["dataset"](x)):
            with pytest.raises(DataError, match="takes raw pixels: expected dtype uint8. Received float32"):
                raw.predict(given, **_QUIET)


class TestVectors:
    def test_data_frames_and_one_hot_labels(self, x, y):
        keras.utils.set_random_seed(0)
        model = zoo.feed_forward((64,), 4)
        model.compile(keras.optimizers.SGD(0.0), jit_compile=False)
        rows = x.reshape(_SAMPLES, 64)
        for name, method in (_losses(model, (rows, None)) | _arrays(model)).items():
            np.testing.assert_allclose(method(pandas.DataFrame(rows)), method(rows), rtol=1e-6, err_msg=name)
        classifier = zoo.classifier(model.encoder, 10)
        classifier.compile(keras.optimizers.SGD(0.0), "categorical_crossentropy", jit_compile=False)
        frames = pandas.DataFrame(rows), pandas.DataFrame(keras.utils.to_categorical(y, 10))
        expected = classifier.evaluate(rows, keras.utils.to_categorical(y, 10), **_QUIET)
        np.testing.assert_allclose(classifier.evaluate(*frames, **_QUIET), expected, rtol=1e-6)
        with pytest.raises(DataError, match=r"The loss takes one-hot labels \(samples, 10\)"):
            classifier.evaluate(frames[0], pandas.Series(y), **_QUIET)

    def test_signals_of_any_scale(self):
        """What a sensor gives may lie anywhere; 8-bit integers are pixels even here."""
        values = np.random.default_rng(0).uniform(0, 100, (20, 6)).astype("float32")
        encoder = keras.Sequential([keras.Input((6,)), keras.layers.Dense(2)])
        classifier = zoo.classifier(encoder, 2)
        classifier.compile(loss="sparse_categorical_crossentropy", jit_compile=False)
        assert classifier.predict(values, **_QUIET).shape == (20, 2)
        with pytest.raises(DataError, match="integer pixels"):
            classifier.predict(values.astype("uint8"), **_QUIET)


class TestNoise:
    """Samples that are a target lie in [0, 1]; those that are input alone may leave it, but are no 8-bit pixels."""

    def test_input_may_leave_the_range_and_targets_may_not(self, model, x):
        noisy = x + np.random.default_rng(0).normal(0, 0.5, x.shape).astype("float32")
        expected = np.square(model.reconstruct(noisy) - x).mean()
        for form in ("dataset", "generator", "PyDataset"):
            for name, method in _losses(model, (x, None)).items():
                np.testing.assert_allclose(method(_BATCHED[form](noisy, x)), expected, rtol=1e-5, err_msg=name)
        np.testing.assert_allclose(model.fit(noisy, x, **_QUIET).history["loss"], expected, rtol=1e-5)
        np.testing.assert_allclose(model.predict(noisy, **_QUIET), model.reconstruct(noisy), atol=1e-6)
        for given in (noisy, _BATCHED["dataset"](noisy)):
            for method in (model.reconstruction_error, model.evaluate):
                with pytest.raises(DataError, match=r"outside \[0, 1\]"):
                    method(given)
        with pytest.raises(DataError, match=r"y lies outside \[0, 1\]"):
            model.fit(x, noisy, **_QUIET)
        with pytest.raises(DataError, match=r"y lies outside \[0, 1\]"):
            model.fit(_BATCHED["dataset"](x, noisy), **_QUIET)


class TestWeights:
    @pytest.mark.parametrize("shape", [(8, 8), (8, 8, 1), (8,), (1,)])
    def test_per_element(self, model, x, shape):
        """As in plain Keras where it takes them; by rows too."""
        weights = np.random.default_rng(0).uniform(0, 2, (_SAMPLES, *shape)).astype("float32")
        full = weights.reshape(_SAMPLES, *shape, *[1] * (3 - len(shape)))
        expected = np.mean(np.square(model.reconstruct(x) - x) * full)
        for given in (x, _BATCHED["dataset"](x, x, weights), Batches(x, np.arange(_SAMPLES), weights)):
            more = {"sample_weight": weights} if given is x else {}
            np.testing.assert_allclose(model.evaluate(given, **more, **_QUIET), expected, rtol=1e-5)
            np.testing.assert_allclose(model.fit(given, **more, **_QUIET).history["loss"], expected, rtol=1e-5)

    def test_a_loss_of_one_value_per_sample(self, model, x):
        """As in plain Keras; a weighted metric of such values as well as one per pixel."""

        def ssim(y, y_pred):
            return 1 - tf.image.ssim(y, y_pred, 1.0, filter_size=5)

        class SSIM(keras.losses.Loss):
            def call(self, y, y_pred):
                return ssim(y, y_pred)

        weights = np.zeros(_SAMPLES, "float32")
        weights[0] = _SAMPLES
        expected = ssim(x, model.reconstruct(x)).numpy()
        assert abs(expected[0] - expected.mean()) > 1e-3
        for loss in (ssim, SSIM()):
            own = zoo.Autoencoder(model.encoder, model.decoder)
            own.compile(keras.optimizers.SGD(0.0), loss, weighted_metrics=[ssim, "mae"], jit_compile=False)
            history = own.fit(x, sample_weight=weights, batch_size=_SAMPLES, **_QUIET).history
            np.testing.assert_allclose(history["loss"], expected[0], rtol=1e-5)
            np.testing.assert_allclose(history["ssim"], expected[0], rtol=1e-5)
            np.testing.assert_allclose(history["mae"], np.abs(x - model.reconstruct(x))[0].mean(), rtol=1e-5)
        with pytest.raises(
            ConfigError, match=r"of shape \(40, 8, 8\) cannot weigh a loss that returns values of shape"
        ):
            own.fit(x, sample_weight=np.ones((_SAMPLES, 8, 8)), batch_size=_SAMPLES, **_QUIET)
        own.compile(loss=lambda y, y_pred: keras.ops.mean(keras.ops.square(y - y_pred)), jit_compile=False)
        with pytest.raises(ConfigError, match="one value for the whole batch"):
            own.fit(x, sample_weight=weights, **_QUIET)

    def test_wrong_ones(self, model, x, y):
        for weights, message in (
            (np.ones(_SAMPLES - 1), "sample_weight must have one entry per sample. Received 40 samples and 39 entries"),
            (np.ones((_SAMPLES, 3)), r"sample_weight must hold numbers of shape \(samples,\), or one per element"),
            (np.full(_SAMPLES, np.nan), "sample_weight holds NaN"),
        ):
            with pytest.raises(DataError, match=message):
                model.fit(x, sample_weight=weights, **_QUIET)
            if len(weights) == _SAMPLES:
                with pytest.raises(DataError, match=message):
                    model.evaluate(_BATCHED["dataset"](x, y, weights), **_QUIET)

    @pytest.mark.parametrize("wrong", [np.ones(10), {"0": 2.0}, {-1: 2.0}, {10: 2.0}, {0: -1.0}, {0: "a"}, {True: 1.0}])
    def test_wrong_class_weights(self, classifier, x, y, wrong):
        for given in ((x, y), (_BATCHED["dataset"](x, y),), (Batches(x, y),)):
            with pytest.raises(DataError, match="class_weight must be a dictionary of classes from 0 to 9 to numbers"):
                classifier.fit(*given, class_weight=wrong, **_QUIET)

    def test_class_weights_where_they_mean_nothing(self, model, classifier, x, y):
        for refused in (
            lambda: model.fit(x, class_weight={0: 1.0}, **_QUIET),
            lambda: classifier.fit(x, y, class_weight={0: 1.0}, sample_weight=np.ones(_SAMPLES), **_QUIET),
        ):
            with pytest.raises(DataError, match="class_weight needs a classifier's labels y, and cannot be combined"):
                refused()
        with pytest.raises(DataError, match="class_weight cannot be combined with the sample weights of the batches"):
            classifier.fit(Batches(x, y, np.ones(_SAMPLES)), class_weight={0: 1.0}, **_QUIET)


class TestMistakes:
    def test_in_a_batch_that_another_thread_reads(self, model, x):
        spoilt, message = _WRONG["NaN"][0](x), "In a batch of x: x holds NaN .* first at index 4"
        np.testing.assert_allclose(
            model.evaluate(Batches(x, workers=2), **_QUIET), model.reconstruction_error(x).mean(), rtol=1e-5
        )
        with pytest.raises(DataError, match=message):
            model.evaluate(Batches(spoilt, workers=2), **_QUIET)

    def test_labels_as_targets(self, model, x, y):
        for labels in (y, list(y), y[:, None], keras.utils.to_categorical(y, 10)):
            with pytest.raises(DataError, match="Leave y out to reconstruct x; to learn labels, use zoo.classifier"):
                model.fit(x, labels, **_QUIET)

    def test_what_is_no_sample(self, model, x):
        for given, message in (
            (None, "x is missing: expected an array"),
            (object(), "x is of an unknown type: .* Received object"),
            ([x[0], x[1, :7]], "x is no array: its entries differ in shape"),
            ({"pixels": x}, r"dictionary without the key 'image'. Received keys \['pixels'\]"),
            (Batches(x, x, x, x), "Received a tuple of 4 parts"),
        ):
            for method in (model.fit, model.evaluate, model.predict, model.encode):
                with pytest.raises(DataError, match=message):
                    method(given)
        for more in ({"y": x}, {"sample_weight": np.ones(_SAMPLES)}):
            with pytest.raises(DataError, match="x yields batches, which contain targets and weights"):
                model.fit(_BATCHED["dataset"](x), **more)
        with pytest.raises(DataError, match="validation_split needs samples in memory"):
            model.fit(_BATCHED["dataset"](x), validation_split=0.5)
