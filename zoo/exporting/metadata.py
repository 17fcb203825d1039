"""What an exported file knows about itself: kind, signatures, range of its samples, anomaly threshold, seal.

It is one JSON text, kept where each format keeps such things: a metadata entry of a .tflite file, a metadata property
of an .onnx file, a file in the extra assets of a SavedModel.
"""

import dataclasses
import json
import pathlib
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec

from zoo.core import reading, schema
from zoo.core.errors import ExportError, ZooError, unknown_name

KEY = "zoo"
SAVED_MODEL_FILE = pathlib.Path("assets.extra") / "zoo.json"
LIMIT = 1e6

Kind = Literal["autoencoder", "encoder", "decoder", "classifier", "model"]
Threshold = Annotated[float, msgspec.Meta(ge=0)]
Seal = Annotated[str, msgspec.Meta(pattern="^sha256:[0-9a-f]{64}$")]


_ALWAYS = ("unit_range", "threshold")  # of every file, known or not


@dataclasses.dataclass(frozen=True)
class Names:
    """The names of a signature's input and its output."""

    input: schema.Text
    output: schema.Text


@dataclasses.dataclass(frozen=True)
class Metadata:
    """The metadata of an exported file.

    Attributes:
        model: what was exported.
        default: name of the signature that is run where none is named.
        signatures: dict of signature name to `Names`.
        unit_range: whether samples must lie in [0, 1]; None if unknown.
        threshold: anomaly threshold, or None.
        seal: see `zoo.exporting.seal`; None where the format has none, and in files of older versions.
        sampling_rate: samples per second of the signals, or None.
        unit: unit of the samples, or None.
        class_names: of a classifier: names of the classes in the order of its outputs, or None.
        scale: what integers would be multiplied with to become samples in `unit`, where the file takes floats; or None.
    """

    model: Kind
    default: schema.Text
    signatures: dict[schema.Text, Names]
    unit_range: bool | None
    threshold: Threshold | None
    seal: Seal | None = None
    sampling_rate: Annotated[float, msgspec.Meta(gt=0)] | None = None
    unit: schema.Text | None = None
    scale: float | None = None
    class_names: tuple[schema.ClassName, ...] | None = None

    def to_json(self) -> str:
        """The metadata as JSON text."""
        known = dataclasses.asdict(self)
        return json.dumps({key: value for key, value in known.items() if value is not None or key in _ALWAYS})

    def check_signatures(self, found: Mapping[str, Any]) -> None:
        """Raise `ExportError` unless a file has these signatures and no others.

        Args:
            found: dict of name to `zoo.exporting.runtime.Details`, what the file has.
        """
        stated = {name: (names.input, names.output) for name, names in self.signatures.items()}
        actual = {name: (details.input_name, details.output_name) for name, details in found.items()}
        if stated != actual:
            raise ExportError(f"its metadata names the signatures {stated}, but the file has {actual}")
        outputs = found[self.default].output_shape
        if self.class_names is not None and outputs != (len(self.class_names),):
            raise ExportError(
                f"its metadata names {len(self.class_names)} classes, but the file's outputs have the shape {outputs}"
            )


def of_target(target, threshold: float | None) -> Metadata:
    """The metadata of an `ExportTarget`."""
    signatures = {s.name: Names(s.input_name, s.output_name) for s in target.signatures.values()}
    return Metadata(
        target.kind,
        target.default.name,
        signatures,
        target.unit_range,
        threshold,
        sampling_rate=target.signal.get("sampling_rate"),
        unit=target.signal.get("unit") or None,
        scale=target.signal.get("scale") if target.raw is None else None,
        class_names=target.class_names or None,
    )


def parsed(text: bytes | str | None) -> Metadata | None:
    """The metadata of a file; None for a file that the zoo did not write.

    Raises:
        ExportError: not the metadata that `zoo.export` writes.
    """
    if text is None:
        return None
    if len(text) > LIMIT:
        raise ExportError(f"its metadata is too large: expected at most {int(LIMIT):,} bytes. Received {len(text):,}")
    content = reading.parse_json(text, "its metadata", error=ExportError)
    try:
        known = schema.convert(content, Metadata, "its metadata")
        if known.default not in known.signatures:
            raise unknown_name("default signature in its metadata:", known.default, known.signatures)
    except ZooError as problem:
        raise ExportError(str(problem)) from problem
    return known
