"""Measuring a model: every metric of the table that applies to the model and the data."""

import functools
import math
from collections.abc import Callable

from zoo.core.errors import DataError, unknown_name
from zoo.evaluation import anomaly, denoising, detection, reconstruction, representation, sparsity
from zoo.evaluation.context import EvaluationContext, model_meets
from zoo.evaluation.detectors import DETECTORS
from zoo.evaluation.metrics import EVALUATED, METRICS, OF_THE_MODEL, REQUIREMENTS


def measure(model, test, *, train=None, anomalies=None, normal=None, metrics=None, baselines=None) -> dict:
    """Measure an Autoencoder on samples.

    Args:
        model: Autoencoder.
        test: `zoo.data.Source` of samples of the model's shape; of a Stream, the first 60,000 samples are taken.
        train: the same of its training samples, apart from `test`; None leaves out what needs them.
        anomalies: the same of samples that count as anomalies; None leaves out what needs them.
        normal: the class or classes of the labels that are normal, as numbers or names, where all others are
            anomalies; by default the `normal_class` of `test`, and without one what needs it is left out.
        metrics: names of `zoo.evaluation.metrics.EVALUATED`. By default all that the model and the data allow.
        baselines: `Baselines` of `train` and `test`, to compute them once for several models.

    Returns:
        dict of metric name to float, in the order of `metrics`.

    Raises:
        UnknownNameError: an unknown metric.
        DataError: samples that the model does not take, a metric that the model or the data does not allow, or too few
            samples for it.

    Example:
        >>> test = zoo.data.load("digits", "test")
        >>> measure(model, test, metrics=["mse"])
        {'mse': 0.0213}
    """
    check(model, metrics)
    context = EvaluationContext(model, test, train, anomalies, normal, baselines)
    asked = list(EVALUATED if metrics is None else metrics)
    missing = {name: next((r for r in METRICS[name].needs if not context.meets(r)), None) for name in asked}
    for name in metrics or ():
        if missing[name]:
            raise _inapplicable(name, missing[name], model, context.test.name)
    asked = [name for name in asked if not missing[name]]
    results = {}
    for name in asked:
        if name not in results:
            results.update(_COMPUTED_BY[METRICS[name].computed_by](context))
    return {name: results[name] for name in asked}


def check(model, metrics) -> None:
    """Refuse metrics that are unknown, or that a model does not allow on any data, with the errors of `measure`."""
    for name in metrics or ():
        if name not in EVALUATED:
            raise unknown_name("metric", name, EVALUATED)
        for requirement in METRICS[name].needs:
            if requirement in OF_THE_MODEL and not model_meets(model, requirement):
                raise _inapplicable(name, requirement, model)


def needs(metrics, *requirements: str) -> bool:
    """Whether one of these metrics, all if None, needs one of these of `zoo.evaluation.metrics.REQUIREMENTS`."""
    asked = EVALUATED if metrics is None else metrics
    return any(requirement in METRICS[name].needs for name in asked for requirement in requirements)


def _inapplicable(name, requirement, model, dataset=""):
    received = f"a model of shape {model.input_shape}" + (f" and dataset {dataset!r}" if dataset else "")
    return DataError(
        f"Metric {name!r} needs {REQUIREMENTS[requirement]}. Received {received}; leave metrics out for all that apply."
    )


def _reconstruction(context):
    x, restored = context.targets, context.reconstruction
    results = {
        "mse": reconstruction.mean_squared_error(x, restored),
        "psnr": reconstruction.peak_signal_to_noise_ratio(x, restored),
        "explained_variance": reconstruction.explained_variance(x, restored),
    }
    if context.meets("unit range"):
        results["bce"] = reconstruction.binary_cross_entropy(x, restored)
    if context.meets("images"):
        results["ssim"] = reconstruction.structural_similarity(x, restored)
    return results


def _by_features(function, context):
    return function(context.train_latent, context.train.labels, context.latent, context.test.labels)


def _clusters(context):
    information, rand = representation.cluster_agreement(context.latent, context.test.labels)
    return {"cluster_nmi": information, "cluster_ari": rand}


def _anomaly(context):
    return {"anomaly_auroc": anomaly.auroc(context.scores, context.model.score(context.anomalies))}


def _detection_of(name, context):
    return context.baselines.detection(
        name, context.normal, context.train_normals, context.test_normal, math.prod(context.model.latent_shape)
    )


# Key of the table: function from an `EvaluationContext` to the metrics that it computes.
_COMPUTED_BY: dict[str, Callable] = {
    "reconstruction": _reconstruction,
    "pca": lambda c: c.baselines.pca(math.prod(c.model.latent_shape)),
    "neighbours": lambda c: {"knn_accuracy": _by_features(representation.knn_accuracy, c)},
    "neighbours of pixels": lambda c: {"pixels_knn_accuracy": c.baselines.neighbours},
    "probe": lambda c: {"linear_probe_accuracy": _by_features(representation.linear_probe_accuracy, c)},
    "probe of pixels": lambda c: {"pixels_linear_probe_accuracy": c.baselines.probe},
    "clusters": _clusters,
    "anomaly": _anomaly,
    "one class out": lambda c: {"one_class_out_auroc": _by_features(anomaly.one_class_out, c)},
    "detection": detection.of_model,
    **{f"detection of {name}": functools.partial(_detection_of, name) for name in DETECTORS},
    "denoising": lambda c: denoising.gains(c.model, c.targets),
    "sparsity": lambda c: sparsity.usage(c.model.encode(c.test)),
}
