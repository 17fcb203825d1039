import keras
import numpy as np
import pytest
import sklearn.decomposition
import sklearn.metrics
import tensorflow as tf

import zoo
from zoo.core.errors import DataError, UnknownNameError
from zoo.evaluation import anomaly, denoising, reconstruction, representation, sparsity
from zoo.evaluation.metrics import EVALUATED


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    model = zoo.sparse(
        zoo.denoising(zoo.feed_forward((8, 8, 1), 12), zoo.corruption.Masking(0.3)), zoo.sparsity.TopK(5)
    )
    model.compile(keras.optimizers.Adam(1e-2))
    model.fit(zoo.data.load("digits", "train"), epochs=10, batch_size=64, verbose=0)
    return model


@pytest.fixture(scope="module")
def results(model):
    return zoo.evaluate(model, "digits", anomalies=np.random.default_rng(0).random((50, 8, 8, 1), "float32"))


@pytest.fixture(scope="module")
def halves():
    return zoo.data.load("digits", "train"), zoo.data.load("digits", "test")


class TestEvaluate:
    def test_everything_that_applies_in_the_order_of_metrics(self, results):
        assert list(results) == list(EVALUATED)
        assert all(isinstance(value, float) for value in results.values())

    def test_only_what_applies(self, digits):
        linear = zoo.feed_forward((64,), 4, output_activation="linear")
        results = zoo.evaluate(linear, digits.samples.reshape(-1, 64))
        assert list(results) == ["mse", "psnr", "explained_variance"]

    def test_reconstruction_equals_keras_tensorflow_and_sklearn(self, model, results, halves):
        x = halves[1].pixels()
        restored = model.predict(x, verbose=0)
        np.testing.assert_allclose(results["mse"], float(keras.losses.MeanSquaredError()(x, restored)), rtol=1e-5)
        np.testing.assert_allclose(results["bce"], float(keras.losses.BinaryCrossentropy()(x, restored)), rtol=1e-5)
        np.testing.assert_allclose(results["psnr"], np.mean(tf.image.psnr(x, restored, 1.0)), rtol=1e-5)
        ssim = tf.image.ssim(tf.constant(x), tf.constant(restored), 1.0, filter_size=7)
        np.testing.assert_allclose(results["ssim"], np.mean(ssim), rtol=1e-5)
        variance = np.sum((x - x.mean(axis=0)) ** 2)
        np.testing.assert_allclose(results["explained_variance"], 1 - np.sum((x - restored) ** 2) / variance, rtol=1e-4)

    def test_pca_has_as_many_components(self, results, halves):
        train, test = (half.pixels().reshape(len(half), -1) for half in halves)
        pca = sklearn.decomposition.PCA(12).fit(train)
        expected = np.mean((pca.inverse_transform(pca.transform(test)) - test) ** 2)
        np.testing.assert_allclose(results["pca_mse"], expected, rtol=1e-4)

    def test_pixels_and_features(self, model, results, halves):
        train, test = halves
        assert results["pixels_knn_accuracy"] > 0.95
        assert results["pixels_linear_probe_accuracy"] > 0.9
        expected = representation.knn_accuracy(model.encode(train), train.labels, model.encode(test), test.labels, k=7)
        assert results["knn_accuracy"] == expected
        assert 0.5 < results["linear_probe_accuracy"] < 0.95
        assert 0.2 < results["cluster_nmi"] < 0.95

    def test_random_noise_stands_out_and_classes_somewhat(self, results):
        assert results["anomaly_auroc"] > 0.98
        assert 0.6 < results["one_class_out_auroc"] < 0.98

    def test_denoising_gains_most_where_most_is_lost(self, model, results, halves):
        corrupted = [results[f"psnr_corrupted_{level}"] for level in denoising.LEVELS]
        denoised = [results[f"psnr_denoised_{level}"] for level in denoising.LEVELS]
        assert corrupted == sorted(corrupted, reverse=True)
        assert denoised == sorted(denoised, reverse=True)
        assert denoised[-1] > corrupted[-1]
        # Masking 30 % of the pixels: the error is 0.3 of the mean square.
        x = halves[1].pixels()
        noisy, _ = denoising.restore(model, x)
        np.testing.assert_allclose(np.mean((noisy - x) ** 2), 0.3 * np.mean(x**2), rtol=0.06)
        np.testing.assert_array_equal(noisy, denoising.restore(model, x)[0])

    def test_sparsity(self, model, results, halves):
        latent = model.encode(halves[1])
        assert results["active_units"] <= 5
        np.testing.assert_allclose(results["dead_fraction"], np.mean(np.abs(latent).max(axis=0) == 0))

    @pytest.mark.parametrize(
        ("metric", "needs"),
        [
            ("dead_fraction", "a sparse autoencoder"),
            ("psnr_denoised_low", "a denoising autoencoder"),
            ("knn_accuracy", "a dataset with labels"),
            ("pca_mse", "a dataset with a train and a test split"),
            ("anomaly_auroc", "a dataset of anomalies: pass anomalies="),
            ("bce", "a sigmoid output"),
            ("ssim", "images of shape"),
        ],
    )
    def test_a_metric_that_does_not_apply(self, digits, metric, needs):
        linear = zoo.feed_forward((64,), 4, output_activation="linear")
        with pytest.raises(DataError, match=f"Metric '{metric}' needs {needs}"):
            zoo.evaluate(linear, digits.samples.reshape(-1, 64), [metric])

    def test_what_the_model_lacks_is_said_before_the_data_is_looked_for(self, tmp_path):
        linear = zoo.feed_forward((64,), 4, output_activation="linear")
        with pytest.raises(DataError, match="needs a sparse autoencoder"):
            zoo.evaluate(linear, str(tmp_path / "absent.npy"), ["mse", "dead_fraction"])

    def test_errors(self, model, digits):
        with pytest.raises(UnknownNameError, match="Unknown metric 'knn_acuracy'. Did you mean 'knn_accuracy'"):
            zoo.evaluate(model, "digits", ["knn_acuracy"])
        with pytest.raises(DataError, match="No dataset to evaluate on"):
            zoo.evaluate(model)
        with pytest.raises(DataError, match=r"Only images can be resized: .* Received \(5, 64\) and \(8, 8, 1\)"):
            zoo.evaluate(model, np.zeros((5, 64), "float32"))
        with pytest.raises(DataError, match="wrong shape"):
            zoo.evaluate(zoo.feed_forward((64,), 4), digits.samples)
        with pytest.raises(DataError, match=r"\[0, 1\]"):
            zoo.evaluate(model, 2 * digits.samples)


class TestRepresentation:
    def test_too_few_samples(self):
        few = np.zeros((5, 3), "float32")
        with pytest.raises(DataError, match="at least k = 7 training samples. Received 5"):
            representation.knn_accuracy(few, np.arange(5), few, np.arange(5))
        with pytest.raises(DataError, match="at least two classes. Received 5 samples of 1"):
            representation.linear_probe(few, np.zeros(5, int))

    def test_separate_clusters_agree_completely(self):
        features = np.repeat(np.eye(4), 20, axis=0) + np.random.default_rng(0).normal(0, 0.01, (80, 4))
        assert representation.cluster_agreement(features, np.repeat(np.arange(4), 20)) == (pytest.approx(1), 1)


def test_auroc_is_the_share_of_pairs_in_order():
    assert anomaly.auroc([0.1, 0.4], [0.3, 0.5]) == 0.75


def test_perfect_reconstruction():
    x = np.random.default_rng(0).random((3, 12, 12, 1), "float32")
    assert reconstruction.peak_signal_to_noise_ratio(x, x) == 100
    assert reconstruction.structural_similarity(x, x) == pytest.approx(1)
    assert reconstruction.explained_variance(x, x) == 1


def test_activation_frequencies():
    latent = np.array([[0.0, 1.0, 0.005], [0.0, -0.5, 0.0]])
    np.testing.assert_array_equal(sparsity.activation_frequencies(latent), [0, 1, 0])
