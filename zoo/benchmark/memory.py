"""Peak memory of a training on a million samples, measured in a process of its own: ``-m zoo.benchmark.memory N``."""

import json
import os
import resource
import subprocess
import sys

from zoo.core.errors import ZooError

SAMPLES = 1_000_000
_ELEMENTS, _LATENT, _BATCH_SIZE = 784, 16, 256


def measure(samples):
    """Peak memory of one epoch of 784-16-784 on `samples` random uint8 samples.

    Returns:
        dict: `samples`; bytes of the samples; peak of the process in bytes; `started_bytes`, its peak after a training
        on ten batches, before the samples exist; and `peak_minus_data_bytes`.

    Raises:
        ZooError: the process failed, for instance because the memory did not suffice.
    """
    command = [sys.executable, "-m", "zoo.benchmark.memory", str(samples)]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    result = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if result.returncode:
        last = (result.stderr.strip().splitlines() or ["no message"])[-1]
        raise ZooError(f"The measurement of memory with {samples:,} samples ended with {result.returncode}: {last}")
    return json.loads(result.stdout)


def _train(samples):
    import numpy as np

    import zoo

    random = np.random.default_rng(0)

    def pixels(count):
        return zoo.data.Source(random.integers(0, 256, (count, _ELEMENTS), "uint8"))

    model = zoo.feed_forward((_ELEMENTS,), _LATENT)
    model.fit(pixels(10 * _BATCH_SIZE), batch_size=_BATCH_SIZE, verbose=0)
    started = _peak_bytes()
    source = pixels(samples)
    model.fit(source, batch_size=_BATCH_SIZE, verbose=0)
    peak = _peak_bytes()
    return {
        "samples": samples,
        "data_bytes": source.samples.nbytes,
        "started_bytes": started,
        "peak_bytes": peak,
        "peak_minus_data_bytes": peak - source.samples.nbytes,
    }


def _peak_bytes():
    """Largest resident memory of this process so far.

    On Linux read from /proc, for `ru_maxrss` there also counts what the process was before it was replaced: a copy of
    the benchmark, which is larger.
    """
    try:
        with open("/proc/self/status", encoding="ascii") as status:
            return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024


if __name__ == "__main__":
    print(json.dumps(_train(int(sys.argv[1]))))
