"""The commands that run a model, or an exported file, on samples: ``zoo encode`` and ``zoo score``."""

import pathlib
import sys

import click

import zoo
from zoo.cli.following import follow_signal, following_options, refuse_without_following
from zoo.cli.options import FiniteFloat, output_file
from zoo.core.terminal import load_tensorflow, native_errors_hidden, printable, progress

_model = click.argument("model")
_data = click.argument("data")
_split = click.option(
    "--split",
    help="train, test or all: of a dataset [default: test], or the subfolder of a folder [default: all images].",
)
_threads = click.option(
    "--threads", default=1, show_default=True, type=click.IntRange(min=1), help="CPU threads, of a file."
)

_trust = click.option(
    "--trust",
    default="sealed",
    show_default=True,
    type=click.Choice(["sealed", "unsealed"]),
    help="Whether the model must carry the digests that zoo writes: those of other tools and older versions do not.",
)


@click.command()
@_model
@_data
@click.option("-o", "--output", default="codes.npy", show_default=True, type=click.Path(path_type=pathlib.Path))
@_split
@_threads
@_trust
def encode(model, data, output, split, threads, trust):
    """Write the latent features of DATA to a .npy file.

    MODEL is a pretrained model, or a FILE.tflite or FILE.onnx that zoo.export wrote, which runs without TensorFlow.
    DATA is an image, a folder of images, a file of samples (.npy, .npz, .csv, .parquet; .wav and .flac are one sample),
    or the name of a dataset. The rows of the result follow
    the order of the data; of a folder, the sorted paths.
    """
    import numpy as np

    with output_file(output) as file:
        opened, samples = _open(model, data, split, threads, trust)
        latent = np.concatenate([opened.encode(batch) for _, batch in _with_progress(samples, "encode")])
        np.save(file, latent)
    click.echo(f"Wrote {output}: {latent.dtype} {latent.shape}, latent features of {samples.title}.")


@click.command()
@_model
@_data
@click.option(
    "--threshold", type=FiniteFloat(min=0), help="Anomaly threshold [default: the one that the file carries]."
)
@_split
@_threads
@_trust
@following_options
def score(model, data, threshold, split, threads, trust, follow, **options):
    """Print the anomaly score of every sample of DATA as CSV: sample, score and, with a threshold, anomaly (0 or 1).

    MODEL and DATA are as for zoo encode; a sample is named by its path in the folder, or by its number.

    With --follow, DATA is one signal: a WAV, FLAC or CSV file, a raw file, or - for standard input, which need not end.
    Every window of the model's length is printed as soon as it is there: the time of its first sample (its number,
    where there is no sampling rate), its score and, with a threshold, whether there is an alarm. A CSV signal has one
    row per sample, and may have a first column with the time, or a header, which says what is no channel: columns named
    time, label, index and the like. A file that grows:
    tail -c +1 -f log.csv | zoo score model.tflite - --follow --format csv
    """
    import csv

    if follow:
        if split:
            raise click.UsageError("--split does not go with --follow.")
        follow_signal(_open_model(model, threads, trust), data, threshold, **options)
        return
    refuse_without_following(options)
    opened, samples = _open(model, data, split, threads, trust)
    score_of = getattr(opened, "score", None) or opened.reconstruction_error
    threshold = getattr(opened, "threshold", None) if threshold is None else threshold
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["sample", "score"] + ["anomaly"] * (threshold is not None))
    to_terminal = sys.stdout.isatty()  # there the rows themselves show the progress
    shown = printable if to_terminal else str
    for names, batch in samples.batches() if to_terminal else _with_progress(samples, "score"):
        for name, value in zip(names, score_of(batch), strict=True):
            anomaly = [] if threshold is None else [int(value > threshold)]
            writer.writerow([shown(name), f"{value:.9g}", *anomaly])


def _open(model, data, split, threads, trust):
    """A model, see `_open_model`, and the samples that it shall run on."""
    from zoo.data.samples import Samples

    opened = _open_model(model, threads, trust)
    return opened, Samples(data, opened.input_shape, getattr(opened, "dtype", "float32"), split)


def _open_model(model, threads, trust):
    """A pretrained model, or an exported file, which needs no TensorFlow."""
    if pathlib.Path(model).suffix in (".tflite", ".onnx"):
        with native_errors_hidden():  # LiteRT reports its delegate
            return zoo.lite.load(model, threads=threads, trust=trust)
    load_tensorflow()
    return zoo.load(model, trust=trust)


def _with_progress(samples, title):
    """The batches of `Samples`, behind a progress bar if somebody looks at a terminal."""
    with progress(len(samples), title) as advance:
        for names, batch in samples.batches():
            yield names, batch
            advance(len(names))
