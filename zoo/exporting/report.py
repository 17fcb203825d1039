"""What an export wrote, and how close it is to Keras."""

import dataclasses
import json
from typing import Any

REPORT = "report.json"


@dataclasses.dataclass(frozen=True)
class Difference:
    """How far the outputs of one signature are from Keras'.

    Attributes:
        input, output: names of its input and its output in the file.
        max_difference: largest absolute difference of an output value.
        mean_difference: mean absolute difference.
        tolerance: what `max_difference` was compared with; None for a quantised file without a given tolerance.
        reason: where the tolerance comes from.
    """

    input: str
    output: str
    max_difference: float
    mean_difference: float
    tolerance: float | None
    reason: str


@dataclasses.dataclass(frozen=True)
class MicroDifference:
    """How far TFLite Micro is from LiteRT.

    Attributes:
        max_steps, mean_steps: in steps of an integer output, also where it is made float32 at the end; None for floats
            that were never integers, such as a score.
        max_difference: the largest one, as a float.
    """

    max_steps: int | None
    mean_steps: float | None
    max_difference: float


@dataclasses.dataclass(frozen=True)
class MicroRun(MicroDifference):
    """What a file for microcontrollers needs and computes in the interpreter of TFLite Micro.

    Its own differences are those of the whole file to LiteRT as phones run it, with optimised kernels.

    Attributes:
        signature: the one that the file computes.
        arena_bytes: the smallest arena in which it runs, measured on a 64-bit PC with the reference kernels.
        samples: number of real samples that were run there and in LiteRT.
        operators: dict of "operator, dtype" to the `MicroDifference` of each operator alone to LiteRT's reference
            kernel for the same inputs.
        version: of the package tflite-micro.
    """

    signature: str
    arena_bytes: int
    samples: int
    operators: dict[str, MicroDifference]
    version: str


@dataclasses.dataclass(frozen=True)
class Written:
    """What the writer of a file knows of it.

    Attributes:
        float32_bytes: size of the float32 file, if this one is quantised.
        micro: of a file for microcontrollers.
    """

    float32_bytes: int | None = None
    micro: MicroRun | None = None


@dataclasses.dataclass(frozen=True)
class ExportedFile:
    """One exported file.

    Attributes:
        file: its path inside the export directory.
        size_bytes: its size (of a directory: all files in it).
        sha256: its SHA-256 (of a directory: of the paths and hashes of its files).
        seal: the seal in its metadata, see `zoo.exporting.seal`: "sha256:" and the SHA-256 of the file in which the
            seal's own 64 digits are zeros; None for a directory.
        quantization: None, "float16", "dynamic" or "int8".
        size_ratio: its size as a share of the float32 file's; None if it is not quantised.
        max_difference, mean_difference, tolerance: those of the default signature.
        signatures: dict of signature name to `Difference`.
        metrics: dict of task metric to {"before", "after"}: of the Keras model and of this file, on the same samples.
        operators: names of the operators in it, sorted.
        micro: of a file for microcontrollers, what TFLite Micro makes of it.
    """

    file: str
    size_bytes: int
    sha256: str
    seal: str | None
    quantization: str | None
    size_ratio: float | None
    max_difference: float
    mean_difference: float
    tolerance: float | None
    signatures: dict[str, Difference]
    metrics: dict[str, dict[str, float]]
    operators: tuple[str, ...]
    micro: MicroRun | None = None


@dataclasses.dataclass(frozen=True)
class ExportReport:
    """Result of `zoo.export`, stored as ``report.json``.

    Attributes:
        model: what was exported: "autoencoder", "encoder", "decoder", "classifier" or "model".
        dtype_policy: Keras' dtype policy of the model; the files compute in float32, or in what they are quantised to.
        input: {"name", "shape", "dtype", "output"} of the default signature: shape of one sample; "output" is the
            output's name in every format.
        samples: number of real samples that the files were compared on.
        calibration: {"samples", "source"} that int8 was calibrated on, or None.
        threshold: the anomaly threshold that the files carry, or None.
        class_names: the names of the classes that the files carry, or None.
        warnings: sentences on what got worse by quantisation, empty if nothing did.
        files: dict of format to `ExportedFile`.
    """

    model: str
    dtype_policy: str
    input: dict[str, Any]
    samples: int
    calibration: dict[str, Any] | None
    threshold: float | None
    class_names: tuple[str, ...] | None
    warnings: tuple[str, ...]
    files: dict[str, ExportedFile]

    def to_json(self) -> str:
        """The report as JSON text."""
        return json.dumps(dataclasses.asdict(self), indent=2) + "\n"
