"""What the numbers of a model are compared with: PCA with as many components, raw pixels, other detectors."""

import functools

from zoo.evaluation import detection, reconstruction, representation


class Baselines:
    """The baselines of a dataset, computed at first use and kept as long as this object.

    To measure several models on one dataset, hand the same object to each `zoo.evaluation.measure.measure`.

    Args:
        train, test: Source of the training and of the test samples.
        model: Autoencoder whose preprocessing goes before PCA and the detectors, so that their errors are of the same
            values as the model's; None or a model without preprocessing compares with the samples as they are.
    """

    def __init__(self, train, test, model=None):
        self.train, self.test = train, test
        self._target = model.target if model is not None and model.preprocessing else None
        self._pca, self._detection = {}, {}

    def pca(self, components: int) -> dict[str, float]:
        """Reconstruction by PCA with so many components, fitted on the training samples."""
        if components not in self._pca:
            self._pca[components] = self._fit_pca(components)
        return self._pca[components]

    def _fit_pca(self, components):
        from sklearn.decomposition import PCA

        train, test = self._prepared(self.train), self._prepared(self.test)
        pca = PCA(components, svd_solver="covariance_eigh").fit(train)
        restored = pca.inverse_transform(pca.transform(test)).astype("float32")
        return {
            "pca_mse": reconstruction.mean_squared_error(test, restored),
            "pca_psnr": reconstruction.peak_signal_to_noise_ratio(test, restored),
            "pca_explained_variance": reconstruction.explained_variance(test, restored),
        }

    def detection(self, name: str, normal, normals, test_normal, components: int) -> dict[str, float]:
        """Metrics of a baseline as a detector of anomalies, see `detection.of_baseline`.

        Args:
            name: key of `detectors.DETECTORS`.
            normal: the normal classes.
            normals: Source of the training samples of these classes.
            test_normal: bool array, which test samples are of these classes.
            components: of PCA.
        """
        key = name, repr(normal), components if name == "pca" else None
        if key not in self._detection:
            samples = self._prepared(normals), self._prepared(self.test)
            self._detection[key] = detection.of_baseline(name, *samples, test_normal, components)
        return self._detection[key]

    @functools.cached_property
    def neighbours(self) -> float:
        """kNN accuracy of the raw pixels."""
        return self._accuracy(representation.knn_accuracy)

    @functools.cached_property
    def probe(self) -> float:
        """Linear-probe accuracy of the raw pixels."""
        return self._accuracy(representation.linear_probe_accuracy)

    def _prepared(self, source):
        return _flat(source) if self._target is None else self._target(source).reshape(len(source), -1)

    def _accuracy(self, measure):
        return measure(_flat(self.train), self.train.labels, _flat(self.test), self.test.labels)


def _flat(source):
    return source.values().reshape(len(source), -1)
