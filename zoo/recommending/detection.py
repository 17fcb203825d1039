"""How well the scores of a model tell anomalies from normal samples, or, without anomalies, how normal ones spread."""

from collections.abc import Iterator

import numpy as np

from zoo.autoencoder import Autoencoder
from zoo.evaluation import anomaly, detectors
from zoo.recommending.accuracy import FOLDS, Folds

_MOST_UNITS = 512  # of latent features for a distance, whose covariance has their square
_COMPONENTS = 32  # of PCA


def folds(count: int, seed: int) -> Folds:
    """Splits of normal samples (indices to fit on, indices to test on)."""
    from sklearn.model_selection import KFold

    return list(KFold(min(FOLDS, count), shuffle=True, random_state=seed).split(np.zeros(count)))


def of_model(model: Autoencoder, normal: np.ndarray, anomalies: np.ndarray, splits: Folds) -> tuple[str, np.ndarray]:
    """The better score of a model, and its AUROC on each split.

    Args:
        model: Autoencoder.
        normal, anomalies: float32 samples as the model takes them.
        splits: of the normal samples, see `folds`.
    """
    results = {"reconstruction error": _aurocs(model.score(normal), model.score(anomalies), splits)}
    latent, odd = (model.encode(x).reshape(len(x), -1) for x in (normal, anomalies))
    if latent.shape[1] <= _MOST_UNITS:
        results["distance of the latent features"] = _fitted(_distance, latent, odd, splits)
    best = max(results, key=lambda name: results[name].mean())
    return best, results[best]


def baselines(normal: np.ndarray, anomalies: np.ndarray, splits: Folds) -> Iterator[tuple[str, str, np.ndarray]]:
    """Name, method and AUROC on each split of detectors without a network; samples as in `of_model`."""
    normal, anomalies = (x.reshape(len(x), -1) for x in (normal, anomalies))
    for name, fit in detectors.DETECTORS.items():
        method = "reconstruction error" if name == "pca" else "distance" if "neighbours" in name else "random splits"
        yield name.replace("_", " ").replace("pca", "PCA"), method, _fitted(fit, normal, anomalies, splits)


def spread(model: Autoencoder, normal: np.ndarray) -> tuple[float, float]:
    """Share of the normal samples' variance that a model does not reconstruct, and 99 % quantile over median of errors.

    A detector works where both are small: what is normal is then known, and seldom looks odd.
    """
    scores, targets = model.score(normal).astype("float64"), model.target(normal).reshape(len(normal), -1)
    variance = max(float(targets.var(axis=0).mean()), 1e-12)
    errors = model.reconstruction_error(normal)
    return float(errors.mean()) / variance, float(np.quantile(scores, 0.99) / max(np.median(scores), 1e-12))


def _fitted(fit, normal, anomalies, splits):
    results = []
    for train, test in splits:
        score = fit(normal[train], _COMPONENTS)
        results.append(anomaly.auroc(score(normal[test]), score(anomalies)))
    return np.array(results)


def _distance(normal, _components):
    from sklearn.covariance import LedoitWolf

    return LedoitWolf().fit(normal.astype("float64")).mahalanobis


def _aurocs(normal, anomalies, splits):
    return np.array([anomaly.auroc(normal[test], anomalies) for _, test in splits])
