"""What several commands share: options, and printing of tables."""

import contextlib
import json
import math

import click

as_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")


class FiniteFloat(click.FloatRange):
    """A number of a range, which NaN and infinity are not."""

    def convert(self, value, param, context):
        number = super().convert(value, param, context)
        return number if math.isfinite(number) else self.fail(f"{value} is not a finite number.", param, context)


@contextlib.contextmanager
def output_file(path):
    """Yield a binary file that becomes `path` when the block ends; what cannot be written is refused before."""
    from zoo.core import files

    path.parent.mkdir(parents=True, exist_ok=True)
    with files.replacing(path) as file:
        yield file


def print_rows(rows, as_json=False, empty="Nothing to show."):
    """Print dictionaries as a table, or as JSON."""
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    if not rows:
        click.echo(empty)
        return
    from zoo.core.tables import print_table

    print_table(rows)
