import keras
import numpy as np
import pytest

import zoo
from zoo.core.errors import ConfigError, DataError

RATE, LENGTH = 100.0, 24


def _signal(count=64, seed=0):
    """Two channels of other levels and strengths, float32 (count, LENGTH, 2)."""
    random = np.random.default_rng(seed)
    time = np.arange(LENGTH) / RATE
    phase = random.uniform(0, 2 * np.pi, (count, 1))
    channels = 5 + 2 * np.sin(20 * np.pi * time + phase), -300 + 40 * np.cos(20 * np.pi * time + phase)
    return np.stack(channels, axis=-1).astype("float32")


@pytest.fixture(scope="module")
def samples():
    return _signal()


@pytest.fixture(scope="module")
def model(samples):
    keras.utils.set_random_seed(0)
    backbone = zoo.convolutional((LENGTH, 2), 4, (8,), output_activation="linear")
    standardize = zoo.preprocessing.Standardize().fitted(samples)
    raw = zoo.preprocessing.Rescale(0.25, integers="int16")
    model = zoo.preprocessed(backbone, standardize, sampling_rate=RATE, unit="g", raw=raw)
    model.compile(keras.optimizers.Adam(0.01))
    model.fit(samples, epochs=20, verbose=0)
    return model


def _standardized(samples):
    mean, deviation = samples.mean(axis=(0, 1)), samples.std(axis=(0, 1))
    return (samples - mean) / deviation


def test_verbs_are_those_of_the_backbone_on_preprocessed_samples(model, samples):
    inner, decoder = model.behind_preprocessing(), model.decoder
    expected = _standardized(samples)
    np.testing.assert_allclose(model.target(samples), expected, atol=1e-4)
    latent = np.asarray(inner(expected))
    restored = np.asarray(decoder(latent))
    np.testing.assert_allclose(model.encode(samples), latent, atol=1e-3)
    np.testing.assert_allclose(model.encoder.predict(samples, verbose=0), latent, atol=1e-3)
    np.testing.assert_allclose(model.reconstruct(samples), restored, atol=1e-3)
    np.testing.assert_allclose(model.explain(samples), (restored - expected) ** 2, atol=1e-3)
    np.testing.assert_allclose(model.score(samples), ((restored - expected) ** 2).mean(axis=(1, 2)), atol=1e-3)
    np.testing.assert_allclose(np.asarray(model(samples)), restored, atol=1e-3)


def test_learns_the_preprocessed_samples(model, samples):
    """As a plain Keras training of the backbone on samples that NumPy standardised."""
    assert model.reconstruction_error(samples).mean() < 0.1  # 1 for the mean; raw samples would give some 100,000
    keras.utils.set_random_seed(1)
    plain = zoo.feed_forward((LENGTH,), 4, output_activation="linear")
    keras.utils.set_random_seed(1)
    ours = zoo.preprocessed(
        zoo.feed_forward((LENGTH,), 4, output_activation="linear"), zoo.preprocessing.Rescale(0.01, offset=3.0)
    )
    flat = samples[..., 1]
    losses = []
    for trained, x in ((plain, flat * 0.01 + 3), (ours, flat)):
        keras.utils.set_random_seed(2)
        losses.append(trained.fit(x, epochs=3, verbose=0).history["loss"])
    np.testing.assert_allclose(*losses, rtol=1e-4)


def test_corruption_is_behind_the_preprocessing(samples):
    inner = zoo.denoising(zoo.feed_forward((LENGTH, 2), 4, output_activation="linear"), zoo.corruption.Masking(1.0))
    model = zoo.preprocessed(inner, zoo.preprocessing.Rescale(1.0, offset=7.0))
    # Masked samples are 0, where 7 is what preprocessing makes of 0.
    np.testing.assert_allclose(
        np.asarray(model(samples, training=True)),
        np.asarray(model.decoder(inner.encoder(np.zeros_like(samples)))),
        1e-5,
    )


def test_round_trips(model, samples, tmp_path):
    config = model.get_config()
    assert config["preprocessing"]["mean"] == pytest.approx(samples.mean(axis=(0, 1)).tolist(), rel=1e-5)
    assert zoo.from_config(config).get_config() == config
    card = zoo.save(model, tmp_path / "saved")
    assert (card.input.sampling_rate, card.input.unit) == (RATE, "g")
    assert card.input.preprocessing == "Standardize, channels last"
    model.save(tmp_path / "model.keras")
    for loaded in (zoo.load(tmp_path / "saved", verify=True), zoo.load_model(tmp_path / "model.keras")):
        np.testing.assert_array_equal(loaded.reconstruct(samples), model.reconstruct(samples))
        assert loaded.contract == model.contract
        assert loaded.contract.sampling_rate == RATE


def test_encoder_classifies_raw_integers(model, samples, tmp_path):
    zoo.save(model, tmp_path / "saved")
    integers = np.rint(samples * 4).astype("int16")
    encoder = zoo.load_encoder(tmp_path / "saved", raw_input=True)
    assert (encoder.inputs[0].dtype, encoder.inputs[0].name) == ("int16", "samples")
    expected = model.encode(integers.astype("float32") / 4)
    np.testing.assert_allclose(encoder.predict(integers, verbose=0), expected, atol=1e-5)
    classifier = zoo.classifier(model.encoder, 2)
    classifier.fit(samples, np.arange(len(samples)) % 2, epochs=1, verbose=0)
    with pytest.raises(DataError, match="x holds integers of dtype int16, and the model takes floats in g: multiply"):
        classifier.predict(integers, verbose=0)


def test_preprocessing_that_changes_the_shape(samples):
    class Strength(zoo.preprocessing.Preprocessing):
        def call(self, x):
            return keras.ops.sqrt(keras.ops.mean(keras.ops.square(x), axis=1))

        def compute_output_shape(self, input_shape):
            return (input_shape[0], input_shape[-1])

    model = zoo.preprocessed(zoo.feed_forward((2,), 1), Strength(), input_shape=(LENGTH, 2))
    assert (model.input_shape, model.target_shape, model.compute_output_shape((5, LENGTH, 2))) == (
        (LENGTH, 2),
        (2,),
        (5, 2),
    )
    np.testing.assert_allclose(model.target(samples), np.sqrt((samples**2).mean(axis=1)), rtol=1e-5)
    model.fit(samples, epochs=1, verbose=0)
    assert model.explain(samples).shape == (len(samples), 2)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            lambda inner: zoo.preprocessed(inner, zoo.preprocessing.Standardize()),
            r"Standardize is not fitted: pass Standardize\(\)\.fitted\(training_samples\)\. In a recipe, zoo\.train",
        ),
        (
            lambda inner: zoo.preprocessed(inner, zoo.preprocessing.Standardize([0.0], [1.0])),
            r"fitted on 1 channels. Received samples of shape \(24, 2\)",
        ),
        (
            lambda inner: zoo.preprocessed(inner, zoo.preprocessing.Rescale(2), input_shape=(9, 2)),
            r"makes \(9, 2\) of samples of shape \(9, 2\), and the backbone takes \(24, 2\): build it with input_shape",
        ),
        (lambda inner: zoo.preprocessed(zoo.detector(inner)), r"in this order: zoo\.detector\(zoo\.preprocessed"),
        (
            lambda inner: zoo.denoising(zoo.preprocessed(inner, unit="V"), zoo.corruption.Gaussian(1.0)),
            r"'preprocessed', which comes around zoo\.denoising",
        ),
        (lambda inner: zoo.sparse(zoo.detector(inner), zoo.sparsity.L1(0.1)), "'detector', which comes around zoo.spa"),
        (lambda inner: zoo.preprocessed(inner, sampling_rate=0), r"sampling_rate must be a number in \(0, "),
        (
            lambda inner: zoo.preprocessed(
                zoo.feed_forward((7, 10, 1), 2),
                zoo.preprocessing.LogMel(8000.0, 64, 64, mel_bins=10),
                input_shape=(448,),
                sampling_rate=16000,
            ),
            "made for 8000 Hz, and the model for 16000 Hz",
        ),
        (lambda inner: zoo.preprocessed(inner, unit="x" * 30), "unit must be a text of at most 20 characters"),
        (
            lambda inner: zoo.preprocessed(inner, raw=zoo.preprocessing.Rescale(2)),
            "raw says what integers mean: give it integers='int16'",
        ),
    ],
)
def test_what_does_not_fit_is_refused(build, message):
    with pytest.raises(ConfigError, match=message):
        build(zoo.feed_forward((LENGTH, 2), 4))


def test_wrong_samples_are_refused(model, samples):
    for call in (model.encode, model.score, lambda x: model.fit(x, verbose=0)):
        with pytest.raises(DataError, match=r"takes floats in g: multiply them by 0\.25, or export .* raw_input=True"):
            call(np.rint(samples * 4).astype("int16"))
    other = zoo.data.Source(samples, sampling_rate=48000)
    with pytest.raises(DataError, match=r"sampling rate of 48000 Hz, the model takes 100 Hz: resample them"):
        model.score(other)
    assert model.score(zoo.data.Source(samples, sampling_rate=RATE)).shape == (64,)
    counts = zoo.data.Source(np.rint(samples * 4).astype("int16"), scale=0.25, unit="g")
    np.testing.assert_allclose(model.score(counts), model.score(counts.values()), rtol=1e-6)


def test_what_the_backbone_knows_stays_as_it_is():
    inner = zoo.feed_forward((4,), 2)
    assert zoo.preprocessed(inner, unit="V", sampling_rate=5).unit_range
    assert (inner.encoder.unit, inner.encoder.sampling_rate, inner.contract.unit) == (None, None, "")


def test_int8_keeps_the_preprocessing_in_float(tmp_path):
    """Else a waveform has 8 bits before its logarithm: the scores are up to half off then."""
    random = np.random.default_rng(0)
    time = np.arange(448) / 8000
    tones = np.sin(2 * np.pi * random.uniform(300, 3000, (300, 1)) * time) * random.uniform(0.001, 0.5, (300, 1))
    x = (tones + random.normal(0, 1e-4, tones.shape)).astype("float32")
    steps = zoo.preprocessing.fit(
        [zoo.preprocessing.LogMel(8000.0, 64, 64, mel_bins=10), zoo.preprocessing.Standardize()], x
    )
    keras.utils.set_random_seed(0)
    network = zoo.convolutional((7, 10, 1), 4, (4,), output_activation="linear")
    model = zoo.detector(zoo.preprocessed(network, steps, input_shape=(448,)))
    assert model.contract.sampling_rate == 8000
    model.fit(x, epochs=2, verbose=0)
    zoo.export(model, tmp_path, "tflite", quantization="int8", calibration=x, samples=x[:50])
    lite = zoo.lite.load(tmp_path / "model.tflite")
    np.testing.assert_allclose(lite.score(x), model.score(x), rtol=0.03)
