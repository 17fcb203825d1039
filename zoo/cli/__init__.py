"""The `zoo` command."""

import json
import os
import pathlib
import sys

import click

import zoo
from zoo.cli.benchmark import benchmark
from zoo.cli.inference import encode, score
from zoo.core.errors import ZooError
from zoo.core.terminal import load_tensorflow

_RECIPE_HELP = "NAME is a set of the catalog, a recipe.toml, or the folder that holds one."


class ErrorGroup(click.Group):
    """Every `ZooError` becomes one line on standard error and exit code 2; Ctrl-C exit code 130."""

    def invoke(self, context):
        try:
            return super().invoke(context)
        except ZooError as error:
            click.echo(f"Error: {' '.join(str(error).split())}", err=True)
            context.exit(2)
        except KeyboardInterrupt:
            click.echo("\nInterrupted.", err=True)
            context.exit(130)


_json = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
_dataset = click.option(
    "--dataset", help="digits, a TFDS name, a folder split/class/*.jpg, or a .npy/.npz file [default: the card's]."
)


@click.group(cls=ErrorGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(zoo.__version__, prog_name="zoo")
def main():
    """An autoencoder zoo for Keras 3: load a pretrained encoder, fine-tune it, export it to a phone."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


@main.command("list")
@click.argument("pattern", default="*")
@click.option("--family", help="Only sets of this family, such as convolutional.")
@click.option("--dataset", help="Only sets trained on this dataset, such as mnist.")
@_json
def list_command(pattern, family, dataset, as_json):
    """List the pretrained sets whose name matches PATTERN."""
    from zoo.catalog.lookup import cards

    rows = [
        {
            "name": card.name,
            "family": card.family,
            "dataset": card.dataset.name or "",
            "latent": "×".join(map(str, card.input.latent_shape)),
            "parameters": card.parameters,
            "kB": round(card.size_bytes / 1000),
            **{metric: round(value, 5) for metric, value in card.metrics.items()},
        }
        for card in cards(pattern, family=family, dataset=dataset)
    ]
    if not as_json:  # what fits a terminal of 80 columns; the name says family and dataset
        titles = {"name": "name", "latent": "latent", "kB": "kB", "mse": "MSE", "knn_accuracy": "kNN-7"}
        rows = [{title: row.get(key, "") for key, title in titles.items()} for row in rows]
    _print_table(rows, as_json, empty="No set matches.")


@main.command()
@click.argument("name")
@click.option("--plot", is_flag=True, help="Draw reconstructions, latent features, errors and loss into a PNG file.")
@click.option(
    "-o", "--output", type=click.Path(path_type=pathlib.Path), help="With --plot: file to write [default: NAME.png]."
)
@_json
def show(name, plot, output, as_json):
    """Show the card of a pretrained set, or draw its pictures."""
    card = zoo.card(name)
    if plot:
        load_tensorflow()
        from zoo.recipes.verify import draw

        output = output or pathlib.Path(f"{card.name}.png")
        draw(name, output)
        click.echo(f"Wrote {output}.")
        return
    if output:
        raise click.UsageError("--output goes with --plot.")
    if as_json:
        click.echo(json.dumps(card.to_dict(), indent=2))
        return
    from zoo.catalog.readme import readme

    if not sys.stdout.isatty():
        click.echo(readme(card), nl=False)
        return
    from rich.console import Console
    from rich.markdown import Markdown

    Console().print(Markdown(readme(card)))


def _progress(quiet):
    """Keras' `verbose`: a bar in a terminal, a line per epoch in a log, or nothing."""
    return 0 if quiet else ("auto" if sys.stdout.isatty() else 2)


@main.command(epilog=_RECIPE_HELP)
@click.argument("name")
@click.option(
    "-o", "--output", type=click.Path(path_type=pathlib.Path), help="Directory to write [default: trained/NAME]."
)
@click.option("--resume/--no-resume", default=True, help="Go on from the checkpoint of an interrupted training.")
@click.option(
    "--stream/--no-stream",
    default=None,
    help="Read the images anew in every epoch, or keep them in memory [default: by their size].",
)
@click.option("--quiet", is_flag=True, help="No progress bar.")
def train(name, output, resume, stream, quiet):
    """Train a set by its recipe: writes config, weights, metadata and README card."""
    load_tensorflow()
    from zoo.recipes.train import find_recipe

    output = output or pathlib.Path("trained") / find_recipe(name).absolute().parent.name
    try:
        stream = "auto" if stream is None else stream
        zoo.train(name, output, resume=resume, stream=stream, verbose=_progress(quiet))
    except KeyboardInterrupt:
        click.echo(f"\nInterrupted. To go on where it stopped: zoo train {name} --output {output}", err=True)
        raise click.exceptions.Exit(130) from None
    card = zoo.card(output)
    told = {key: card.metrics[key] for key in ("mse", "bce", "knn_accuracy") if key in card.metrics}
    click.echo(f"Wrote {output}: " + ", ".join(f"{key} {value:.5g}" for key, value in told.items()))


@main.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@_dataset
@click.option(
    "--metric",
    "metrics",
    multiple=True,
    help="One of those that zoo.evaluate knows; repeat for several [default: all].",
)
@click.option("--anomalies", help="Dataset whose samples count as anomalies [default: the other MNIST].")
@_json
def evaluate(names, dataset, metrics, anomalies, as_json):
    """Measure sets on the test split of a dataset, beside what their cards say.

    Reconstruction beside PCA, latent features beside raw pixels, clusters, anomalies, denoising, sparsity: whatever
    applies to the model and the dataset.
    """
    load_tensorflow()
    rows = []
    for name in names:
        results = zoo.evaluate(name, dataset, list(metrics) or None, anomalies=anomalies)
        card = zoo.card(name)
        same = dataset in (None, card.dataset.name) and anomalies is None
        several = {"set": card.name} if len(names) > 1 else {}
        for metric, value in results.items():
            stated = {"card": card.metrics.get(metric, "")} if same else {}
            rows.append({**several, "metric": metric, "measured": value, **stated})
    _print_table(rows, as_json)


main.add_command(encode)
main.add_command(score)


@main.command()
@click.argument("name")
@click.option(
    "-o", "--output", type=click.Path(path_type=pathlib.Path), help="Directory to write [default: exported/NAME]."
)
@click.option(
    "--format", "formats", multiple=True, help="saved_model, tflite or onnx; repeat for several [default: all]."
)
@click.option(
    "--part", type=click.Choice(["autoencoder", "encoder", "decoder"]), default="autoencoder", show_default=True
)
@click.option("--quantization", help="Of the .tflite file: float16, dynamic or int8.")
@click.option(
    "--calibration", help="For int8: dataset, folder or file [default: training samples of the card's dataset]."
)
@click.option("--integer-io", help="For int8: uint8 inputs and outputs instead of float32.")
@click.option("--raw-input", is_flag=True, help="Take uint8 pixels.")
@click.option(
    "--threshold-quantile",
    type=float,
    help="Store an anomaly threshold: this quantile of the scores of the card's test split, such as 0.99.",
)
@click.option("--batch-size", default=1, show_default=True, help="Samples per call of the .tflite file.")
@click.option("--force", is_flag=True, help="Calibrate int8 on fewer than 100 samples.")
@_json
def export(name, output, formats, part, threshold_quantile, as_json, **options):
    """Export a set to SavedModel, TFLite and ONNX; every file is compared with Keras before it is kept.

    A whole autoencoder is one file with the signatures encode, decode, reconstruct and score.
    """
    load_tensorflow()
    import warnings

    model = zoo.load(name)
    if threshold_quantile is not None:
        options["threshold"] = zoo.threshold(model, zoo.card(name).dataset.name, threshold_quantile)
    if formats:
        options["formats"] = formats
    output = output or pathlib.Path("exported") / zoo.card(name).name
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        report = zoo.export(model if part == "autoencoder" else getattr(model, part), output, **options)
    for warning in caught:
        click.echo(f"Warning: {warning.message}", err=True)
    if as_json:
        click.echo(report.to_json(), nl=False)
        return
    rows = [
        {
            "file": str(output / file.file),
            "bytes": file.size_bytes,
            **({"of float32": file.size_ratio} if file.size_ratio else {}),
            "max difference": f"{file.max_difference:.1e}",
            "operators": " ".join(file.operators) if key != "saved_model" else len(file.operators),
        }
        for key, file in report.files.items()
    ]
    _print_table(rows, False)
    metrics = [
        {"file": file.file, "metric": metric, "Keras": values["before"], "this file": values["after"]}
        for file in report.files.values()
        for metric, values in file.metrics.items()
    ]
    if metrics:
        click.echo()
        _print_table(metrics, False)


@main.command()
@click.option("-o", "--output", default="demo", show_default=True, type=click.Path(path_type=pathlib.Path))
@click.option(
    "--draws", default=5, show_default=True, type=click.IntRange(min=1), help="Random choices of labelled examples."
)
@click.option(
    "--labels", default=10, show_default=True, type=click.IntRange(1, 100), help="Labelled examples per class."
)
@_json
def demo(output, draws, labels, as_json):
    """Fine-tune a pretrained encoder on a few real digits, export the classifier, run it as a phone would."""
    load_tensorflow()
    from zoo.recipes.demo import run

    run(output, draws=draws, labels_per_class=labels, as_json=as_json)


main.add_command(benchmark)


def _print_table(rows, as_json, empty="Nothing to show."):
    """Print dictionaries with the same keys as a table, or as JSON."""
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    if not rows:
        click.echo(empty)
        return
    from zoo.core.tables import print_table

    print_table(rows)
