"""``zoo evaluate``."""

import pathlib

import click

import zoo
from zoo.cli.options import FiniteFloat, as_json_option, output_file, print_rows
from zoo.core.terminal import load_tensorflow

_OF_SERIES = (
    click.option(
        "--series",
        help="Measure on this recording with labelled anomalies: .csv, .parquet, .npz, .wav, or nab/nyc_taxi.",
    ),
    click.option("--hop", type=click.IntRange(min=1), help="Moments between two windows [default: a window's length]."),
    click.option(
        "--normal-until",
        type=click.IntRange(min=1),
        help="So many moments at its begin are normal; the rest is judged [default: 15 %; of NAB at most 750].",
    ),
    click.option("--threshold", type=FiniteFloat(min=0), help="Anomaly threshold [default: the model's]."),
    click.option("--channel", "channels", multiple=True, help="Column to take; repeat, in the model's order."),
    click.option(
        "--sampling-rate", type=FiniteFloat(min=0, min_open=True), help="Moments per second, if the file has no times."
    ),
    click.option(
        "--plot", type=click.Path(path_type=pathlib.Path), help="Draw series, scores and threshold into a PNG file."
    ),
)


def _series_options(command):
    for option in reversed(_OF_SERIES):
        command = option(command)
    return command


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option(
    "--dataset",
    help="digits, ecg5000, a TFDS name, a folder split/class/*.jpg, or a file .npy, .npz, .csv or .parquet"
    " [default: the card's].",
)
@click.option(
    "--metric",
    "metrics",
    multiple=True,
    help="One of those that are printed without; repeat for several [default: all].",
)
@click.option(
    "--anomalies",
    help="Dataset whose samples count as anomalies [default: the other MNIST]. With --series: CSV file, a row from,to"
    " for each anomaly [default: the series' column label].",
)
@click.option(
    "--normal",
    multiple=True,
    help="Class of the dataset that is normal, all others being anomalies: a number or a name; repeat for several"
    " [default: the card's].",
)
@_series_options
@as_json_option
def evaluate(names, dataset, metrics, anomalies, normal, series, as_json, **of_series):
    """Measure pretrained models on the test split of a dataset, next to the numbers of their cards.

    Reconstruction next to PCA, latent features next to raw pixels, clusters, anomalies, denoising, sparsity: whatever
    applies to the model and the dataset. Detectors stand next to PCA, Isolation Forest and nearest neighbours.

    With --series it is one long recording, cut into windows: AUROC and average precision of the windows, VUS-PR, NAB's
    score, F1 and false alarms per hour, next to the same three, which are fitted on the begin of the recording.
    """
    if series is None:
        for name, value in of_series.items():
            if value:
                raise click.UsageError(f"--{name.removesuffix('s').replace('_', '-')} goes with --series.")
        load_tensorflow()
        rows = _of_dataset(names, dataset, metrics, anomalies, normal)
    else:
        if dataset or normal:
            raise click.UsageError("--dataset and --normal do not go with --series.")
        if of_series["plot"] and len(names) > 1:
            raise click.UsageError("--plot is of one model.")
        load_tensorflow()
        rows = _of_series(names, series, metrics, anomalies, **of_series)
    print_rows(rows, as_json)


def _of_dataset(names, dataset, metrics, anomalies, normal):
    from zoo.catalog.evaluate import Evaluator

    rows = []
    evaluator = Evaluator()
    classes = [int(name) if name.lstrip("-").isdecimal() else name for name in normal] or None
    for name in names:
        results = evaluator.evaluate(name, dataset, list(metrics) or None, anomalies=anomalies, normal=classes)
        card = zoo.card(name)
        same = dataset in (None, card.dataset.name) and anomalies is None and classes is None
        several = {"model": card.name} if len(names) > 1 else {}
        for metric, value in results.items():
            stated = {"card": card.metrics.get(metric, "")} if same else {}
            rows.append({**several, "metric": metric, "measured": value, **stated})
    return rows


def _of_series(names, series, metrics, anomalies, plot, sampling_rate, channels, **options):
    from zoo.core.errors import unknown_name

    given = {"anomalies": anomalies, "sampling_rate": sampling_rate, "channels": list(channels)}
    rows = []
    for name in names:
        found = zoo.evaluate_series(name, series, **options, **{key: value for key, value in given.items() if value})
        for metric in metrics or found.metrics:
            if metric not in found.metrics:
                raise unknown_name("metric of a series", metric, found.metrics)
            several = {"model": zoo.card(name).name} if len(names) > 1 else {}
            rows.append({**several, "metric": metric, "measured": found.metrics[metric]})
        if plot:
            from zoo.recipes.series_picture import draw

            with output_file(plot) as file:
                draw(found, file)
    return rows
