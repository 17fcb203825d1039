"""What several commands share: options, and printing of tables."""

import json

import click

as_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")


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
