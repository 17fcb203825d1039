"""The process in which the export benchmark times one runner; also what times a cold start.

``-m zoo.benchmark.timing RUNNER THREADS NAME DIRECTORY`` reconstructs one sample, says so and ends.
"""

import functools
import itertools
import pathlib
import subprocess
import sys
import time

import numpy as np

from zoo.benchmark import runners
from zoo.benchmark.basics import seconds_of
from zoo.core.errors import ParityError, ZooError
from zoo.core.files import size_bytes

_WARM_UP = 0.03  # seconds of calls before those that are timed: other runners' threads still spin, caches are cold
_READY = "reconstructed"


class Timed:
    """A runner that is opened, tuned, checked against Keras, and timed, in this order.

    Args:
        name: of a runner.
        threads: CPU threads.
    """

    def __init__(self, name, threads):
        self._runner = runners.RUNNERS[name](threads)

    def open(self, exported):
        """Load a model: `zoo.benchmark.runners.Exported`."""
        self._exported = exported
        self._runner.open(exported)

    def tune(self):
        """Choose the fastest settings; meanwhile nothing else shall run."""
        self._runner.tune(self._exported)

    def check(self):
        """Compare with Keras.

        Returns:
            dict: settings; error, the root mean square of the differences to Keras as a share of Keras' standard
            deviation; and size_bytes of the file, None for a runner of the model's own weights.

        Raises:
            ParityError: it computes something else.
        """
        exported = self._exported
        self._samples, reference = exported.samples(), exported.reference()
        self._ways = {"latency": self._runner} | ({"bare": self._runner.bare} if self._runner.bare else {})
        some = len(reference)
        results = [np.stack([way(sample) for sample in self._samples[:some]]) for way in self._ways.values()]
        results.append(self._runner.batch(self._samples)[:some])
        worst = max(relative_error(result, reference) for result in results)
        if not worst <= self._runner.tolerance:
            raise ParityError(
                f"{self._runner.name} does not compute what Keras computes for {exported.name}: it is off by"
                f" {worst:.3g} of Keras' standard deviation, allowed is {self._runner.tolerance:g}. Nothing was timed."
            )
        file = self._runner.file
        return {
            "settings": self._runner.settings,
            "error": worst,
            "size_bytes": size_bytes(exported.directory / file) if file else None,
        }

    def measure(self, calls):
        """Time single samples, each call another one, and then all of them at once.

        Args:
            calls: timed calls; so many times fewer as the runner says.

        Returns:
            dict: "latency" and, where the runtime was also called without zoo, "bare", each with p50 and p99 in
            seconds; samples_per_second.
        """
        count = max(2, calls // self._runner.fewer)
        results = {}
        for name, way in self._ways.items():
            turns = itertools.cycle(self._samples)
            _warm_up(lambda way=way, turns=turns: way(next(turns)))
            timed = [functools.partial(way, sample) for sample in itertools.islice(turns, count)]
            results[name] = percentiles(seconds_of(timed))
        clock = time.perf_counter()
        self._runner.batch(self._samples)
        results["samples_per_second"] = len(self._samples) / (time.perf_counter() - clock)
        return results


def relative_error(values, reference):
    """Root mean square of the differences, as a share of the reference's standard deviation."""
    if values.shape != reference.shape:
        return float("inf")
    difference = values.astype("float64") - reference
    return float(np.sqrt(np.mean(difference**2)) / np.std(reference, dtype="float64"))


def percentiles(seconds):
    """The 50th and the 99th percentile, interpolated linearly."""
    p50, p99 = np.percentile(seconds, [50, 99])
    return {"p50": float(p50), "p99": float(p99)}


def _warm_up(call):
    call()
    end = time.perf_counter() + _WARM_UP
    while time.perf_counter() < end:
        call()


def start_up(name, threads, exported):
    """Seconds from the start of a process until it has reconstructed its first sample.

    Raises:
        ZooError: the process failed.
    """
    command = [sys.executable, "-m", "zoo.benchmark.timing", name, str(threads), exported.name, str(exported.directory)]
    clock = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            line = process.stdout.readline()
            seconds = time.perf_counter() - clock
            _, errors = process.communicate()
        except BaseException:
            process.kill()
            raise
    if line.strip() != _READY or process.returncode:
        last = (errors.strip().splitlines() or ["no message"])[-1]
        raise ZooError(f"A fresh process of {name} ended with {process.returncode}: {last}")
    return seconds


def _first_sample(name, threads, model_name, directory):
    exported = runners.Exported(model_name, pathlib.Path(directory))
    runner = runners.RUNNERS[name](int(threads))
    runner.open(exported)
    runner(exported.samples()[0])
    print(_READY, flush=True)


if __name__ == "__main__":
    _first_sample(*sys.argv[1:])
