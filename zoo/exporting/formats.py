"""The formats of exported files: one row for each, which everything else reads. Needs neither TensorFlow nor Keras."""

import dataclasses
import functools
import pathlib
from collections.abc import Callable, Sequence

from zoo.core.errors import ExportError, unknown_name
from zoo.exporting import onnx, onnx_structure, runtime, saved_model, tflite, tflite_structure
from zoo.exporting.micro import operators, trial, writing
from zoo.exporting.opening import opened


@dataclasses.dataclass(frozen=True)
class Format:
    """How files of one format are written, opened and audited.

    Attributes:
        file: name of the file (or directory) inside the export directory.
        write: function of (`ExportTarget`, path, `Plan`) that writes the file; returns what it knows of it, as
            `zoo.exporting.report.Written`, or None.
        open: function of a path that returns its runtime, see `zoo.exporting.runtime`; of a file also with the
            arguments of `zoo.exporting.opening.opened`.
        operators: function of a path to the sorted names of the operators in the file.
        is_foreign: whether an operator of this name is one that the format's runtimes lack.
        check_installed: raises `ExportError`, with what to install, without an optional package that it needs.
    """

    file: str
    write: Callable
    open: Callable
    operators: Callable[[pathlib.Path], Sequence[str]]
    is_foreign: Callable[[str], bool]
    check_installed: Callable[[], None] = lambda: None

    def audited(self, path: pathlib.Path) -> Sequence[str]:
        """The operators in a file; raises `ExportError` if a runtime would lack one."""
        found = self.operators(path)
        if foreign := [name for name in found if self.is_foreign(name)]:
            raise ExportError(f"{self.file} would need operators that its runtimes lack: {', '.join(foreign)}.")
        return found


FORMATS = {
    "saved_model": Format(
        "saved_model", saved_model.write, runtime.SavedModel, saved_model.operators, saved_model.is_foreign
    ),
    "tflite": Format(
        "model.tflite",
        tflite.write,
        functools.partial(opened, check=tflite_structure.check, engine=runtime.LiteRT),
        tflite.operators,
        tflite.is_foreign,
    ),
    "micro": Format(
        "micro/model.tflite",
        writing.write,
        functools.partial(opened, check=tflite_structure.check, engine=runtime.LiteRT),
        tflite.operators,
        operators.is_foreign,
        trial.check_installed,
    ),
    "onnx": Format(
        "model.onnx",
        onnx.write,
        functools.partial(opened, check=onnx_structure.check, engine=runtime.OnnxRuntime),
        onnx.operators,
        onnx.is_foreign,
    ),
}


def chosen(formats: str | Sequence[str]) -> tuple[str, ...]:
    """The names of formats to write, if they are known and what they need is installed.

    Raises:
        UnknownNameError: an unknown format.
        ExportError: no format, or one whose optional package is not installed.
    """
    formats = (formats,) if isinstance(formats, str) else tuple(formats)
    for name in formats:
        if name not in FORMATS:
            raise unknown_name("export format", name, FORMATS)
        FORMATS[name].check_installed()
    if not formats:
        raise ExportError(f"No format to export to. Choose among {', '.join(FORMATS)}.")
    return formats
