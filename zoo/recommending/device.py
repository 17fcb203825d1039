"""What an encoder costs on a device: size and time of its int8 file."""

import pathlib
import tempfile
import time
import warnings
from typing import NamedTuple

import keras
import numpy as np

from zoo import lite
from zoo.core.errors import ZooError
from zoo.core.terminal import native_errors_hidden
from zoo.exporting.export import export

_CALLS, _WARM_UP = 200, 20
_MOST_SECONDS = 1.0


class Cost(NamedTuple):
    """Size of an int8 file, and the median time of one sample on one thread of this machine; None if there is none."""

    int8_bytes: int | None
    int8_microseconds: float | None


def cost(encoder: keras.Model, x: np.ndarray) -> Cost:
    """What an encoder costs as an int8 .tflite file.

    Args:
        encoder: keras.Model from samples to features.
        x: samples to calibrate on.
    """
    with tempfile.TemporaryDirectory() as directory, warnings.catch_warnings(), native_errors_hidden():
        warnings.simplefilter("ignore")  # of few samples to calibrate on: the file is measured, not used
        try:
            report = export(
                encoder, pathlib.Path(directory) / "int8", "tflite", quantization="int8", calibration=x, samples=x[:8]
            )
        except ZooError:
            return Cost(None, None)
        file = pathlib.Path(directory) / "int8" / "model.tflite"
        model = lite.load(file, threads=1)
        return Cost(report.files["tflite"].size_bytes, _median_time(lambda i: model.encode(x[i % len(x)])))


def _median_time(call):
    times, begin = [], time.perf_counter()
    for i in range(_WARM_UP + _CALLS):
        before = time.perf_counter()
        call(i)
        times.append(time.perf_counter() - before)
        if time.perf_counter() - begin > _MOST_SECONDS and i > _WARM_UP:
            break
    return float(np.median(times[_WARM_UP:]) * 1e6)
