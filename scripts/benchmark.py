#!/usr/bin/env python
"""``scripts/benchmark.py train ...`` is ``zoo benchmark train ...``."""

import sys

from zoo.cli import main

if __name__ == "__main__":
    main(["benchmark", *sys.argv[1:]])
