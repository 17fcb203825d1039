"""A file in the real interpreter of TFLite Micro: the smallest arena that it runs in, and what it computes.

The interpreter writes where it likes in an arena that is too small, and ends its process for files that it dislikes:
everything here happens in a process of its own, which tries each size of the arena in another one.
"""

import dataclasses
import importlib.metadata
import importlib.util
import io
import os
import signal
import subprocess
import sys
from collections.abc import Sequence

import numpy as np

from zoo.core.errors import ExportError

PACKAGE = "tflite-micro"
ALIGNMENT = 16  # of the arena, in bytes; its size is a multiple of it as well
_LARGEST = 2**26
_SECONDS = 600
_KEPT_BYTES = 2**26
_REFUSED = 3


@dataclasses.dataclass(frozen=True)
class Run:
    """What the interpreter made of a file.

    Attributes:
        arena_bytes: size of the smallest arena in which it runs; the next smaller multiple of 16 fails.
        outputs: array (samples, ...) in the output's own dtype.
        version: of the package.
        kept: dict of the index of a tensor to its values (first samples, ...).
    """

    arena_bytes: int
    outputs: np.ndarray
    version: str
    kept: dict


def check_installed() -> None:
    """Raise `ExportError` without the package tflite-micro."""
    if importlib.util.find_spec("tflite_micro") is None:
        raise ExportError(
            "The format 'micro' is tried in the interpreter of TFLite Micro, which is not installed:"
            ' pip install "autoencoder-zoo[micro]"'
        )


def run(content: bytes, samples: np.ndarray, kept: Sequence[int] = ()) -> Run:
    """Run a .tflite file with one input and one output in TFLite Micro.

    Args:
        content: bytes of the file.
        samples: array (samples, *shape) of the dtype that the file takes.
        kept: indices of the tensors whose values are wanted too: of the first samples, as many as 64 MB take.

    Raises:
        ExportError: the package is not installed, or the interpreter refuses the file, in its own words.
    """
    check_installed()
    given = io.BytesIO()
    np.savez(given, content=np.frombuffer(content, "uint8"), samples=samples, kept=np.array(kept, int))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    try:
        done = subprocess.run(
            [sys.executable, "-c", "from zoo.exporting.micro import trial; trial.main()"],
            input=given.getvalue(),
            capture_output=True,
            timeout=_SECONDS,
            env=environment,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ExportError(f"TFLite Micro did not run the file within {_SECONDS} s.") from None
    if done.returncode:
        words = " ".join(done.stderr.decode(errors="replace").split())[-300:]
        if done.returncode < 0:
            words += f" (it ended with {signal.Signals(-done.returncode).name})"
        raise ExportError(f"TFLite Micro does not run this model. It says: {words}")
    with np.load(io.BytesIO(done.stdout)) as found:
        values = {index: found[str(index)] for index in kept}
        return Run(int(found["arena_bytes"]), found["outputs"], importlib.metadata.version(PACKAGE), values)


def main() -> None:
    """What the other process does, with the file and its samples on standard input."""
    with np.load(io.BytesIO(sys.stdin.buffer.read())) as given:
        content, samples, kept = given["content"].tobytes(), given["samples"], given["kept"]
    try:
        outputs = _outputs(content, samples, _LARGEST)
        values = _values(content, samples, kept, outputs) if len(kept) else {}
    except Exception as problem:  # the interpreter has said more on standard error
        print(problem, file=sys.stderr, flush=True)
        os._exit(_REFUSED)
    smallest = _smallest(lambda size: _survives(content, samples[:1], outputs[:1], size))
    found = io.BytesIO()
    np.savez(found, arena_bytes=smallest, outputs=outputs, **values)
    sys.stdout.buffer.write(found.getvalue())
    sys.stdout.flush()
    os._exit(0)


def _smallest(works):
    """The smallest multiple of the alignment that works, if every larger one does."""
    low, high = 0, 1
    while not works(high * ALIGNMENT):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if works(middle * ALIGNMENT) else (middle, high)
    return high * ALIGNMENT


def _survives(content, samples, expected, size):
    """Whether a process computes the expected outputs in an arena of this size."""
    child = os.fork()
    if child == 0:
        os.close(2)
        try:
            os._exit(0 if np.array_equal(_outputs(content, samples, size), expected) else 1)
        except BaseException:
            os._exit(1)
    return os.waitpid(child, 0)[1] == 0


def _outputs(content, samples, size):
    from tflite_micro import runtime

    interpreter = runtime.Interpreter.from_bytes(content, arena_size=size)
    return np.stack([interpreter.get_output(0)[0] for _ in _invoked(interpreter, samples)])


def _values(content, samples, kept, outputs):
    """Values of tensors, from an arena in which each has a place of its own."""
    from tflite_micro import runtime

    all_kept = runtime.InterpreterConfig.kPreserveAllTensors
    interpreter = runtime.Interpreter.from_bytes(content, None, _LARGEST, all_kept)
    rows, left = [], _KEPT_BYTES
    for _, expected in zip(_invoked(interpreter, samples), outputs, strict=True):
        if not np.array_equal(interpreter.get_output(0)[0], expected, equal_nan=expected.dtype.kind == "f"):
            raise ValueError("The outputs change where the tensors have places of their own.")
        rows.append([np.array(interpreter.GetTensor(int(index), 0)["tensor_data"]) for index in kept])
        left -= sum(value.nbytes for value in rows[-1])
        if left < 0:
            break
    return {str(index): np.stack(values) for index, values in zip(kept, zip(*rows, strict=True), strict=True)}


def _invoked(interpreter, samples):
    for sample in samples:
        interpreter.set_input(sample[None], 0)
        interpreter.invoke()
        yield
