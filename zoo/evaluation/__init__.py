"""Evaluation: reconstruction, latent features, anomalies, denoising, sparsity, each beside a baseline."""

import dataclasses
from collections.abc import Callable

import numpy as np

from zoo.core.errors import DataError, unknown_name
from zoo.evaluation import anomaly, baselines, denoising, reconstruction, representation, sparsity
from zoo.evaluation.context import Subject

# What is far from what a model was trained on, where a user names nothing.
_ANOMALIES = {"mnist": "fashion_mnist", "fashion_mnist": "mnist"}


def _always(subject):
    return ""


def _needs_labels(subject):
    return "" if subject.test.labels is not None else "a dataset with labels"


def _needs_train_split(subject):
    return "" if subject.has_train_split else "a dataset with a train and a test split"


def _needs_labelled_splits(subject):
    return _needs_labels(subject) or _needs_train_split(subject)


def _needs_room_for_pca(subject):
    most = min(len(subject.test), int(np.prod(subject.test.shape)))
    few = int(np.prod(subject.model.latent_shape)) < most
    return _needs_train_split(subject) or ("" if few else "fewer latent features than samples have elements")


def _needs_anomalies(subject):
    return "" if subject.anomalies is not None else "a dataset of anomalies: pass anomalies=, such as 'mnist'"


@dataclasses.dataclass(frozen=True)
class _Group:
    """Metrics that are computed together.

    Attributes:
        metrics: their names.
        compute: function from a `Subject` to a dictionary of those that apply.
        needs: function from a `Subject` to what is missing, "" if nothing is.
    """

    metrics: tuple
    compute: Callable
    needs: Callable = _always


_GROUPS = {
    "reconstruction": _Group(("mse", "bce", "psnr", "ssim", "explained_variance"), reconstruction.all_of),
    "pca": _Group(("pca_mse", "pca_psnr", "pca_explained_variance"), baselines.pca_of, _needs_room_for_pca),
    "neighbours": _Group(("knn_accuracy",), representation.neighbours_of, _needs_labelled_splits),
    "pixels_neighbours": _Group(("pixels_knn_accuracy",), baselines.pixels_neighbours_of, _needs_labelled_splits),
    "probe": _Group(("linear_probe_accuracy",), representation.probe_of, _needs_labelled_splits),
    "pixels_probe": _Group(("pixels_linear_probe_accuracy",), baselines.pixels_probe_of, _needs_labelled_splits),
    "clusters": _Group(("cluster_nmi", "cluster_ari"), representation.clusters_of, _needs_labels),
    "anomaly": _Group(("anomaly_auroc",), anomaly.other_dataset_of, _needs_anomalies),
    "one_class_out": _Group(("one_class_out_auroc",), anomaly.one_class_out_of, _needs_labelled_splits),
    "denoising": _Group(
        tuple(f"psnr_{state}_{level}" for level in denoising.LEVELS for state in ("corrupted", "denoised")),
        denoising.denoising_of,
        lambda subject: "" if subject.model.corruption else "a denoising autoencoder",
    ),
    "sparsity": _Group(
        ("active_units", "dead_fraction", "activation_frequency_median", "activation_frequency_max"),
        sparsity.sparsity_of,
        lambda subject: "" if subject.model.sparsity else "a sparse autoencoder",
    ),
}
_GROUP_OF = {metric: group for group, members in _GROUPS.items() for metric in members.metrics}
METRICS = tuple(_GROUP_OF)


def evaluate(model_or_name, dataset=None, metrics=None, *, anomalies=None):
    """Measure an autoencoder on the whole test split of a dataset.

    Of a split larger than a quarter of the free memory, the first 60,000 samples are taken. Latent maps of more than
    1,024 values are read as the mean of each map over the quadrants of the image, by all metrics of latent features.

    =====================  ============================================================================================
    reconstruction         mse, bce (sigmoid outputs only), psnr in dB, ssim (images only), explained_variance
    pca                    pca_mse, pca_psnr, pca_explained_variance: PCA with as many components as latent features
    latent features        knn_accuracy (k = 7), linear_probe_accuracy (logistic regression), beside
                           pixels_knn_accuracy and pixels_linear_probe_accuracy; cluster_nmi and cluster_ari (k-means)
    anomalies              anomaly_auroc (reconstruction error, another dataset as anomalies), one_class_out_auroc
                           (distance between latent features, each class in turn as the anomaly)
    denoising              psnr_corrupted_* and psnr_denoised_* for * = low, medium, high: 0.5, 1 and 1.5 times the
                           corruption of the training
    sparsity               active_units (L0), dead_fraction, activation_frequency_median, activation_frequency_max
    =====================  ============================================================================================

    Args:
        model_or_name: Autoencoder, or what `zoo.load` takes.
        dataset: what `zoo.data.load` takes; by default the dataset of the model's card. Arrays and files count as the
            test split.
        metrics: names among those above. By default all that the model and the dataset allow.
        anomalies: dataset whose test split counts as anomalies; by default Fashion-MNIST for MNIST, and the reverse.

    Returns:
        dict of metric name to float.

    Raises:
        UnknownNameError: an unknown metric.
        DataError: no dataset given and none in a card, samples that the model does not take, a metric that the model
            or the dataset does not allow, or too few samples for it.

    Example:
        >>> zoo.evaluate("mnist-feed-forward-8", metrics=["knn_accuracy"])
        {'knn_accuracy': 0.8989}
    """
    for metric in metrics or ():
        if metric not in METRICS:
            raise unknown_name("metric", metric, METRICS)
    model, dataset = _resolve(model_or_name, dataset)
    if anomalies is None and isinstance(dataset, str):
        anomalies = _ANOMALIES.get(dataset)
    subject = Subject(model, dataset, anomalies)
    asked = METRICS if metrics is None else metrics
    missing = {name: group.needs(subject) for name, group in _GROUPS.items() if set(group.metrics) & set(asked)}
    for metric in metrics or ():
        if missing[_GROUP_OF[metric]]:
            raise _inapplicable(metric, missing[_GROUP_OF[metric]], subject)
    results = {}
    for name in missing:
        if not missing[name]:
            results.update(_GROUPS[name].compute(subject))
    for metric in metrics or ():
        if metric not in results:
            needs = "a sigmoid output" if metric == "bce" else "images of shape (height, width, channels)"
            raise _inapplicable(metric, needs, subject)
    return {metric: results[metric] for metric in asked if metric in results}


def _inapplicable(metric, needs, subject):
    name = subject.dataset if isinstance(subject.dataset, str) else subject.test.name
    return DataError(
        f"Metric {metric!r} needs {needs}. Received a model of shape {subject.model.input_shape} and dataset {name!r};"
        " leave metrics out for all that apply."
    )


def _resolve(model_or_name, dataset):
    from zoo.autoencoder import Autoencoder
    from zoo.catalog.load import load
    from zoo.catalog.lookup import card

    model = model_or_name if isinstance(model_or_name, Autoencoder) else load(model_or_name)
    if dataset is None and model is not model_or_name:
        dataset = card(model_or_name).dataset.name
    if dataset is None:
        raise DataError("No dataset to evaluate on: pass dataset=, for instance dataset='digits'.")
    return model, dataset
