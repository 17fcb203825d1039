"""``zoo demo``."""

import pathlib

import click

from zoo.cli.options import as_json_option
from zoo.core.terminal import load_tensorflow, work_without_reader


@click.command()
@click.argument("what", type=click.Choice(["digits", "ecg"]), default="digits")
@click.option("-o", "--output", default="demo", show_default=True, type=click.Path(path_type=pathlib.Path))
@click.option(
    "--draws", default=5, show_default=True, type=click.IntRange(min=1), help="digits: random choices of examples."
)
@click.option(
    "--labels", default=10, show_default=True, type=click.IntRange(1, 100), help="digits: labelled examples per class."
)
@as_json_option
def demo(what, output, draws, labels, as_json):
    """Show what a pretrained model does with data that it has never seen, in about a minute.

    digits, the default: fine-tune a pretrained encoder on a few real digits, export the classifier, run it as a phone
    would. ecg: fit a pretrained detector of heart beats on a new patient, set its threshold without labels, export it
    to int8, and stream the patient's signal through the file.
    """
    work_without_reader()
    load_tensorflow()
    if what == "ecg":
        from zoo.recipes import demo_ecg

        demo_ecg.run(output, as_json=as_json)
        return
    from zoo.recipes.demo import run

    run(output, draws=draws, labels_per_class=labels, as_json=as_json)
