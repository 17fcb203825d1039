"""``zoo demo``."""

import pathlib

import click

from zoo.cli.options import as_json_option
from zoo.core.terminal import load_tensorflow, work_without_reader


@click.command()
@click.option("-o", "--output", default="demo", show_default=True, type=click.Path(path_type=pathlib.Path))
@click.option(
    "--draws", default=5, show_default=True, type=click.IntRange(min=1), help="Random choices of labelled examples."
)
@click.option(
    "--labels", default=10, show_default=True, type=click.IntRange(1, 100), help="Labelled examples per class."
)
@as_json_option
def demo(output, draws, labels, as_json):
    """Fine-tune a pretrained encoder on a few real digits, export the classifier, run it as a phone would."""
    work_without_reader()
    load_tensorflow()
    from zoo.recipes.demo import run

    run(output, draws=draws, labels_per_class=labels, as_json=as_json)
