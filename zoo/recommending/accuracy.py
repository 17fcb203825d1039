"""How well linear heads on frozen features tell the user's classes apart, in a cross-validation."""

from collections.abc import Callable, Iterator

import keras
import numpy as np

from zoo.core.batches import forward
from zoo.evaluation import features as latents
from zoo.transfer import few_labels, heads
from zoo.transfer.fine_tuning import equal_batches

FOLDS = 5
_HELD_OUT = 1000  # predictions that an accuracy rests on, at least: fewer samples are split several times
_MOST_REPEATS = 3
_MOST_UNITS = 512  # of features for a discriminant, whose covariance has their square
SIDE = 32  # pixels of the sides that a regression on pixels and a network from scratch are given at most
_STEPS, _LEAST_EPOCHS = 600, 10  # of the network from scratch

Folds = list[tuple[np.ndarray, np.ndarray]]


def folds(labels: np.ndarray, seed: int) -> Folds:
    """Splits (indices to learn from, indices to test on): five stratified folds, several times for few samples."""
    from sklearn.model_selection import RepeatedStratifiedKFold

    parts = min(FOLDS, int(np.bincount(labels).min()))
    repeats = min(_MOST_REPEATS, -(-_HELD_OUT // len(labels)))
    splitter = RepeatedStratifiedKFold(n_splits=parts, n_repeats=repeats, random_state=seed)
    return list(splitter.split(np.zeros(len(labels)), labels))


def features(encoder: keras.Model, x: np.ndarray) -> np.ndarray:
    """Latent features (samples, features), as `zoo.evaluate` reads them."""
    return latents.read(forward(lambda batch: encoder(batch, training=False), x))


def of_features(values: np.ndarray, labels: np.ndarray, splits: Folds) -> tuple[str, np.ndarray]:
    """The better linear head of `zoo.fine_tune` on features (samples, features), and its accuracy on each split."""
    values = values[:, values.std(axis=0) > 0]
    if not values.shape[1]:  # features that say nothing: what always guessing the most frequent class reaches
        return "regression", np.array([np.mean(labels[b] == np.bincount(labels[a]).argmax()) for a, b in splits])
    kinds = ("discriminant", "regression") if values.shape[1] <= _MOST_UNITS else ("regression",)
    results = {kind: np.array([_accuracy(kind, values, labels, *split) for split in splits]) for kind in kinds}
    best = max(results, key=lambda kind: results[kind].mean())
    return best, results[best]


def _accuracy(kind, values, labels, train, test):
    learnt = heads.Labelled(values[train], labels[train], np.ones(len(train)))
    if kind == "discriminant" and len(train) <= labels.max() + 1:
        return 0.0  # a single sample of each class has no spread
    mean, variance, kernel, bias = heads.fit(kind, learnt)
    scale = np.sqrt(np.where(variance > 0, variance, 1))
    return np.mean((((values[test] - mean) / scale) @ kernel + bias).argmax(axis=1) == labels[test])


def baselines(x: np.ndarray, labels: np.ndarray, splits: Folds) -> Iterator[tuple[str, str, np.ndarray]]:
    """Name, method and accuracies on each split of what needs no pretrained model; of the network on five at most.

    Args:
        x: float32 samples (samples, *shape); pictures of at most `SIDE` pixels a side.
        labels: int labels from 0.
        splits: of `folds`.
    """
    yield "values as they are", "regression", _plain(few_labels.raw_pixels, x, labels, splits)
    yield "principal components", "regression", _plain(few_labels.principal_components, x, labels, splits)
    yield (
        "a small network from scratch",
        "gradient",
        _plain(_FromScratch(x.shape[1:], int(labels.max()) + 1), x, labels, splits),
    )


def _plain(method: Callable, x, labels, splits):
    results = []
    for train, test in splits:
        predict, _ = method(x[train], labels[train])
        results.append(np.mean(predict(x[test]) == labels[test]))
    return np.array(results)


class _FromScratch:
    """A small network, trained anew for each split: two strided convolutions, or a dense layer for what is no picture.

    It is traced once; for each split it gets the same initial weights.
    """

    def __init__(self, shape, classes):
        begin = keras.initializers.GlorotUniform(seed=0)
        about = {"activation": "relu", "kernel_initializer": begin}
        convolutions = [keras.layers.Conv2D(units, 3, 2, "same", **about) for units in (16, 32)]
        flat, hidden = keras.layers.Flatten(), keras.layers.Dense(64, **about)
        layers = [*convolutions, flat] if len(shape) == 3 else [flat, hidden]
        head = keras.layers.Dense(classes, kernel_initializer=begin)
        self._model = keras.Sequential([keras.Input(shape), *layers, head])
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        self._model.compile(keras.optimizers.Adam(1e-3), loss, jit_compile=False)
        self._model.optimizer.build(self._model.trainable_variables)
        self._begin = [v.numpy() for v in (*self._model.variables, *self._model.optimizer.variables)]

    def __call__(self, x, labels):
        for variable, value in zip(
            (*self._model.variables, *self._model.optimizer.variables), self._begin, strict=True
        ):
            variable.assign(value)
        size, order = equal_batches(len(x)), np.random.default_rng(0).permutation(len(x))
        epochs = int(np.clip(_STEPS * size // len(x), _LEAST_EPOCHS, few_labels.EPOCHS))
        self._model.fit(x[order], labels[order], epochs=epochs, batch_size=size, shuffle=False, verbose=0)
        return lambda samples: forward(lambda batch: self._model(batch, training=False), samples).argmax(axis=1), None
