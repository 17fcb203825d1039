"""The code of docs/per-patient.md makes what the model was trained on."""

import pathlib
import re

import numpy as np

from zoo.data import beats

PAGE = pathlib.Path(__file__).parents[2] / "docs" / "per-patient.md"


def test_device_keeps_the_usual_beat():
    random = np.random.default_rng(0)
    intervals = np.concatenate([[200], random.integers(36, 200, 90)])
    peaks = 48 + np.cumsum(intervals)
    values = random.integers(-900, 900, peaks[-1] + 80).astype("int16")
    windows = np.stack([values[peak - 48 : peak + 80] for peak in peaks])
    expected = beats.in_context(windows, np.zeros(len(windows), int), 200)
    names = {}
    exec(re.search(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)[1], names)
    made = [names["sample"](*given, number) for number, given in enumerate(zip(windows, intervals, strict=True))]
    assert all(sample is None for sample in made[:60])
    np.testing.assert_array_equal(made[60:], expected[60:])
