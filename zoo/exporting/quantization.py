"""What a quantised export needs: the mode, and real samples to calibrate int8 on."""

import dataclasses
import warnings

import numpy as np

from zoo.core.errors import DataError, ExportError, ZooError, unknown_name
from zoo.evaluation.samples import load_for

MODES = ("float16", "dynamic", "int8")
CALIBRATION_SAMPLES = 1000
_FEWEST = 100
_TEST_SAMPLES = 2000


@dataclasses.dataclass(frozen=True)
class Quantization:
    """How the .tflite file is quantised; the other formats stay as they are.

    Attributes:
        mode: None, "float16" (weights), "dynamic" (int8 weights, float32 arithmetic around them) or "int8"
            (weights and activations).
        integer_io: None for float32 inputs and outputs, or "uint8"; int8 only. The score stays float32.
        calibration: dict of signature name to samples, for int8.
        source: where the calibration samples came from, for the report.
    """

    mode: str | None = None
    integer_io: str | None = None
    calibration: dict = dataclasses.field(default_factory=dict)
    source: str = ""

    @classmethod
    def of(cls, target, mode, calibration, integer_io, force):
        """The checked quantization of an `ExportTarget`; see `zoo.export` for the arguments and errors."""
        if mode is not None and mode not in MODES:
            raise unknown_name("quantization", mode, MODES)
        if mode != "int8" and (calibration is not None or integer_io is not None):
            given = "calibration" if calibration is not None else "integer_io"
            raise ExportError(f'{given} goes with quantization="int8". Received quantization={mode!r}.')
        if integer_io not in (None, "uint8"):
            raise unknown_name("integer_io", integer_io, ["uint8"])
        if integer_io and target.dtype == "uint8":
            raise ExportError(
                'raw_input=True and integer_io="uint8" both make the input uint8: leave one out. With integer_io the'
                " file states a scale and zero point, with raw_input the input is pixels."
            )
        if mode != "int8":
            return cls(mode)
        source = "given" if calibration is not None else f"{target.dataset} (train)"
        if calibration is None:
            calibration = drawn(target, "train", CALIBRATION_SAMPLES, "calibration")
        samples, _ = target.samples(calibration, "train", "calibration")
        _check(samples, force)
        return cls(mode, integer_io, target.inputs(samples), source)

    def describe(self):
        """The "calibration" entry of the report."""
        if not self.calibration:
            return None
        return {"samples": len(next(iter(self.calibration.values()))), "source": self.source}


def drawn(target, split, count, argument):
    """Up to `count` samples of the dataset that a model was pretrained on, always the same ones, as a Source."""
    if target.dataset is None or target.kind == "decoder":
        raise ExportError(
            f'quantization="int8" needs at least {CALIBRATION_SAMPLES:,} real samples of what the model will see: pass'
            f" {argument}=. (Only models that zoo.load or zoo.load_encoder returns have a dataset to draw them from.)"
        )
    try:
        source = load_for(target, target.dataset, split)
    except ZooError as error:
        raise ExportError(
            f"The samples of {target.dataset!r}, on which this model was pretrained, cannot be drawn: pass {argument}=."
            f" {error}"
        ) from error
    chosen = np.random.default_rng(0).permutation(len(source))[:count]
    return source.subset(np.sort(chosen))


def test_samples(target):
    """Samples of the test split to measure a quantised file on, as a Source; None where there is no dataset."""
    return (
        None if target.dataset is None or target.kind == "decoder" else drawn(target, "test", _TEST_SAMPLES, "samples")
    )


def _check(samples, force):
    """Raise `DataError` for calibration samples from which no range of activations can be learnt."""
    if len(samples) > 1 and np.all(samples == samples[:1]):
        raise DataError(
            f"calibration is constant: all {len(samples)} samples are the same, so the ranges of the activations cannot"
            " be learnt from them. Pass real, varied samples."
        )
    if len(samples) >= CALIBRATION_SAMPLES:
        return
    if len(samples) < _FEWEST and not force:
        raise DataError(
            f"int8 needs at least {_FEWEST} calibration samples, better {CALIBRATION_SAMPLES:,}."
            f" Received {len(samples)}. Pass more, or force=True and judge the report yourself."
        )
    warnings.warn(
        f"int8 calibrated on {len(samples)} samples: expect larger differences than with {CALIBRATION_SAMPLES:,} or"
        " more. See the report.",
        stacklevel=4,
    )
