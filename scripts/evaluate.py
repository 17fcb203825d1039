#!/usr/bin/env python
"""Measure pretrained models of the catalog: ``scripts/evaluate.py NAME...`` is ``zoo evaluate NAME...``.

With one of these options, for the models NAME... or all of them; exits with 1 if one fails:

--verify               check files, golden outputs and every metric against the cards
--write                write metrics, golden outputs, picture and README anew; weights stay
--readme               write the README anew from the card; nothing is measured
--verify-quantization  export in every quantization, and check sizes and metrics against the cards
--quantize             the same, and write them into the cards
"""

import concurrent.futures
import functools
import multiprocessing
import os
import sys

import click

import zoo
from zoo.cli import main


def each(names, action):
    """Do `action`, a function of `zoo.recipes.verify`, for each name; say how it went; return the number of failures.

    Args:
        names: names of models; all of them if empty.
        action: name of the function.
    """
    names = names or zoo.list_pretrained()
    if action not in EXPORTING:
        return sum(map(_action(action), names))
    spawn = multiprocessing.get_context("spawn")
    # The converter leaks memory, hence a process for each model.
    with concurrent.futures.ProcessPoolExecutor(os.cpu_count(), spawn, max_tasks_per_child=1) as pool:
        return sum(pool.map(_do_alone, [action] * len(names), names))


def _action(action):
    """A function that does `action` for a model by its name, and returns whether that failed."""
    from zoo.catalog.evaluate import Evaluator
    from zoo.recipes import verify

    function = getattr(verify, action)
    if action in MEASURING:
        function = functools.partial(function, evaluator=Evaluator())
    return functools.partial(_do, function)


def _do(function, name):
    try:
        function(name)
    except zoo.ZooError as error:
        click.echo(f"{name}: {error}", err=True)
        return True
    click.echo(f"{name}: ok")
    return False


def _do_alone(action, name):
    return _action(action)(name)


MEASURING = ("verify", "rewrite")
EXPORTING = ("verify_quantization", "quantize")
ACTIONS = {
    "--verify": "verify",
    "--write": "rewrite",
    "--readme": "rewrite_readme",
    "--verify-quantization": "verify_quantization",
    "--quantize": "quantize",
}

if __name__ == "__main__":
    mode, *names = sys.argv[1:] or ["--help"]
    if mode in ACTIONS:
        sys.exit(bool(each(names, ACTIONS[mode])))
    if mode in ("-h", "--help"):
        click.echo(__doc__)
    else:
        main(["evaluate", mode, *names])
