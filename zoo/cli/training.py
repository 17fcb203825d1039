"""``zoo train`` and ``zoo evaluate``."""

import pathlib
import sys

import click

import zoo
from zoo.cli.options import as_json_option, print_rows
from zoo.core.terminal import load_tensorflow, work_without_reader

_RECIPE_HELP = "NAME is a pretrained model, a recipe.toml, or the folder that holds one."
_dataset = click.option(
    "--dataset", help="digits, a TFDS name, a folder split/class/*.jpg, or a .npy/.npz file [default: the card's]."
)


@click.command(epilog=_RECIPE_HELP)
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
    """Train a model by its recipe: writes config, weights, metadata and README card."""
    work_without_reader()
    load_tensorflow()
    from zoo.evaluation.metrics import HEADLINES
    from zoo.recipes.recipe import find_recipe

    output = output or pathlib.Path("trained") / find_recipe(name).absolute().parent.name
    try:
        stream = "auto" if stream is None else stream
        zoo.train(name, output, resume=resume, stream=stream, verbose=_progress(quiet))
    except KeyboardInterrupt:
        click.echo(f"\nInterrupted. To go on where it stopped: zoo train {name} --output {output}", err=True)
        raise click.exceptions.Exit(130) from None
    card = zoo.card(output)
    shown = {key: card.metrics[key] for key in HEADLINES if key in card.metrics}
    click.echo(f"Wrote {output}: " + ", ".join(f"{key} {value:.5g}" for key, value in shown.items()))


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@_dataset
@click.option(
    "--metric",
    "metrics",
    multiple=True,
    help="One of those that zoo.evaluate knows; repeat for several [default: all].",
)
@click.option("--anomalies", help="Dataset whose samples count as anomalies [default: the other MNIST].")
@click.option(
    "--normal",
    multiple=True,
    help="Class of the dataset that is normal, all others being anomalies: a number or a name; repeat for several"
    " [default: the card's].",
)
@as_json_option
def evaluate(names, dataset, metrics, anomalies, normal, as_json):
    """Measure pretrained models on the test split of a dataset, next to the numbers of their cards.

    Reconstruction next to PCA, latent features next to raw pixels, clusters, anomalies, denoising, sparsity: whatever
    applies to the model and the dataset. Detectors stand next to PCA, Isolation Forest and nearest neighbours.
    """
    load_tensorflow()
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
    print_rows(rows, as_json)


def _progress(quiet):
    """Keras' `verbose`: a bar in a terminal, a line per epoch in a log, or nothing."""
    return 0 if quiet else ("auto" if sys.stdout.isatty() else 2)
