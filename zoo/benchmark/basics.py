"""What the pages of all benchmarks are made of."""

import contextlib
import pathlib
import time

import numpy as np

from zoo.core import reading
from zoo.core.errors import DataError, ZooError

_LARGEST_RESULTS = 1e8  # bytes


def middle(values):
    """Median and range of numbers."""
    return {"median": float(np.median(values)), "minimum": float(min(values)), "maximum": float(max(values))}


def spread(values):
    """Median, range and interquartile range of numbers, and the numbers."""
    quartiles = [float(value) for value in np.percentile(values, [25, 75])]
    return {**middle(values), "quartiles": quartiles, "all": [float(value) for value in values]}


def seconds_of(functions):
    """Seconds that each of these functions without arguments takes, called one after the other."""
    seconds, clock = [], time.perf_counter
    for function in functions:
        start = clock()
        function()
        seconds.append(clock() - start)
    return seconds


def read(path, benchmark, key):
    """Results from a ``benchmark.json``.

    Args:
        path: path of the file.
        benchmark: "train" or "export".
        key: an entry that such results have.

    Raises:
        DataNotFoundError: no such file.
        DataError: not the results of this benchmark.
    """
    path = pathlib.Path(path)
    results = reading.parse_json(reading.read_bytes(path, limit=_LARGEST_RESULTS), f"{str(path)!r}")
    if not isinstance(results, dict) or results.get("benchmark") != benchmark or key not in results:
        raise DataError(f"{str(path)!r} does not hold the results of `zoo benchmark {benchmark}`.")
    return results


@contextlib.contextmanager
def incomplete_results(names):
    """Turn what goes wrong with results that were read from a file, but lack something, into a `DataError`."""
    try:
        yield
    except ZooError:
        raise
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        files = ", ".join(map(repr, map(str, names)))
        raise DataError(f"{files}: the results are incomplete ({type(error).__name__}: {error}).") from error


def measured_on(results):
    """The sentence on date, command, machine and versions."""
    machine = results["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    return (
        f"Measured {results['date']} with `{results['command']}` (zoo {results['zoo']}) on {machine['cores']} cores of"
        f" {machine['processor']}, {machine['system']}, {machine['device']}; {versions}."
    )
