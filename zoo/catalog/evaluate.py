"""Evaluating pretrained models: names of models and datasets become what `zoo.evaluation` measures."""

import os
from collections.abc import Sequence
from typing import Any

from zoo.autoencoder import Autoencoder
from zoo.catalog.load import load
from zoo.catalog.lookup import card
from zoo.core.errors import ConfigError, DataError
from zoo.data.recordings import read_series
from zoo.data.series import Series
from zoo.evaluation.baselines import Baselines
from zoo.evaluation.long_series import SeriesEvaluation, score_series
from zoo.evaluation.measure import check, measure, needs
from zoo.evaluation.metrics import OF_THE_TRAIN_SPLIT
from zoo.evaluation.nab import training_points
from zoo.evaluation.samples import in_memory, load_for

# What is far from what a model was trained on, where a user names nothing.
_ANOMALIES = {"mnist": "fashion_mnist", "fashion_mnist": "mnist"}


def evaluate(
    model_or_name: Autoencoder | str | os.PathLike,
    dataset: Any = None,
    metrics: Sequence[str] | str | None = None,
    *,
    anomalies: Any = None,
    normal: int | str | Sequence[int | str] | None = None,
) -> dict[str, float]:
    """Measure an autoencoder on the whole test split of a dataset.

    Of a split larger than a quarter of the free memory, the first 60,000 samples are taken. Latent maps of more than
    1,024 values are read as the mean of each map over the quadrants of the image, by all metrics of latent features.

    =====================  ============================================================================================
    reconstruction         mse, bce (sigmoid outputs only), psnr in dB, ssim (images only), explained_variance
    pca                    pca_mse, pca_psnr, pca_explained_variance: PCA with as many components as latent features
    latent features        knn_accuracy (k = 7), linear_probe_accuracy (logistic regression), and as their baselines
                           pixels_knn_accuracy and pixels_linear_probe_accuracy; cluster_nmi and cluster_ari (k-means)
    anomalies              anomaly_auroc (reconstruction error, another dataset as anomalies), one_class_out_auroc
                           (distance between latent features, each class in turn as the anomaly)
    detection              auroc, average_precision, partial_auroc (false-positive rates up to 0.1), f1_at_threshold:
                           of the anomaly score, normal classes against all others; as their baselines pca_*,
                           isolation_forest_* and nearest_neighbours_*, fitted on normal training samples
    denoising              psnr_corrupted_* and psnr_denoised_*, of signals snr_*, for * = low, medium, high: 0.5, 1
                           and 1.5 times the corruption of the training
    sparsity               active_units (L0), dead_fraction, activation_frequency_median, activation_frequency_max
    =====================  ============================================================================================

    Args:
        model_or_name: Autoencoder, or what `zoo.load` takes.
        dataset: what `zoo.data.load` takes; by default the dataset of the model's card. Arrays and files count as the
            test split.
        metrics: names among those above, or one name. By default all that the model and the dataset allow.
        anomalies: dataset whose test split counts as anomalies; by default Fashion-MNIST for MNIST, and the reverse.
        normal: the class or classes of the dataset's labels that are normal, as numbers or names; all others count as
            anomalies. By default the normal class of the dataset (`zoo.data.Source.normal_class`); without one, nothing
            is measured of detection. The threshold is the model's own, or the score that 99 % of the last fifth of the
            normal training samples do not exceed: too low, if the model was trained on these.

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
    return Evaluator().evaluate(model_or_name, dataset, metrics, anomalies=anomalies, normal=normal)


def evaluate_series(
    model_or_name: Autoencoder | str | os.PathLike,
    series: Any,
    hop: int | None = None,
    *,
    normal_until: int | None = None,
    threshold: float | None = None,
    channels: Sequence[str | int] | None = None,
    **reading: Any,
) -> SeriesEvaluation:
    """Measure a detector of anomalies on a long series in which the anomalies are labelled, next to other detectors.

    PCA with as many components as the model has latent features, Isolation Forest and the distance to 5 neighbours see
    the same windows, preprocessed as by the model, and are fitted on those of the begin of the series.

    ======================  ===========================================================================================
    auroc                   of the windows, those that touch an anomaly against all others
    average_precision       of the same
    vus_pr                  volume under the precision-recall surface, range-aware, with a buffer of up to one window;
                            see `zoo.evaluation.volume`. A point has the mean score of the windows that it is in
    nab_score               score of the Numenta Anomaly Benchmark, standard profile, of alarms at the threshold, each
                            at the last moment of its window; 0 for none. See `zoo.evaluation.nab`
    best_nab_score          the same at the threshold that is best for it, which nobody knows beforehand
    f1_at_threshold         of the windows; nothing is adjusted
    false_alarms_per_hour   windows above the threshold among those without anomaly, if the sampling rate is known
    ======================  ===========================================================================================

    Only windows from `normal_until` on are judged.

    Args:
        model_or_name: Autoencoder of windows (length,) or (length, channels), or what `zoo.load` takes.
        series: `zoo.data.Series` with labels; or what `zoo.data.read_series` takes, such as a file with a column
            "label", or "nab/realKnownCause/nyc_taxi".
        hop: moments from the begin of a window to that of the next; by default the window's length.
        normal_until: number of the first moments, which are normal; by default the first 15 %, of a series of NAB at
            most 750. The baselines are fitted on the first four fifths of the windows in there, without those that are
            labelled as anomalous. Thresholds are the score that 99 % of the others do not exceed.
        threshold: of the model; by default its own. If it has none, it is taken as for the baselines.
        channels: names or numbers of the channels, as for `zoo.data.windows`.
        reading: options of `read_series` for a file, such as `anomalies`, a file of the times of the anomalies.

    Returns:
        SeriesEvaluation: `metrics`, a dict, with those of the baselines as "pca_auroc" and so on; the scores of all
        windows and the thresholds.

    Raises:
        DataNotFoundError: no such file.
        DataError: a series without labels, anomalies or enough normal windows, or that the model does not take.

    Example:
        >>> found = zoo.evaluate_series(model, "pump_test.csv", hop=16, normal_until=15_000)
        >>> found.metrics["vus_pr"], found.metrics["pca_vus_pr"]
        (0.912, 0.874)
    """
    is_nab = isinstance(series, str) and series.startswith("nab/")
    if not isinstance(series, Series):
        series = read_series(series, **reading)
    elif reading:
        raise ConfigError(f"Options of reading are for files: {series.name} is read already. Received {list(reading)}.")
    if is_nab and normal_until is None:
        normal_until = training_points(len(series))
    model = model_or_name if isinstance(model_or_name, Autoencoder) else load(model_or_name)
    found = score_series(model, series, hop, normal_until=normal_until, threshold=threshold, channels=channels)
    _ = found.metrics  # whose errors belong here
    return found


class Evaluator:
    """Evaluates several models, and reads each dataset and computes its baselines once for all of them.

    What it has read stays in memory as long as the `Evaluator` itself.
    """

    def __init__(self):
        self._sources, self._baselines = {}, {}

    def evaluate(self, model_or_name, dataset=None, metrics=None, *, anomalies=None, normal=None) -> dict:
        """As `zoo.evaluate`."""
        if metrics is not None:
            metrics = [metrics] if isinstance(metrics, str) else list(metrics)
        model = model_or_name if isinstance(model_or_name, Autoencoder) else load(model_or_name)
        if dataset is None and model is not model_or_name:
            stated = card(model_or_name).dataset
            dataset, normal = stated.to_load, stated.normal if normal is None else normal
        if dataset is None:
            raise DataError("No dataset to evaluate on: pass dataset=, for instance dataset='digits'.")
        check(model, metrics)
        test = self.samples(model, dataset, "test")
        train = None
        if needs(metrics, *OF_THE_TRAIN_SPLIT) and isinstance(dataset, str) and test.split == "test":
            train = self.samples(model, dataset, "train")
        anomalies = default_anomalies(dataset) if anomalies is None else anomalies
        if anomalies is not None and needs(metrics, "anomalies"):
            anomalies = self.samples(model, anomalies, "test")
        else:
            anomalies = None
        preprocessing = repr([step.describe() for step in model.preprocessing])
        key = id(train), id(test), preprocessing
        baselines = self._baselines.setdefault(key, Baselines(train, test, model))
        return measure(
            model, test, train=train, anomalies=anomalies, normal=normal, metrics=metrics, baselines=baselines
        )

    def samples(self, model, dataset, split):
        """Source of a split of a dataset, in the shape that a model takes; of a stream, the first 60,000 samples."""
        if not isinstance(dataset, str):  # an array or a source, which is read already
            return in_memory(load_for(model, dataset, split))
        key = dataset, split, model.input_shape
        if key not in self._sources:
            self._sources[key] = in_memory(load_for(model, dataset, split, stream="auto"))
        return self._sources[key]


def default_anomalies(dataset):
    """Name of the dataset that counts as anomalies to another one, or None."""
    return _ANOMALIES.get(dataset) if isinstance(dataset, str) else None
