#!/usr/bin/env python
"""Measure a small detector and the baselines on the 58 series of the Numenta Anomaly Benchmark: docs/series.md.

One feed-forward network is trained anew on the first 15 % (at most 750 points) of each series, standardised by these,
which takes about a minute in all. Window, network and training were fixed before anything was measured. Reads
nab_v1.1.zip in ZOO_DATA_DIR.
"""

import collections
import dataclasses
import os
import pathlib
import time

import keras
import numpy as np

import zoo
from zoo.core.errors import DataError
from zoo.core.tables import markdown_table
from zoo.data import nab
from zoo.evaluation.long_series import score_series
from zoo.evaluation.nab import best_nab_score, nab_score, training_points

PAGE = pathlib.Path(__file__).parents[1] / "docs" / "series.md"
LENGTH, LATENT, HIDDEN, EPOCHS = 32, 4, 16, 30
QUANTILE = 0.999  # of the streaming threshold
TITLES = {
    "model": f"autoencoder {LENGTH}-{HIDDEN}-{LATENT}",
    "pca": f"PCA-{LATENT}",
    "isolation_forest": "Isolation Forest",
    "nearest_neighbours": "distance to 5 neighbours",
}
# Of the benchmark's README, standard profile; the two at the end are its own baselines.
PUBLISHED = (
    ("ARTime", 74.9),
    ("Numenta HTM", 70.5),
    ("CAD OSE", 69.9),
    ("Skyline", 58.2),
    ("KNN-CAD", 58.0),
    ("Random Cut Forest", 51.7),
    ("windowed Gaussian", 39.6),
    ("random", 11.0),
)


PAGE_TEXT = """# Long series: how good is a detector?

Windows of a series with labelled anomalies, next to PCA, Isolation Forest and nearest neighbours on the same windows:

```sh
zoo evaluate detector --series pump_test.csv --hop 16 --normal-until 15000 --plot pump.png
zoo evaluate detector --series meter.csv --anomalies faults.csv  # rows from,to: times, seconds, or moments
```

or `zoo.evaluate_series(model, "pump_test.csv", hop=16).metrics`. It gives AUROC and average precision of the windows, VUS-PR (range-aware precision and recall, whatever the threshold), NAB's score and F1 at the threshold, and false alarms per hour. Nothing is point-adjusted. See `help(zoo.evaluate_series)`.

## The Numenta Anomaly Benchmark

58 series, 52 of them with anomalies. A feed-forward autoencoder {length}-{hidden}-{latent} is trained on windows of {length} points from the first 15 % of each series, at most 750 points, which are all that NAB allows; all trainings take {minutes} min on one CPU core. Window, network and training were chosen before anything was measured, and are the same for all series. AUROC and VUS-PR are means over the 52 series.

{results}

NAB's score in the standard profile is 100 for an alarm at the begin of each anomaly and none elsewhere, and 0 without any alarm.

- *streaming*: a `zoo.StreamingThreshold({quantile})` that begins with the normal windows. An alarm counts where it goes on. No label is used.
- *fixed*: the score that 99 % of the last fifth of the normal windows do not exceed; likewise.
- *best common*: each window above one threshold for all series, chosen with the labels, as in NAB's own table; scores are relative to the fixed threshold.
- *best of each*: mean over the series, the threshold of each chosen with its labels. Nobody has it, but it shows what the scores are worth.

{false}

Published, with one threshold chosen with the labels and detectors that go on learning along the series: {published}.

What follows from it:

- VUS-PR of the autoencoder is higher {compared}. The means differ by less than series do: on these short, univariate series an autoencoder is no better than PCA or neighbours in a way that a user would notice.
- A threshold from the first 15 % does not last: most series drift. One that follows the stream is worth more than the choice of the detector.
- All stay far behind detectors that were made for NAB and learn along the whole series. For a series of one channel that drifts, take one of those.

Mean VUS-PR by folder:

{folders}

Written by `scripts/nab.py`.
"""  # noqa: E501


def evaluations():
    """A `SeriesEvaluation` of each series, and the seconds that the trainings took."""
    keras.utils.set_random_seed(0)
    network = zoo.feed_forward((LENGTH,), LATENT, (HIDDEN,), latent_activation="linear", output_activation="linear")
    initial, seconds, found = network.get_weights(), 0.0, []
    network.compile(optimizer=keras.optimizers.Adam(3e-3))
    for _, series in nab.all_series(pathlib.Path(os.environ["ZOO_DATA_DIR"]) / nab.FILE):
        begin = training_points(len(series))
        normal = series.values[:begin]
        standard = dataclasses.replace(series, values=(series.values - normal.mean()) / (normal.std() or 1))
        windows = zoo.data.windows(standard.values[:begin], LENGTH, 1, flat=True, constant="allow")
        network.set_weights(initial)
        for variable in network.optimizer.variables:
            variable.assign(keras.ops.zeros_like(variable) if variable.path.split("/")[-1] != "learning_rate" else 3e-3)
        start = time.monotonic()
        network.fit(windows.part(0, int(0.8 * len(windows))), epochs=EPOCHS, batch_size=64, verbose=0)
        seconds += time.monotonic() - start
        found.append(score_series(network, standard, 1, normal_until=begin))
    return found, seconds


def streaming_alarms(evaluation, name):
    """Alarms (time,) of a streaming threshold that begins with the normal windows; None where these hardly differ."""
    scores = evaluation.scores[name]
    normal = evaluation.normal_until - evaluation.length + 1
    try:
        threshold = zoo.StreamingThreshold(QUANTILE, scores[:normal])
    except DataError:
        return None
    alarms = np.zeros(len(evaluation.series), bool)
    later = [threshold.update(score) for score in scores[normal:]]
    alarms[evaluation.normal_until :] = later
    return alarms


def summary(found, name):
    """A row of the table of one detector."""
    labelled = [each for each in found if each.anomalies]
    key = "" if name == "model" else f"{name}_"
    means = [np.mean([each.metrics[key + metric] for each in labelled]) for metric in ("auroc", "vus_pr")]
    best = np.mean([each.metrics[f"{key}best_nab_score"] for each in labelled])
    fixed = [each.known(name) > each.thresholds[name] for each in found]
    adaptive = [streaming_alarms(each, name) for each in found]
    adaptive = [one if one is not None else other for one, other in zip(adaptive, fixed, strict=True)]
    ranges = [each.anomalies for each in found]
    relative = [each.known(name) / (each.thresholds[name] or 1) for each in found]
    scores = (
        best_nab_score(zip(relative, ranges, strict=True)).score,
        nab_score(zip(map(begins, adaptive), ranges, strict=True)),
        nab_score(zip(map(begins, fixed), ranges, strict=True)),
    )
    rates = [np.mean([alarms(each, one) for each, one in zip(found, part, strict=True)]) for part in (adaptive, fixed)]
    return [*means, best, *scores, *rates]


def begins(alarms):
    """Where alarms go on, as of windows that follow each other only the first is news."""
    return alarms & ~np.append(False, alarms[:-1])


def alarms(evaluation, found):
    """Alarms that go on in a thousand points outside of the anomalies."""
    normal = evaluation.series.labels == 0
    normal[: evaluation.normal_until] = False
    return 1000 * (begins(found) & normal).sum() / normal.sum()


def wins(found, other):
    """How many of the series with anomalies the autoencoder has the higher VUS-PR on, and the median difference."""
    differences = [each.metrics["vus_pr"] - each.metrics[f"{other}_vus_pr"] for each in found if each.anomalies]
    return sum(difference > 0 for difference in differences), len(differences), np.median(differences)


def groups(found):
    """Rows of mean VUS-PR in each folder of the benchmark."""
    by_folder = collections.defaultdict(list)
    for each in found:
        if each.anomalies:
            by_folder[each.series.name.split("/")[0]].append(each.metrics)
    keys = ["vus_pr", *(f"{name}_vus_pr" for name in TITLES if name != "model")]
    for folder, metrics in by_folder.items():
        yield [folder, str(len(metrics)), *(f"{np.mean([each[key] for each in metrics]):.3f}" for key in keys)]


def main():
    found, seconds = evaluations()
    rows = {name: summary(found, name) for name in TITLES}
    results = markdown_table(
        ["detector", "AUROC", "VUS-PR", "NAB, streaming", "NAB, fixed", "NAB, best common", "NAB, best of each"],
        [
            [TITLES[name], f"{roc:.3f}", f"{pr:.3f}", *(f"{value:.1f}" for value in (streaming, fixed, common, best))]
            for name, (roc, pr, best, common, streaming, fixed, *_) in rows.items()
        ],
    )
    false = markdown_table(
        ["alarms that go on, in 1,000 points without anomaly", *TITLES.values()],
        [[title, *(f"{row[i]:.1f}" for row in rows.values())] for title, i in (("streaming", 6), ("fixed", 7))],
    )
    higher = {name: wins(found, name) for name in TITLES if name != "model"}
    compared = "; ".join(
        f"than {TITLES[name]} on {count} of {all_} (median difference {median:+.3f})"
        for name, (count, all_, median) in higher.items()
    )
    PAGE.write_text(
        PAGE_TEXT.format(
            length=LENGTH,
            hidden=HIDDEN,
            latent=LATENT,
            quantile=QUANTILE,
            minutes=max(1, round(seconds / 60)),
            results=results,
            false=false,
            compared=compared,
            folders=markdown_table(["folder", "series", *TITLES.values()], groups(found)),
            published=", ".join(f"{name} {score}" for name, score in PUBLISHED),
        ),
        encoding="utf-8",
    )
    print(results, false, compared, sep="\n\n")


if __name__ == "__main__":
    main()
