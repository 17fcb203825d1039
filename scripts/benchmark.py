#!/usr/bin/env python
"""``scripts/benchmark.py train ...``: ``zoo benchmark train ...`` with PyTorch and pythae, where they are installed."""

import sys

from zoo.cli import main

if __name__ == "__main__":
    arguments = sys.argv[1:]
    if arguments[:1] == ["train"]:
        arguments[1:1] = ["--competitors", "competitors"]
    main(["benchmark", *arguments])
