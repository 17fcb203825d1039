"""``zoo list`` and ``zoo show``: what there is, read without TensorFlow."""

import json
import pathlib
import sys

import click

import zoo
from zoo.cli.options import as_json_option, output_file, print_rows
from zoo.core.terminal import load_tensorflow, printable


@click.command("list")
@click.argument("pattern", default="*")
@click.option("--family", help="Only models of this family, such as convolutional.")
@click.option("--dataset", help="Only models trained on this dataset, such as mnist.")
@as_json_option
def list_command(pattern, family, dataset, as_json):
    """List the pretrained models whose name matches PATTERN."""
    from zoo.catalog.lookup import cards
    from zoo.evaluation.metrics import HEADLINES, METRICS

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
        titles = {"name": "name", "latent": "latent", "kB": "kB", **{key: METRICS[key].column for key in HEADLINES}}
        rows = [{title: row.get(key, "") for key, title in titles.items()} for row in rows]
    print_rows(rows, as_json, empty="No model matches.")


@click.command()
@click.argument("name")
@click.option("--plot", is_flag=True, help="Draw reconstructions, latent features, errors and loss into a PNG file.")
@click.option(
    "-o", "--output", type=click.Path(path_type=pathlib.Path), help="With --plot: file to write [default: NAME.png]."
)
@as_json_option
def show(name, plot, output, as_json):
    """Show the card of a pretrained model, or draw its pictures."""
    card = zoo.card(name)
    if plot:
        load_tensorflow()
        from zoo.recipes.verify import draw

        output = output or pathlib.Path(f"{card.name}.png")
        with output_file(output) as file:
            draw(name, file)
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

    Console().print(Markdown(printable(readme(card))))
