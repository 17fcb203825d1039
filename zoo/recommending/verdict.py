"""The one sentence: take this one, or none helps."""

import numpy as np

from zoo.recommending.accuracy import FOLDS
from zoo.recommending.result import Row
from zoo.recommending.samples import Samples

_ERRORS = 2  # standard errors that a difference must exceed, to be no chance


def of(ranked: list[Row], values: dict[str, np.ndarray], measure: str, samples: Samples) -> tuple[str | None, str]:
    """Name of the model to take, None if there is none, and the sentence.

    Args:
        ranked: what was measured, the best first.
        values: name to accuracy or AUROC on each split.
        measure: as of `Recommendation`.
        samples: on which that was.
    """
    best = next(row for row in ranked if row.pretrained)
    if measure == "unexplained":
        return None, (
            f"Without labels or anomalies nothing tells which model detects best. {best.model} reconstructs your"
            f" samples best: all but {best.value:.1%} of their variance. Pass anomalies, a few are enough."
        )
    baseline = next(row for row in ranked if not row.pretrained)
    chance = _chance(measure, samples)
    beyond_chance = values[best.model] - chance
    if beyond_chance.mean() <= _ERRORS * standard_error(beyond_chance):
        return None, f"None helps: {_of(best, measure)}, and chance alone has {chance:.3f}."
    compared = len(values[baseline.model])
    lead = values[best.model][:compared] - values[baseline.model]
    both = f"{_of(best, measure)}, {_of(baseline, '')} on the same {len(samples):,} samples"
    if lead.mean() <= 0:
        return None, f"None helps: {both}. Take the latter, or train a model on your own samples."
    if lead.mean() <= _ERRORS * standard_error(lead):
        return best.model, f"Take {best.model}, though more samples may change that: {both}, which may be chance."
    return best.model, f"Take {best.model}: {both}."


def standard_error(differences: np.ndarray) -> float:
    """Of the mean of differences over splits, which share samples to learn from.

    Source: Nadeau and Bengio, "Inference for the Generalization Error", Machine Learning 52, 2003, section 3.
    """
    tested = 1 / FOLDS
    return float(np.sqrt(differences.var(ddof=1) * (1 / len(differences) + tested / (1 - tested))))


def _chance(measure, samples):
    if measure == "AUROC":
        return 0.5
    return float(np.bincount(samples.source.labels).max() / len(samples))


def _of(row, measure):
    return (
        f"{row.model} ({row.method}) {'reaches ' + measure + ' ' if measure else ''}{row.value:.3f} ± {row.spread:.3f}"
    )
