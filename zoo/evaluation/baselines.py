"""What the numbers of a model stand beside: PCA with as many components, and the raw pixels."""

import functools
import math

from zoo.evaluation import reconstruction, representation


def pca_of(subject):
    """PCA with as many components as the model has latent features, fitted on the training split of a `Subject`."""
    return dict(_pca(_Data(subject), math.prod(subject.model.latent_shape)))


def pixels_neighbours_of(subject):
    """kNN accuracy of the raw pixels of a `Subject`'s dataset."""
    return {"pixels_knn_accuracy": _pixels(_Data(subject), representation.knn_accuracy)}


def pixels_probe_of(subject):
    """Linear-probe accuracy of the raw pixels of a `Subject`'s dataset."""
    return {"pixels_linear_probe_accuracy": _pixels(_Data(subject), representation.linear_probe_accuracy)}


class _Data:
    """The dataset of a `Subject`, equal to that of another model on the same dataset: baselines are cached by it."""

    def __init__(self, subject):
        self.subject = subject
        self._key = subject.dataset, subject.test.shape

    def __eq__(self, other):
        return self._key == other._key

    def __hash__(self):
        return hash(self._key)

    def flat(self):
        """(train, test) pixels as (samples, elements)."""
        subject = self.subject
        return subject.train.pixels().reshape(len(subject.train), -1), subject.pixels.reshape(len(subject.pixels), -1)


@functools.lru_cache(maxsize=64)
def _pca(data, components):
    from sklearn.decomposition import PCA

    train, test = data.flat()
    pca = PCA(components, svd_solver="covariance_eigh").fit(train)
    restored = pca.inverse_transform(pca.transform(test)).astype("float32")
    return (
        ("pca_mse", reconstruction.mean_squared_error(test, restored)),
        ("pca_psnr", reconstruction.peak_signal_to_noise_ratio(test, restored)),
        ("pca_explained_variance", reconstruction.explained_variance(test, restored)),
    )


@functools.lru_cache(maxsize=16)
def _pixels(data, accuracy):
    train, test = data.flat()
    return accuracy(train, data.subject.train.labels, test, data.subject.test.labels)
