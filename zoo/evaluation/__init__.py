"""Evaluation: reconstruction error, and what the latent features are good for."""

import numpy as np

from zoo import data
from zoo.errors import DataError, unknown_name
from zoo.evaluation.neighbours import knn_accuracy
from zoo.evaluation.reconstruction import binary_cross_entropy, mean_squared_error

_SAMPLES_OF_A_STREAM = 60_000

METRICS = ("mse", "bce", "knn_accuracy")


def evaluate(model_or_name, dataset=None, metrics=None):
    """Measure an autoencoder on the whole test split of a dataset.

    Of a split larger than a quarter of the free memory, the first 60,000 samples are taken.

    Args:
        model_or_name: Autoencoder, or what `zoo.load` takes.
        dataset: what `zoo.data.load` takes; by default the dataset of the model's card. Arrays and files count as the
            test split.
        metrics: names among "mse", "bce" (means over every element; "bce" for sigmoid outputs) and "knn_accuracy"
            (k = 7, Euclidean, uniform weights, latent features of the train split as neighbours; needs labels).
            By default all that the model and the dataset allow.

    Returns:
        dict of metric name to float.

    Raises:
        UnknownNameError: an unknown metric.
        DataError: no dataset given and none in a card, or a metric that the dataset does not allow.

    Example:
        >>> zoo.evaluate("mnist-feed-forward-8", metrics=["knn_accuracy"])
        {'knn_accuracy': 0.8989}
    """
    for metric in metrics or ():
        if metric not in METRICS:
            raise unknown_name("metric", metric, METRICS)
    model, dataset = _resolve(model_or_name, dataset)
    test = _load(dataset, "test", model.input_shape if len(model.input_shape) == 3 else None)
    has_train_split = isinstance(dataset, str) and test.labels is not None and test.split == "test"
    possible = {"mse": True, "bce": model.unit_range, "knn_accuracy": has_train_split}
    if metrics is None:
        metrics = [metric for metric in METRICS if possible[metric]]
    for metric in metrics:
        if not possible[metric]:
            needs = "a sigmoid output" if metric == "bce" else "a dataset with labels and a train and a test split"
            raise DataError(f"Metric {metric!r} needs {needs}. Received dataset {test.name!r}.")
    results = {}
    pixels = test.pixels()
    if {"mse", "bce"} & set(metrics):
        reconstruction = model.reconstruct(pixels)
        measures = {"mse": mean_squared_error, "bce": binary_cross_entropy}
        results = {m: measures[m](pixels, reconstruction) for m in metrics if m in measures}
    if "knn_accuracy" in metrics:
        train = _load(dataset, "train", test.shape)
        latents = [np.reshape(model.encode(part), (len(part), -1)) for part in (train, test)]
        results["knn_accuracy"] = knn_accuracy(latents[0], train.labels, latents[1], test.labels)
    return {metric: results[metric] for metric in metrics}


def _load(dataset, split, shape):
    source = data.load(dataset, split, shape=shape, stream="auto")
    return source.head(_SAMPLES_OF_A_STREAM) if isinstance(source, data.Stream) else source


def _resolve(model_or_name, dataset):
    from zoo.autoencoder import Autoencoder
    from zoo.catalog.card import card
    from zoo.catalog.load import load

    model = model_or_name if isinstance(model_or_name, Autoencoder) else load(model_or_name)
    if dataset is None and model is not model_or_name:
        dataset = card(model_or_name).dataset.get("name")
    if dataset is None:
        raise DataError("No dataset to evaluate on: pass dataset=, for instance dataset='digits'.")
    return model, dataset
