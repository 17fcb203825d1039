"""``zoo train``."""

import pathlib
import sys

import click

import zoo
from zoo.core.terminal import load_tensorflow, work_without_reader

_RECIPE_HELP = "NAME is a pretrained model, a recipe.toml, or the folder that holds one."


@click.command(epilog=_RECIPE_HELP)
@click.argument("name")
@click.option(
    "-o", "--output", type=click.Path(path_type=pathlib.Path), help="Directory to write [default: trained/NAME]."
)
@click.option("--resume/--no-resume", default=True, help="Go on from the checkpoint of an interrupted training.")
@click.option(
    "--stream/--no-stream",
    default=None,
    help="Read the samples from disk in every epoch, or keep them in memory [default: by their size].",
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


def _progress(quiet):
    """Keras' `verbose`: a bar in a terminal, a line per epoch in a log, or nothing."""
    return 0 if quiet else ("auto" if sys.stdout.isatty() else 2)
