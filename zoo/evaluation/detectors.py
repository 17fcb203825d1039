"""Anomaly detectors without a network, fitted on normal samples: what an autoencoder has to beat.

Each takes samples and a number of components, and returns a function from samples to their anomaly scores. Samples are
float arrays (samples, elements).
"""

import numpy as np

from zoo.evaluation.anomaly import NEIGHBOURS

_REFERENCES = 10_000  # normal samples that neighbours are sought among


def pca(normal, components):
    """Mean squared error of the reconstruction by the first components."""
    from sklearn.decomposition import PCA

    fitted = PCA(min(components, *normal.shape), svd_solver="covariance_eigh").fit(normal)
    return lambda x: np.square(fitted.inverse_transform(fitted.transform(x)) - x).mean(axis=1)


def isolation_forest(normal, _components):
    """How early random splits isolate a sample: scikit-learn's Isolation Forest of 100 trees.

    Source: Liu, Ting and Zhou, "Isolation Forest", ICDM 2008.
    """
    from sklearn.ensemble import IsolationForest

    fitted = IsolationForest(random_state=0).fit(normal)
    return lambda x: -fitted.score_samples(x)


def nearest_neighbours(normal, _components):
    """Mean distance to the 5 nearest of the normal samples; of more than 10,000, evenly spaced ones.

    Samples of one patient or machine often lie together, so the first would not stand for all.

    Source: Angiulli and Pizzuti, "Fast Outlier Detection in High Dimensional Spaces", PKDD 2002.
    """
    from sklearn.neighbors import NearestNeighbors

    count = min(len(normal), _REFERENCES)
    references = normal[np.arange(count) * len(normal) // count]
    fitted = NearestNeighbors(n_neighbors=min(NEIGHBOURS, len(references)), n_jobs=-1).fit(references)
    return lambda x: fitted.kneighbors(x)[0].mean(axis=1)


DETECTORS = {"pca": pca, "isolation_forest": isolation_forest, "nearest_neighbours": nearest_neighbours}
