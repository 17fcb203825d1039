"""`zoo.recommend`: which pretrained model serves somebody's own data."""

import dataclasses
import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from zoo.catalog.load import load, load_encoder
from zoo.core import checks
from zoo.core.errors import DataError
from zoo.core.terminal import progress
from zoo.data import load as load_data
from zoo.data.source import Source
from zoo.recommending import accuracy, candidates, detection, device, verdict
from zoo.recommending.result import Recommendation, Row
from zoo.recommending.samples import Samples, checked

_EXPORTED = 3  # of the best models, an int8 file is made and measured
_SIDE_OF_MIXED = 96  # pixels a side that pictures of several sizes are brought to
_NEVER_TRIED = (
    "fine-tuning of whole encoders (zoo.fine_tune often adds some points)",
    "training on your samples without labels",
)


def recommend(
    x: Any,
    y: Any = None,
    *,
    anomalies: Any = None,
    models: str | Sequence[str | os.PathLike] = "*",
    samples: int = 1000,
    seed: int = 0,
    device_cost: bool = True,
) -> Recommendation:
    """Which pretrained encoder serves your data: each that can take it, measured on it.

    With labels, each encoder gets the linear heads of `zoo.fine_tune` on its frozen features, and the better one's
    accuracy in a stratified cross-validation stands in the table, next to a regression on the values as they are, one
    on their principal components, and a small network trained from scratch on the same splits. With normal samples
    alone it is the AUROC against `anomalies`, next to PCA, Isolation Forest and nearest neighbours; without any
    anomalies only how well normal samples are reconstructed, which recommends nothing.

    Pictures are resized to what an encoder takes, colour becomes grey for grey encoders.

    Args:
        x: what `zoo.data.load` takes: an array (samples, ...), a folder split/class/*.jpg, a file, a dataset's name.
            Of data with splits it is the training samples.
        y: labels (samples,) of an array: integers or strings. Folders and datasets bring their own.
        anomalies: the same as `x`, of samples that are not normal; labels of `x` are then not used.
        models: the pretrained models to try: a shell-style pattern of their names, or a list of what `zoo.load` takes.
        samples: how many samples are used at most, of each class its share.
        seed: of this choice and of the splits.
        device_cost: export the three best encoders in int8, and measure size and time of these files.

    Returns:
        Recommendation: a table, the name of the best, one sentence. ``print`` shows all.

    Raises:
        DataError: samples of a single class, a class with one sample, equal samples, or samples that no pretrained
            model takes.

    Example:
        >>> found = zoo.recommend("photos")
        >>> encoder = zoo.load_encoder(found.best, **found.options)
    """
    most = checks.positive_integer("samples", samples, least=10)
    source = _source(x, y)
    labelled = anomalies is None and source.labels is not None
    chosen = Samples(checked(source, labelled=labelled), most, seed, by_class=labelled)
    found, left_out = candidates.find(models, chosen)
    if labelled:
        results, measure = _by_accuracy(chosen, found, seed), "accuracy"
    elif anomalies is not None:
        odd = Samples(checked(_source(anomalies), labelled=False), most, seed, by_class=False)
        results, measure = _by_auroc(chosen, odd, found, seed), "AUROC"
    else:
        results, measure = _by_spread(chosen, found), "unexplained"
    sign = 1 if measure == "unexplained" else -1
    ranked = sorted((row for row, _ in results), key=lambda row: (sign * row.value, row.parameters or 0))
    if device_cost:
        ranked = _with_device_cost(ranked, {c.name: c for c in found}, chosen)
    values = {row.model: values for row, values in results}
    best, sentence = verdict.of(ranked, values, measure, chosen)
    not_tried = {**left_out, **dict.fromkeys(_NEVER_TRIED, ())}
    if chosen.total > len(chosen):
        not_tried[f"{chosen.total - len(chosen):,} of your {chosen.total:,} samples (samples={most})"] = ()
    known = tuple(c.name for c in found if c.card.dataset.name == chosen.source.name)
    return Recommendation(tuple(ranked), measure, best, sentence, not_tried, len(chosen), known)


def _source(data, labels=None):
    if labels is not None:
        return Source(np.asarray(getattr(data, "samples", data)), np.asarray(labels), getattr(data, "name", "array"))
    try:
        return load_data(data, "train", stream=False)
    except DataError as error:
        if "differ in size" not in str(error):
            raise
        return load_data(data, "train", shape=(_SIDE_OF_MIXED, _SIDE_OF_MIXED, 3), stream=False)


def _by_accuracy(samples, found, seed):
    labels = samples.source.labels
    splits = accuracy.folds(labels, seed)
    rows = []
    with progress(len(found) + 3, "recommend", "models") as advance:
        for candidate in found:
            encoder = load_encoder(candidate.model, **candidate.options)
            values = accuracy.features(encoder, samples.at(candidate.shape))
            head, results = accuracy.of_features(values, labels, splits)
            rows.append((_row(candidate, head, results, encoder), results))
            advance()
        x = samples.at(_for_baselines(samples))
        for name, method, results in accuracy.baselines(x, labels, splits):
            rows.append((_baseline(name, method, results, x), results))
            advance()
    return rows


def _by_auroc(samples, anomalies, found, seed):
    splits = detection.folds(len(samples), seed)
    rows = []
    with progress(len(found) + len(detection.detectors.DETECTORS), "recommend", "models") as advance:
        for candidate in found:
            model = load(candidate.model)
            x, odd = samples.at(candidate.shape), anomalies.at(candidate.shape)
            score, results = detection.of_model(model, x, odd, splits)
            rows.append((_row(candidate, score, results, model.encoder), results))
            advance()
        shape = _for_baselines(samples)
        x, odd = samples.at(shape), anomalies.at(shape)
        for name, method, results in detection.baselines(x, odd, splits):
            rows.append((_baseline(name, method, results, x), results))
            advance()
    return rows


def _by_spread(samples, found):
    rows = []
    with progress(len(found), "recommend", "models") as advance:
        for candidate in found:
            model = load(candidate.model)
            results = detection.spread(model, samples.at(candidate.shape))
            row = _row(candidate, "reconstruction error", np.array(results[:1]), model.encoder)
            rows.append((dataclasses.replace(row, spread=results[1]), None))
            advance()
    return rows


def _row(candidate, method, results, encoder):
    return Row(
        candidate.name,
        True,
        method,
        float(results.mean()),
        float(results.std()),
        candidate.shape,
        encoder.count_params(),
        options=candidate.options,
    )


def _baseline(name, method, results, x):
    return Row(name, False, method, float(results.mean()), float(results.std()), x.shape[1:])


def _for_baselines(samples):
    """The shape that baselines are given: the samples' own, pictures with sides of 32 pixels at most."""
    shape = samples.source.shape
    if not samples.is_image:
        return shape
    return (*(min(side, accuracy.SIDE) for side in shape[:2]), shape[2])


def _with_device_cost(ranked, found, samples):
    """The rows, those of the best models with the cost of their int8 files."""
    costs = {}
    exported = [row for row in ranked if row.pretrained][:_EXPORTED]
    with progress(len(exported), "int8 files", "models") as advance:
        for row in exported:
            encoder = load_encoder(found[row.model].model, **row.options)
            costs[row.model] = device.cost(encoder, samples.at(row.shape))
            advance()
    unknown = device.Cost(None, None)
    return [dataclasses.replace(row, **costs.get(row.model, unknown)._asdict()) for row in ranked]
