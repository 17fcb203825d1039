"""The one way in for a .tflite or .onnx file: read once, seal and structure checked, then given to its runtime."""

import os
import pathlib
from collections.abc import Callable

from zoo.core import manifest, reading
from zoo.core.errors import ExportError, unknown_name
from zoo.exporting import metadata, seal, trial
from zoo.exporting.structure import Structure

TRUST = ("sealed", "unsealed")
_LARGEST = 2**29  # bytes, far beyond any model for phones and browsers


def opened(
    path: str | os.PathLike,
    check: Callable[[bytes], Structure],
    engine: type,
    *,
    threads: int = 1,
    trust: str = "sealed",
):
    """The runtime of a file, see `zoo.exporting.runtime`.

    The bytes that are checked are those that are run: nothing can change the file in between.

    Args:
        path: path of the file.
        check: function of its bytes that checks their structure.
        engine: class of the runtime.
        threads: number of CPU threads.
        trust: "sealed" for a file that carries its seal; "unsealed" for any other, which is then tried in a process of
            its own first, as is a sealed one with operators that `check` does not know.

    Raises:
        UnknownNameError: another `trust`.
        DataNotFoundError: no such file.
        ExportError: not a file that can be run safely.
    """
    if trust not in TRUST:
        raise unknown_name("trust", trust, TRUST)
    content = manifest.arriving(pathlib.Path(path)) or reading.read_bytes(path, limit=_LARGEST, error=ExportError)
    where = repr(os.fspath(path))
    if trust == "sealed":
        seal.check(content, where)
    try:
        structure = check(content)
        known = metadata.parsed(structure.metadata)
        if trust == "unsealed" or structure.unchecked:
            trial.check(engine, content)
        return engine(content, known, threads)
    except Exception as problem:  # each runtime has its own exceptions for a damaged file
        raise ExportError(f"{where} is not a model that its runtime can load: {problem}") from problem
