#!/usr/bin/env python
"""Measure sets of the catalog: ``scripts/evaluate.py NAME...`` is ``zoo evaluate NAME...``.

``--verify [NAME...]`` checks files, golden output and every metric against the cards (default: all sets), and exits
with 1 if one is wrong. ``--write [NAME...]`` writes metrics, golden output, picture and README anew; weights stay.
"""

import sys

import click

import zoo
from zoo.cli import main


def each(names, what):
    """Do `what` for each name, say how it went, and return the number of failures."""
    failures = 0
    for name in names or zoo.list_pretrained():
        try:
            what(name)
            click.echo(f"{name}: ok")
        except zoo.ZooError as error:
            failures += 1
            click.echo(f"{name}: {error}", err=True)
    return failures


if __name__ == "__main__":
    mode, *names = sys.argv[1:] or ["--help"]
    if mode in ("--verify", "--write"):
        from zoo import verification

        sys.exit(bool(each(names, {"--verify": verification.verify, "--write": verification.rewrite}[mode])))
    if mode in ("-h", "--help"):
        click.echo(__doc__)
    else:
        main(["evaluate", mode, *names])
