"""``zoo recommend``."""

import dataclasses

import click

from zoo.cli.options import print_rows
from zoo.core.terminal import load_tensorflow

_SHOWN = 10  # rows of pretrained models; baselines are always shown


@click.command()
@click.argument("data")
@click.option("--anomalies", help="Data whose samples are not normal, where those of DATA are.")
@click.option("--models", default="*", show_default=True, help="Shell-style pattern of the pretrained models to try.")
@click.option(
    "--samples", default=1000, show_default=True, type=click.IntRange(min=10), help="How many samples are used at most."
)
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Of that choice and the splits.")
@click.option("--device-cost/--no-device-cost", default=True, help="Whether to export and time the best three in int8.")
@click.option("--all", "show_all", is_flag=True, help="Show all models [default: the best ten, and the baselines].")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def recommend(data, anomalies, models, samples, seed, device_cost, show_all, as_json):
    """Say which pretrained encoder serves DATA, by trying all that can take it.

    DATA is a folder split/class/*.jpg or class/*.jpg, a zip archive of one, a .npy/.npz or table file, or a dataset.
    With classes it is the accuracy of a linear head on frozen features in a cross-validation; with --anomalies the
    AUROC. Next to it stand raw values, principal components, and a small network from scratch.
    """
    load_tensorflow()
    from zoo.recommending.recommend import recommend

    found = recommend(data, anomalies=anomalies, models=models, samples=samples, seed=seed, device_cost=device_cost)
    if as_json:
        print_rows(dataclasses.asdict(found), as_json=True)
        return
    order = [row.label for row in found.rows if row.pretrained]
    hidden = () if show_all else set(order[_SHOWN:])
    print_rows([line for line in found.table() if line["model"] not in hidden])
    if hidden:
        click.echo(f"{len(hidden)} further models did worse: --all shows them.")
    click.echo(f"\n{found.sentence}\n{found.notes()}")
