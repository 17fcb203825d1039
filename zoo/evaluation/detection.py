"""How well anomaly scores tell the normal classes of a labelled dataset from all others, and how well baselines do."""

import math

from zoo.evaluation import anomaly
from zoo.evaluation.detectors import DETECTORS
from zoo.evaluation.threshold import at_quantile, samples_needed

QUANTILE = 0.99  # of normal samples, which a threshold lets pass
_HELD_OUT = 0.2  # share of the normal training samples, its last, that a threshold is taken from


def held_out(samples: int) -> int:
    """How many normal training samples a threshold is taken from: a fifth, and at least as many as it needs."""
    return max(math.ceil(samples * _HELD_OUT), samples_needed(QUANTILE))


def allows_threshold(samples: int) -> bool:
    """Whether so many normal training samples can be parted for a threshold, with as many again to fit on."""
    return samples >= 2 * samples_needed(QUANTILE)


def measures(scores, normal):
    """Metrics without a threshold, of scores (samples,) and whether each sample is normal: dict of name to float."""
    return {
        "auroc": anomaly.auroc(scores[normal], scores[~normal]),
        "average_precision": anomaly.average_precision(scores[normal], scores[~normal]),
        "partial_auroc": anomaly.partial_auroc(scores[normal], scores[~normal]),
    }


def f1(scores, normal, threshold):
    """F1 of the samples above a threshold, of scores (samples,) and whether each sample is normal."""
    return anomaly.at_threshold(scores[normal], scores[~normal], threshold)["f1"]


def of_model(context):
    """Metrics of the model in an `EvaluationContext`."""
    results = measures(context.scores, context.test_normal)
    if context.meets("threshold"):
        results["f1_at_threshold"] = f1(context.scores, context.test_normal, _threshold(context))
    return results


def _threshold(context):
    if context.model.threshold is not None:
        return context.model.threshold
    normal = context.train_normals
    return at_quantile(context.model.score(normal.part(len(normal) - held_out(len(normal)), len(normal))), QUANTILE)


def of_baseline(name, normals, test, test_normal, components):
    """Metrics of one of `DETECTORS`, each named with it.

    The F1 is of a second fit, on the normals without those that its threshold is taken from.

    Args:
        name: key of `DETECTORS`.
        normals: float array (samples, elements) of the normal training samples.
        test: the same of the test samples.
        test_normal: bool array, which of these are normal.
        components: of PCA.
    """
    fit = DETECTORS[name]
    results = measures(fit(normals, components)(test), test_normal)
    if allows_threshold(len(normals)):
        kept = len(normals) - held_out(len(normals))
        score = fit(normals[:kept], components)
        results["f1_at_threshold"] = f1(score(test), test_normal, at_quantile(score(normals[kept:]), QUANTILE))
    return {f"{name}_{metric}": value for metric, value in results.items()}
