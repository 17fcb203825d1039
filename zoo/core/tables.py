"""Tables for people to read."""

import sys


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

    columns = list(dict.fromkeys(key for row in rows for key in row))
    table = Table(box=SIMPLE_HEAD, title=title, title_justify="left", pad_edge=False, show_edge=False)
    for column in columns:
        number = all(isinstance(row.get(column, 0), (int, float)) for row in rows)
        table.add_column(column, justify="right" if number else "left", no_wrap=column == columns[0])
    for row in rows:
        table.add_row(*(_cell(row.get(column, "")) for column in columns))
    # Redirected output is not cut to the width of a terminal that nobody looks at.
    (Console() if sys.stdout.isatty() else Console(width=160)).print(table)


def _cell(value):
    if isinstance(value, float):
        return f"{value:.5g}"
    return f"{value:,}" if isinstance(value, int) else str(value)
