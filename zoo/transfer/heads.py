"""Linear heads of a classifier that are computed at once from frozen features, instead of trained by `fit`."""

from typing import NamedTuple

import keras
import numpy as np
from keras import layers

from zoo.core.batches import forward
from zoo.core.errors import ConfigError, DataError

_FOLDS = 5


class Labelled(NamedTuple):
    """Arrays of samples, int labels (samples,), and float weights (samples,): weight 2 counts as two samples."""

    x: np.ndarray
    y: np.ndarray
    weights: np.ndarray


def solve(classifier: keras.Model, samples: Labelled, distorted: Labelled, kind: str) -> None:
    """Set normalisation and weights of a classifier's linear head.

    Args:
        classifier: model of `zoo.classifier` without hidden layers, its encoder with the weights to use.
        samples: as the encoder takes them.
        distorted: `samples` and distorted copies of them; without copies, the same.
        kind: "discriminant": linear discriminant analysis with Ledoit-Wolf shrinkage, of the distorted samples too;
            "regression": logistic regression, of `samples` alone, which is what a linear probe is;
            "auto": the one with the better accuracy in a cross-validation on `samples`.

    Raises:
        ConfigError: a classifier with hidden layers.
        DataError: a negative weight, a class without a sample (those of weight 0 do not count), or one sample of each
            class and nothing else.
    """
    *_, normalization, output = (layer for layer in classifier.layers if layer.weights)
    if not isinstance(normalization, layers.BatchNormalization):
        raise ConfigError(f'head="{kind}" computes a linear head: build the classifier without hidden_units.')
    samples, distorted = _counting(samples), _counting(distorted)
    classes = len(np.unique(samples.y))
    if classes < output.units:
        raise DataError(f'head="{kind}" needs samples of all {output.units} classes. Received {classes} classes.')
    encoder = keras.Model(classifier.input, normalization.input)
    if kind == "auto":
        kind = choose(_features(encoder, samples))
    if kind == "discriminant":
        samples = distorted
        if len(samples.y) == output.units:
            raise DataError(
                f'head="discriminant" needs at least two samples of some class. Received {len(samples.y)} samples of'
                f" {output.units} classes. Pass an augmentation, which adds distorted copies."
            )
    mean, variance, kernel, bias = fit(kind, _features(encoder, samples), normalization.epsilon)
    normalization.set_weights([np.ones_like(mean), np.zeros_like(mean), mean, variance])
    output.set_weights([kernel, bias])


def choose(features: Labelled) -> str:
    """The kind of head with the better cross-validated accuracy on features (samples, units).

    Where some class has a single sample nothing can be held out, and of so few samples "discriminant" makes more.
    """
    from sklearn.model_selection import StratifiedKFold

    folds = min(_FOLDS, int(np.bincount(features.y).min()))
    if folds < 2:
        return "discriminant"
    scores = dict.fromkeys(("discriminant", "regression"), 0.0)
    for train, test in StratifiedKFold(folds).split(features.x, features.y):
        held_out = _part(features, test)
        for kind in scores:
            mean, variance, kernel, bias = fit(kind, _part(features, train))
            right = (((held_out.x - mean) / _deviation(variance)) @ kernel + bias).argmax(axis=1) == held_out.y
            scores[kind] += np.average(right, weights=held_out.weights)
    return max(scores, key=lambda kind: scores[kind])


def fit(kind: str, features: Labelled, epsilon: float = 0.0) -> tuple[np.ndarray, ...]:
    """Mean and variance of features (samples, units), and kernel (units, classes) and bias for the normalised ones.

    `epsilon` is added to the variance, as the layer does that normalises.
    """
    x, y, weights = features.x.astype("float64"), features.y, features.weights
    mean = np.average(x, axis=0, weights=weights)
    variance = np.average(np.square(x - mean), axis=0, weights=weights)
    solver = {"discriminant": _discriminant, "regression": _regression}[kind]
    return mean, variance, *solver((x - mean) / _deviation(variance + epsilon), y, weights)


def _regression(x, y, weights):
    from sklearn.linear_model import LogisticRegression

    solved = LogisticRegression(max_iter=1000).fit(x, y, sample_weight=weights)
    kernel, bias = solved.coef_.T, solved.intercept_
    if kernel.shape[1] == 1:  # scikit-learn gives one row for two classes
        kernel, bias = np.hstack([-kernel / 2, kernel / 2]), np.concatenate([-bias / 2, bias / 2])
    return kernel, bias


def _discriminant(x, y, weights):
    """Linear discriminant analysis: scikit-learn's with solver="lsqr" and shrinkage="auto", which takes no weights."""
    classes = [y == label for label in np.unique(y)]
    priors = np.array([weights[c].sum() for c in classes]) / weights.sum()
    means = np.array([np.average(x[c], axis=0, weights=weights[c]) for c in classes])
    covariance = sum(p * _covariance(x[c], weights[c]) for p, c in zip(priors, classes, strict=True))
    kernel = np.linalg.lstsq(covariance, means.T, rcond=None)[0]
    return kernel, np.log(priors) - np.sum(means.T * kernel, axis=0) / 2


def _covariance(x, weights):
    """Covariance of weighted samples (samples, units), shrunk by the method of Ledoit and Wolf.

    Source: Ledoit and Wolf, "A well-conditioned estimator for large-dimensional covariance matrices", 2004.
    """
    count, units = weights.sum(), x.shape[1]
    x = x - np.average(x, axis=0, weights=weights)
    scale = _deviation(np.average(np.square(x), axis=0, weights=weights))
    x = x / scale
    covariance = (weights * x.T) @ x / count
    mean_variance, squares = np.trace(covariance) / units, np.sum(covariance**2)
    spread = squares / units - mean_variance**2
    noise = (np.average(np.sum(x**2, axis=1) ** 2, weights=weights) - squares) / (count * units)
    shrinkage = min(noise / spread, 1.0) if spread > 1e-12 else 0.0
    shrunk = (1 - shrinkage) * covariance + shrinkage * mean_variance * np.eye(units)
    return scale[:, None] * shrunk * scale


def _deviation(variance):
    return np.sqrt(np.where(variance > 0, variance, 1.0))


def _features(encoder, samples):
    return samples._replace(x=forward(lambda x: encoder(x, training=False), samples.x))


def _counting(samples):
    """The samples that count: those whose weight is not 0."""
    if samples.weights.min() < 0:
        raise DataError(f"A computed head needs weights of at least 0. Received {samples.weights.min():g}.")
    return _part(samples, samples.weights > 0)


def _part(samples, chosen):
    return Labelled(*(array[chosen] for array in samples))
