"""Picture of what `zoo.evaluate_series` found: a series, its anomalies, and the scores of its windows."""

import numpy as np

_POINTS = 4000  # that are drawn of a line; of more, the least and the highest of each stretch
_WIDE = 40  # scores whose largest is so many times their median have a logarithmic axis
_CHANNELS = 3


def draw(evaluation, file, dpi=120):
    """Draw series and scores, one above the other, into a PNG file.

    Args:
        evaluation: `zoo.evaluation.long_series.SeriesEvaluation`.
        file: path or binary file.
    """
    from matplotlib.figure import Figure

    series, rate = evaluation.series, evaluation.series.sampling_rate or 1
    scores, threshold = evaluation.scores["model"], evaluation.thresholds["model"]
    figure = Figure(figsize=(10, 4.8), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True)
    values = np.asarray(series.values[:])[:, :_CHANNELS]
    for number, channel in enumerate(values.T):
        name = series.channels[number] if series.channels else None
        upper.plot(*_thinned(np.arange(len(channel)) / rate, channel), lw=0.6, color=f"C{number}", label=name)
    upper.set_title(series.name, fontsize=9)
    upper.set_ylabel(series.unit or "value", fontsize=8)
    complete = (np.arange(len(scores)) * evaluation.hop + evaluation.length - 1) / rate
    lower.plot(*_thinned(complete, scores), lw=0.6, color="tab:blue", label="score at the end of a window")
    lower.axhline(threshold, color="black", ls="--", lw=1, label=f"threshold {threshold:.3g}")
    if scores.min() > 0 and scores.max() > _WIDE * np.median(scores):
        lower.set_yscale("log")
    lower.set_ylabel("score", fontsize=8)
    lower.set_xlabel("s" if series.sampling_rate else "moment", fontsize=8)
    for axis in (upper, lower):
        for number, (first, last) in enumerate(evaluation.anomalies):
            label = "anomaly" if number == 0 else None
            axis.axvspan((first - 0.5) / rate, (last + 0.5) / rate, color="tab:red", alpha=0.2, lw=0, label=label)
        axis.axvspan(0, evaluation.normal_until / rate, color="0.9", lw=0, zorder=0, label="normal, not judged")
        axis.tick_params(labelsize=7)
        axis.legend(fontsize=6, loc="upper right")
    upper.margins(x=0)
    figure.savefig(file, dpi=dpi, format="png")


def _thinned(x, y):
    """A line as few points: of each stretch the least and the highest, in their order."""
    stretch = -(-len(y) // (_POINTS // 2))
    if stretch <= 2:
        return x, y
    begins = np.arange(0, len(y), stretch)
    parts = [y[begin : begin + stretch] for begin in begins]
    chosen = [
        np.sort((begin + part.argmin(), begin + part.argmax())) for begin, part in zip(begins, parts, strict=True)
    ]
    chosen = np.concatenate(chosen)
    return x[chosen], y[chosen]
