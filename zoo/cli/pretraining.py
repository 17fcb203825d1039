"""``zoo pretrain``."""

import pathlib
import sys

import click

from zoo.cli.options import FiniteFloat, print_rows
from zoo.core.terminal import load_tensorflow, work_without_reader

_SHOWN = 5


@click.command()
@click.argument("data")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=pathlib.Path),
    required=True,
    help="Directory to write: an ordinary pretrained model, and the recipe that was chosen.",
)
@click.option("--minutes", default=20.0, show_default=True, type=FiniteFloat(min=0.01), help="How long all may take.")
@click.option(
    "--size", type=click.IntRange(min=8), help="Pixels of the pictures' longer side [default: 64, or their own]."
)
@click.option("--compare/--no-compare", default=True, help="Compare with the pretrained models, if there are labels.")
@click.option("--resume/--no-resume", default=True, help="Go on with an interrupted call.")
@click.option("--quiet", is_flag=True, help="No progress bar.")
def pretrain(data, output, minutes, size, compare, resume, quiet):
    """Train an encoder on your own DATA without labels; no recipe is needed.

    DATA is a folder of pictures, in any of the layouts split/class/*.jpg, class/*.jpg or *.jpg, a zip archive of one, a
    .npy/.npz file, a table, or a dataset's name. Interrupted, the same command goes on where it stopped.
    """
    work_without_reader()
    load_tensorflow()
    from zoo.pretraining.pretrain import pretrain as run

    verbose = 0 if quiet else ("auto" if sys.stdout.isatty() else 2)
    try:
        done = run(data, output, minutes=minutes, size=size, compare=compare, resume=resume, verbose=verbose)
    except KeyboardInterrupt:
        click.echo(f"\nInterrupted. To go on where it stopped: zoo pretrain {data} --output {output}", err=True)
        raise click.exceptions.Exit(130) from None
    if done.recommendation is not None:
        own = done.recommendation.rows
        shown = {row.label for row in [r for r in own if r.pretrained][:_SHOWN]}
        shown |= {row.label for row in own if not row.pretrained or row.model == output.absolute().name}
        print_rows([line for line in done.recommendation.table() if line["model"] in shown])
    click.echo(f"Wrote {output}. {done.sentence}".rstrip())
