"""Time per epoch against the number of samples."""

import gc
import time

import numpy as np

from zoo.benchmark import competitors, models
from zoo.benchmark.basics import spread
from zoo.data.source import Source

NETWORK = "784-16-784"
SAMPLES = (1_000, 10_000, 60_000, 100_000, 300_000, 1_000_000)
_MOST_FOR_KERAS = 60_000  # it holds float32 copies
_MOST_REPEATS = 3


def measure(pool, repeats, most, tell):
    """Seconds per epoch of zoo, and of Keras' default up to 60,000 samples.

    Args:
        pool: zoo.data.Source of 784 pixels per sample; above its size the pixels are random.
        repeats: measured epochs of each, 3 at most.
        most: largest number of samples, or None.
        tell: function that takes a line on the progress.

    Returns:
        list of dictionaries, one per number of samples: ``{"samples": ..., "seconds": {competitor: spread}}``.
    """
    network, points = models.NETWORKS[NETWORK], []
    for count in [count for count in SAMPLES if count <= (most or count)] or [most]:
        if count <= len(pool):
            images = pool.samples[:count].reshape(count, -1)
        else:
            images = np.random.default_rng(0).integers(0, 256, (count, *network.shape), "uint8")
        source = Source(images)
        classes = [competitors.Zoo, *([competitors.KerasFit] if count <= _MOST_FOR_KERAS else [])]
        pixels = source.pixels() if len(classes) > 1 else None
        running = [competitor(network, source, pixels) for competitor in classes]
        seconds = {competitor.name: [] for competitor in running}
        for repeat in range(1 + min(repeats, _MOST_REPEATS)):
            for competitor in running:
                clock = time.perf_counter()
                competitor.epoch()
                if repeat:  # the first epoch compiles
                    seconds[competitor.name].append(time.perf_counter() - clock)
        points.append({"samples": count, "seconds": {name: spread(values) for name, values in seconds.items()}})
        tell(f"{count:,} samples: " + ", ".join(f"{n} {s['median']:.3f} s" for n, s in points[-1]["seconds"].items()))
        del images, source, pixels, running
        gc.collect()
    return points
