#!/usr/bin/env python
"""Train a set of the catalog in place: ``scripts/train.py NAME`` writes ``pretrained/NAME`` from its recipe.toml."""

import pathlib
import sys

from zoo.cli import main

if __name__ == "__main__":
    names = [argument for argument in sys.argv[1:] if not argument.startswith("-")]
    output = pathlib.Path(__file__).parents[1] / "pretrained" / names[0] if len(names) == 1 else None
    main(["train", *sys.argv[1:], *(["--output", str(output)] if output and "--output" not in sys.argv else [])])
