import keras
import numpy as np
import pytest
import sklearn.decomposition
import sklearn.ensemble
import sklearn.metrics
import tensorflow as tf

import zoo
from zoo.core.errors import DataError, UnknownNameError
from zoo.evaluation import denoising, detectors, reconstruction, representation, sparsity
from zoo.evaluation.measure import measure
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
    noise = np.random.default_rng(0).random((50, 8, 8, 1), "float32")
    return zoo.evaluate(model, "digits", anomalies=noise, normal=[0, 1, 2, 3])


@pytest.fixture(scope="module")
def halves():
    return zoo.data.load("digits", "train"), zoo.data.load("digits", "test")


class TestEvaluate:
    def test_everything_that_applies_in_the_order_of_metrics(self, results):
        # Of samples in [0, 1], noise is related to that range, not to the samples.
        assert list(results) == [name for name in EVALUATED if not name.startswith("snr_")]
        assert all(isinstance(value, float) for value in results.values())

    def test_only_what_applies(self, digits):
        linear = zoo.feed_forward((64,), 4, output_activation="linear")
        results = zoo.evaluate(linear, digits.samples.reshape(-1, 64))
        assert list(results) == ["mse", "explained_variance"]

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
            ("auroc", "a labelled dataset with normal samples and anomalies: pass normal=, the normal classes"),
            ("f1_at_threshold", "a labelled dataset with normal samples and anomalies"),
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


class TestDetection:
    NORMAL = (0, 1, 2, 3)

    @pytest.fixture(scope="class")
    def parts(self, halves):
        """Normal training samples, test samples, and which of these are normal."""
        train, test = halves
        chosen = np.isin(train.labels, self.NORMAL)
        return (*(half.values().reshape(len(half), -1) for half in halves), chosen, np.isin(test.labels, self.NORMAL))

    def test_the_models_score(self, model, results, halves, parts):
        scores, anomalous = model.score(halves[1]), ~parts[3]
        assert results["auroc"] == pytest.approx(sklearn.metrics.roc_auc_score(anomalous, scores), abs=1e-6)
        expected = sklearn.metrics.roc_auc_score(anomalous, scores, max_fpr=0.1)
        assert results["partial_auroc"] == pytest.approx(expected, abs=1e-6)
        expected = sklearn.metrics.average_precision_score(anomalous, scores)
        assert results["average_precision"] == pytest.approx(expected, abs=1e-6)

    def test_the_threshold_is_of_the_last_fifth_of_the_normal_training_samples(self, model, results, halves, parts):
        train, test = halves
        normals = train.samples[parts[2]]
        last = normals[-max(100, -(-len(normals) // 5)) :]
        assert len(last) == 118  # of 586
        threshold = zoo.threshold(model, last, 0.99)
        expected = sklearn.metrics.f1_score(~parts[3], model.score(test) > threshold)
        assert results["f1_at_threshold"] == pytest.approx(expected, abs=1e-6)

    def test_a_threshold_of_the_model_is_used(self, model, halves, parts):
        test = halves[1]
        model.threshold = float(np.median(model.score(test)))
        try:
            value = zoo.evaluate(model, test, "f1_at_threshold", normal=self.NORMAL)["f1_at_threshold"]
        finally:
            model.threshold = None
        expected = sklearn.metrics.f1_score(~parts[3], model.score(test) > np.median(model.score(test)))
        assert value == pytest.approx(expected, abs=1e-6)

    @pytest.mark.parametrize("name", ["pca", "isolation_forest", "nearest_neighbours"])
    def test_baselines_are_fitted_on_normal_training_samples(self, results, parts, name):
        train, test, chosen, normal = parts

        def scores(fitted_on, x):
            if name == "pca":
                pca = sklearn.decomposition.PCA(12).fit(fitted_on)
                return ((pca.inverse_transform(pca.transform(x)) - x) ** 2).mean(axis=1)
            if name == "isolation_forest":
                return -sklearn.ensemble.IsolationForest(random_state=0).fit(fitted_on).score_samples(x)
            return np.sort(np.linalg.norm(x[:, None] - fitted_on[None], axis=2), axis=1)[:, :5].mean(axis=1)

        found = scores(train[chosen], test)
        expected = sklearn.metrics.roc_auc_score(~normal, found)
        assert results[f"{name}_auroc"] == pytest.approx(expected, abs=1e-4)
        expected = sklearn.metrics.average_precision_score(~normal, found)
        assert results[f"{name}_average_precision"] == pytest.approx(expected, abs=1e-4)
        kept, last = train[chosen][:-118], train[chosen][-118:]
        threshold = np.sort(scores(kept, last))[-2:].mean()
        expected = sklearn.metrics.f1_score(~normal, scores(kept, test) > threshold)
        assert results[f"{name}_f1_at_threshold"] == pytest.approx(expected, abs=0.01)

    def test_of_a_signal_with_preprocessing_all_is_of_the_preprocessed_samples(self, signals):
        train, test, _ = signals
        model = zoo.preprocessed(
            zoo.feed_forward((32,), 2, output_activation="linear"), zoo.preprocessing.PerWindowStandardize(), raw=None
        )
        results = measure(model, test, train=train, normal="normal")
        prepared = [
            (x - x.mean(axis=1, keepdims=True)) / x.std(axis=1, keepdims=True) for x in (train.samples, test.samples)
        ]
        pca = sklearn.decomposition.PCA(2).fit(prepared[0][train.labels == 0])
        error = ((pca.inverse_transform(pca.transform(prepared[1])) - prepared[1]) ** 2).mean(axis=1)
        assert results["pca_auroc"] == pytest.approx(sklearn.metrics.roc_auc_score(test.labels, error), abs=1e-3)
        restored = model.reconstruct(test)
        assert results["mse"] == pytest.approx(np.mean((restored - prepared[1]) ** 2), rel=1e-3)
        np.testing.assert_allclose(model.score(test), np.mean((restored - prepared[1]) ** 2, axis=1), rtol=1e-4)
        expected = sklearn.metrics.roc_auc_score(test.labels, model.score(test))
        assert results["auroc"] == pytest.approx(expected, abs=1e-3)

    def test_noise_is_added_behind_the_preprocessing_and_related_to_the_signal(self, signals):
        """Of standardised windows, noise of deviation 0.5 is 10 log₁₀(1 / 0.25) = 6.02 dB below the signal."""
        backbone = zoo.feed_forward((32,), 2, output_activation="linear")
        denoiser = zoo.denoising(backbone, zoo.corruption.Gaussian(0.5))
        model = zoo.preprocessed(denoiser, zoo.preprocessing.PerWindowStandardize())
        results = measure(model, signals[1])
        for level, factor in denoising.LEVELS.items():
            expected = -20 * np.log10(0.5 * factor)
            assert results[f"snr_corrupted_{level}"] == pytest.approx(expected, abs=0.3)
            assert results[f"snr_denoised_{level}"] < 1  # not trained
        assert not [name for name in results if name.startswith("psnr")]
        x = model.target(signals[1])
        noisy, restored = denoising.restore(model, x)
        np.testing.assert_allclose(
            restored, model.decode(model.behind_preprocessing().predict(noisy, verbose=0)), atol=1e-5
        )

    def test_a_train_split_of_normal_samples_alone(self, signals):
        train, test, model = signals
        normals = train.subset(train.labels == 0)
        results = measure(model, test, train=normals, normal=0)
        assert results["pca_auroc"] == measure(model, test, train=train, normal=["normal"])["pca_auroc"]
        assert "knn_accuracy" not in results  # of one class
        assert "cluster_nmi" in results
        with pytest.raises(DataError, match="'linear_probe_accuracy' needs a train split with samples of at least two"):
            measure(model, test, train=normals, metrics=["linear_probe_accuracy"])

    def test_few_normal_samples_give_no_threshold(self, signals):
        train, test, model = signals
        few = train.subset(np.flatnonzero(train.labels == 0)[:199])
        results = measure(model, test, train=few, normal=0)
        assert {"auroc", "pca_auroc", "isolation_forest_partial_auroc"} < set(results)
        assert not [name for name in results if name.endswith("f1_at_threshold")]
        with pytest.raises(DataError, match="a model with a threshold, or at least 200 normal training samples"):
            measure(model, test, train=few, normal=0, metrics=["f1_at_threshold"])
        with pytest.raises(UnknownNameError, match="Unknown class .* 'norml'. Did you mean 'normal'"):
            measure(model, test, train=few, normal="norml")

    def test_one_metric_reads_the_train_split_that_it_needs(self, model):
        for name in ("f1_at_threshold", "pca_f1_at_threshold", "nearest_neighbours_auroc"):
            assert list(zoo.evaluate(model, "digits", name, normal=self.NORMAL)) == [name]

    @pytest.fixture(scope="class")
    def signals(self):
        """Training and test samples of noisy sines of any offset, of which anomalies are faster; and a model."""
        generator = np.random.default_rng(0)

        def source(count, split):
            labels = np.arange(count) % 2
            phases = generator.uniform(0, 6.28, (count, 1)) + np.arange(32) * np.where(labels, 0.45, 0.4)[:, None]
            samples = np.sin(phases) + generator.normal(0, 0.1, phases.shape) + generator.normal(0, 5, (count, 1))
            return zoo.data.Source(samples.astype("float32"), labels, "s", split, class_names=("normal", "fast"))

        return source(600, "train"), source(300, "test"), zoo.feed_forward((32,), 2, output_activation="linear")


def test_neighbours_are_sought_among_samples_from_all_over_the_normal_ones():
    normal = np.arange(30_000.0)[:, None]
    score = detectors.nearest_neighbours(normal, None)
    np.testing.assert_allclose(score(np.array([[0.0], [29_997.0], [15_000.0]])), [6, 6, 3.6])  # every third
    assert detectors.nearest_neighbours(normal[:10], None)(np.array([[0.0]])) == 2


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


def test_signal_to_noise_ratio():
    x = np.array([[3.0, 4.0], [0.0, 10.0]])
    noisy = x + np.array([[0.3, 0.4], [1.0, 0.0]])
    assert reconstruction.signal_to_noise_ratio(x, noisy) == pytest.approx(20)
    assert reconstruction.signal_to_noise_ratio(x, 0 * x) == pytest.approx(0)


def test_perfect_reconstruction():
    x = np.random.default_rng(0).random((3, 12, 12, 1), "float32")
    assert reconstruction.peak_signal_to_noise_ratio(x, x) == 100
    assert reconstruction.structural_similarity(x, x) == pytest.approx(1)
    assert reconstruction.explained_variance(x, x) == 1


def test_activation_frequencies():
    latent = np.array([[0.0, 1.0, 0.005], [0.0, -0.5, 0.0]])
    np.testing.assert_array_equal(sparsity.activation_frequencies(latent), [0, 1, 0])
