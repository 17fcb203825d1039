"""Tables for people to read."""

import sys

from zoo.core.terminal import printable

_NARROWEST = 40  # in fewer columns a table is unreadable, and the terminal itself may break the lines


def markdown_table(titles, rows, align: str = "") -> str:
    """A markdown table.

    Args:
        titles: titles of the columns.
        rows: iterable of rows, each with a text for every column.
        align: a letter for each column, "l" for left and "r" for right; by default only the first column is left.

    Example:
        >>> print(markdown_table(["model", "kB"], [["a", "12"]]))
        | model | kB |
        |---|---:|
        | a | 12 |
    """
    align = align or "l" + "r" * (len(titles) - 1)
    rule = "|".join({"l": "---", "r": "---:"}[letter] for letter in align)
    head, *body = ("".join(f"| {cell} " if cell else "| " for cell in row) + "|" for row in (titles, *rows))
    return "\n".join([head, f"|{rule}|", *body])


def print_table(rows, title=None):
    """Print a list of dictionaries as a table: a row each, their keys as columns, numbers to the right."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    columns = list(dict.fromkeys(key for row in rows for key in row))
    table = Table(box=SIMPLE_HEAD, title=title, title_justify="left", pad_edge=False, show_edge=False)
    for column in columns:
        number = all(isinstance(row.get(column, 0), (int, float)) for row in rows)
        # In a narrow terminal names are folded; numbers stay whole.
        table.add_column(column, justify="right" if number else "left", no_wrap=number, overflow="fold")
    for row in rows:
        table.add_row(*(Text(printable(_cell(row.get(column, "")))) for column in columns))
    console = Console()
    if not sys.stdout.isatty() or console.width < _NARROWEST:
        console = Console(width=160)  # redirected output is not cut to the width of a terminal that nobody looks at
    console.print(table)


def _cell(value):
    if isinstance(value, float):
        return f"{value:.5g}"
    return f"{value:,}" if isinstance(value, int) else str(value)
