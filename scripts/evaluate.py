#!/usr/bin/env python
"""Measure sets of the catalog: ``scripts/evaluate.py NAME...`` is ``zoo evaluate NAME...``.

With one of these options, for the sets NAME... or all of them; exits with 1 if one fails:

--verify               check files, golden output and every metric against the cards
--write                write metrics, golden output, picture and README anew; weights stay
--verify-quantization  export in every quantization, and check sizes and metrics against the cards
--quantize             the same, and write them into the cards
"""

import concurrent.futures
import multiprocessing
import os
import sys

import click

import zoo
from zoo.cli import main


def each(names, action, processes=None):
    """Do `action`, a function of `zoo.recipes.verify`, for each name; say how it went; return the number of failures.

    Args:
        names: names of sets; all of them if empty.
        action: name of the function.
        processes: number of processes to do it in, a new one for each set; None does it in this one.
    """
    names = names or zoo.list_pretrained()
    if processes is None:
        return sum(map(_do, [action] * len(names), names))
    spawn = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(processes, spawn, max_tasks_per_child=1) as pool:
        return sum(pool.map(_do, [action] * len(names), names))


def _do(action, name):
    """Whether `action` fails for a set."""
    from zoo.recipes import verify as verification

    try:
        getattr(verification, action)(name)
    except zoo.ZooError as error:
        click.echo(f"{name}: {error}", err=True)
        return True
    click.echo(f"{name}: ok")
    return False


ACTIONS = {
    "--verify": ("verify", None),
    "--write": ("rewrite", None),
    "--verify-quantization": ("verify_quantization", os.cpu_count()),
    "--quantize": ("quantize", os.cpu_count()),
}

if __name__ == "__main__":
    mode, *names = sys.argv[1:] or ["--help"]
    if mode in ACTIONS:
        action, processes = ACTIONS[mode]
        sys.exit(bool(each(names, action, processes)))
    if mode in ("-h", "--help"):
        click.echo(__doc__)
    else:
        main(["evaluate", mode, *names])
