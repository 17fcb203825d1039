"""Linear heads of a classifier that are computed at once from frozen features, instead of trained by `fit`."""

import keras
import numpy as np
from keras import layers

from zoo.core.errors import ConfigError, DataError

_FOLDS = 5


def solve(classifier, x, y, distorted, kind):
    """Set normalisation and weights of a classifier's linear head.

    Args:
        classifier: model of `zoo.classifier` without hidden layers, its encoder with the weights to use.
        x, y: samples as the encoder takes them, and int labels from 0 on.
        distorted: (samples, labels) that consist of `x`, `y` and distorted copies of them; without copies, the same.
        kind: "discriminant": linear discriminant analysis with Ledoit-Wolf shrinkage, of the distorted samples too;
            "regression": logistic regression, of `x` alone, which is what a linear probe is;
            "auto": the one with the better accuracy in a cross-validation on `x`.

    Raises:
        ConfigError: a classifier with hidden layers.
        DataError: a class without a sample, or one sample of each class and nothing else.
    """
    *_, normalization, output = (layer for layer in classifier.layers if layer.weights)
    if not isinstance(normalization, layers.BatchNormalization):
        raise ConfigError(f'head="{kind}" computes a linear head: build the classifier without hidden_units.')
    if len(np.unique(y)) < output.units:
        raise DataError(
            f'head="{kind}" needs samples of all {output.units} classes. Received {len(np.unique(y))} classes.'
        )
    encoder = keras.Model(classifier.input, normalization.input)
    if kind == "auto":
        kind = choose(_features(encoder, x), y)
    if kind == "discriminant":
        x, y = distorted
        if len(y) == output.units:
            raise DataError(
                f'head="discriminant" needs at least two samples of some class. Received {len(y)} samples of'
                f" {output.units} classes. Pass an augmentation, which adds distorted copies."
            )
    features = _features(encoder, x)
    mean, variance = features.mean(axis=0), features.var(axis=0)
    normalization.set_weights([np.ones_like(mean), np.zeros_like(mean), mean, variance])
    solved = _estimator(kind).fit((features - mean) / np.sqrt(variance + normalization.epsilon), y)
    kernel, bias = solved.coef_.T, solved.intercept_
    if output.units == 2:  # scikit-learn gives one row for two classes
        kernel, bias = np.hstack([-kernel / 2, kernel / 2]), np.concatenate([-bias / 2, bias / 2])
    output.set_weights([kernel, bias])


def choose(features, y):
    """The kind of head with the better cross-validated accuracy on features (samples, units) and labels (samples,).

    Where some class has a single sample nothing can be held out, and of so few samples "discriminant" makes more.
    """
    from sklearn.model_selection import cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    folds = min(_FOLDS, int(np.bincount(y).min()))
    if folds < 2:
        return "discriminant"
    scores = {
        kind: cross_val_score(make_pipeline(StandardScaler(), _estimator(kind)), features, y, cv=folds).mean()
        for kind in ("discriminant", "regression")
    }
    return max(scores, key=scores.get)


def _estimator(kind):
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.linear_model import LogisticRegression

    if kind == "discriminant":
        return LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
    return LogisticRegression(max_iter=1000)


def _features(encoder, x):
    return np.concatenate([encoder(x[i : i + 256], training=False) for i in range(0, len(x), 256)])
