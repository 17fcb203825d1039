"""What an export wrote, and how close it is to Keras."""

import dataclasses
import json

# Format -> file (or directory) inside the export directory.
FORMATS = {"saved_model": "saved_model", "tflite": "model.tflite", "onnx": "model.onnx"}
REPORT = "report.json"


@dataclasses.dataclass(frozen=True)
class ExportedFile:
    """One exported file.

    Attributes:
        file: its path inside the export directory.
        size_bytes: its size (of a directory: all files in it).
        sha256: its SHA-256 (of a directory: of the paths and hashes of its files).
        max_difference: largest absolute difference of an output value to Keras.
        mean_difference: mean absolute difference.
        tolerance: what `max_difference` was compared with.
        operators: names of the operators in it, sorted.
    """

    file: str
    size_bytes: int
    sha256: str
    max_difference: float
    mean_difference: float
    tolerance: float
    operators: tuple


@dataclasses.dataclass(frozen=True)
class ExportReport:
    """Result of `zoo.export`, stored as ``report.json``.

    Attributes:
        model: what was exported: "autoencoder", "encoder", "decoder", "classifier" or "model".
        input: {"name", "shape", "dtype", "output"}: shape of one sample; "output" is the output's name in every format.
        samples: number of real samples that the files were compared on.
        files: dict of format to `ExportedFile`.
    """

    model: str
    input: dict
    samples: int
    files: dict

    def to_json(self):
        """The report as JSON text."""
        return json.dumps(dataclasses.asdict(self), indent=2) + "\n"
