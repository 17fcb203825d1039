#!/usr/bin/env python
"""Train a model of the catalog in place: ``scripts/train.py NAME`` writes ``pretrained/NAME`` from its recipe.toml."""

import pathlib
import sys

from zoo.cli import main

PRETRAINED = pathlib.Path(__file__).parents[1] / "pretrained"

if __name__ == "__main__":
    arguments = sys.argv[1:]
    if arguments and not arguments[0].startswith("-"):
        arguments[1:1] = ["--output", str(PRETRAINED / arguments[0])]  # an --output given later wins
    main(["train", *arguments])
