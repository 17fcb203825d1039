"""Running exported files on NumPy arrays. LiteRT and ONNX Runtime need no TensorFlow.

Each runtime has `signatures`, a dictionary of name to `Details` whose first entry is the default one, `metadata` (see
`zoo.exporting.metadata`; None for a file that the zoo did not write), and ``run(signature, samples)``. Several threads
may call it at once, and so may a process that was forked afterwards.
"""

import contextlib
import ctypes
import dataclasses
import os
import threading
import weakref

import numpy as np

from zoo.core import reading
from zoo.core.errors import ExportError, ZooError
from zoo.exporting import metadata

_TELEMETRY = "ORT_DISABLE_TELEMETRY"


@dataclasses.dataclass(frozen=True)
class Details:
    """What a signature of a file takes and gives.

    Attributes:
        input_name, output_name: names of its input and its output.
        input_shape, output_shape: shapes of one sample.
        dtype: numpy.dtype of the input.
        input_scale: (scale, zero point) of an integer input that stands for floats, or None.
        output_scale: the same of the output.
        batch_size: samples per call; None for any number.
    """

    input_name: str
    output_name: str
    input_shape: tuple
    output_shape: tuple
    dtype: np.dtype
    input_scale: tuple | None = None
    output_scale: tuple | None = None
    batch_size: int | None = None


class _Runtime:
    """A file's content, and the engine that runs it.

    A process that is forked has its parent's memory, but neither its threads nor the right to its locks: there the
    engine is started again when it is needed, and the parent's is left alone, for its end would wait for threads that
    do not exist.
    """

    def __init__(self, content, known, threads):
        self._content, self._threads = content, threads
        self.metadata = known
        self._engine = self._started()
        _RUNTIMES.add(self)

    def run(self, signature, x):
        """Outputs (samples, ...) for samples (samples, *input_shape) of the file's dtype, or floats for integers."""
        try:
            return self._outputs(self.signatures[signature], signature, x)
        except ZooError:
            raise
        except Exception as problem:  # each engine has its own exceptions
            raise ExportError(f"The file's signature {signature!r} could not be run: {problem}") from problem

    def _ordered(self, found):
        """Signatures by name, the default one first, if they are those that the metadata names."""
        if self.metadata is not None:
            self.metadata.check_signatures(found)
        return _default_first(found, self.metadata)

    def _running(self):
        engine = self._engine
        if engine is None:
            self._engine = engine = self._started()  # by two threads at once: each has one
        return engine

    def forked(self):
        """Called in the child."""
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._engine))
        self._engine = None


_RUNTIMES: weakref.WeakSet[_Runtime] = weakref.WeakSet()


def _forked():
    for runtime in list(_RUNTIMES):
        runtime.forked()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)


class LiteRT(_Runtime):
    """The content of a .tflite file, run sample by sample (or batch by batch, as it was exported).

    Args:
        content: bytes of the file, whose structure was checked: LiteRT follows what they say.
        known: its `Metadata`, or None.
        threads: number of CPU threads.
    """

    def __init__(self, content, known=None, threads=1):
        super().__init__(content, known, threads)
        runners = self._engine.runners.items()
        self.signatures = self._ordered({name: _tflite_details(runner) for name, runner in runners})

    def _started(self):
        return _Interpreter(self._content, self._threads)

    def _outputs(self, details, signature, x):
        engine = self._running()
        if details.input_scale and x.dtype != details.dtype:
            x = quantized(x, details.dtype, *details.input_scale)
        outputs = engine.run(signature, details, x)
        if details.output_scale:
            scale, zero_point = details.output_scale
            outputs = (outputs.astype("float32") - zero_point) * np.float32(scale)
        return outputs


class _Interpreter:
    """LiteRT's interpreter, which has one place for its tensors: one thread at a time."""

    def __init__(self, content, threads):
        from ai_edge_litert.interpreter import Interpreter

        interpreter = Interpreter(model_content=content, num_threads=threads)
        interpreter.allocate_tensors()  # here, so that an operator that LiteRT lacks is an error of loading
        self.runners = {name: interpreter.get_signature_runner(name) for name in interpreter.get_signature_list()}
        self._lock = threading.Lock()

    def run(self, signature, details, x):
        runner, outputs = self.runners[signature], []
        with self._lock:
            for start in range(0, len(x), details.batch_size):
                batch = x[start : start + details.batch_size]
                missing = details.batch_size - len(batch)
                padded = np.concatenate([batch, np.repeat(batch[-1:], missing, axis=0)]) if missing else batch
                outputs.append(runner(**{details.input_name: padded})[details.output_name][: len(batch)])
        return np.concatenate(outputs) if len(outputs) > 1 else outputs[0]


def _default_first(found, known):
    default = None if known is None else known.default
    return {name: found[name] for name in sorted(found, key=lambda name: (name != default, name))}


def _tflite_details(runner):
    ((input_name, takes),) = runner.get_input_details().items()
    ((output_name, gives),) = runner.get_output_details().items()
    batch_size, *shape = (int(size) for size in takes["shape"])
    return Details(
        input_name,
        output_name,
        tuple(shape),
        tuple(int(size) for size in gives["shape"][1:]),
        np.dtype(takes["dtype"]),
        _scale(takes),
        _scale(gives),
        batch_size,
    )


def _scale(details):
    scale, zero_point = details["quantization"]
    return (scale, zero_point) if scale and np.dtype(details["dtype"]).kind in "iu" else None


def quantized(x, dtype, scale, zero_point):
    """Floats as integers that stand for them."""
    limits = np.iinfo(dtype)
    return np.clip(np.rint(x / scale) + zero_point, limits.min, limits.max).astype(dtype)


class OnnxRuntime(_Runtime):
    """The content of an .onnx file with one input, for any number of samples; its outputs count as signatures.

    Args:
        content: bytes of the file, whose structure was checked.
        known: its `Metadata`, or None.
        threads: number of CPU threads.
    """

    def __init__(self, content, known=None, threads=1):
        super().__init__(content, known, threads)
        session, _ = self._engine
        (takes,) = session.get_inputs()
        dtype = np.dtype({"tensor(float)": "float32", "tensor(uint8)": "uint8", "tensor(int16)": "int16"}[takes.type])
        gives = {output.name: tuple(output.shape[1:]) for output in session.get_outputs()}
        if known is not None and known.seal is None:  # older versions list "decode", which such a file lacks
            present = {name: names for name, names in known.signatures.items() if names.input == takes.name}
            self.metadata = dataclasses.replace(known, signatures=present)
        outputs = {"serve": next(iter(gives))}
        if self.metadata is not None:
            outputs = {name: names.output for name, names in self.metadata.signatures.items()}
            if sorted(outputs.values()) != sorted(gives):
                raise ExportError(f"its metadata names the outputs {outputs}, but the file has {sorted(gives)}")
        self.signatures = self._ordered(
            {
                name: Details(takes.name, output, tuple(takes.shape[1:]), gives[output], dtype)
                for name, output in outputs.items()
                if output in gives
            }
        )

    def _started(self):
        with _no_telemetry():
            import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self._threads
        options.add_session_config_entry("session.load_model_format", "ONNX")  # whatever the bytes look like
        session = onnxruntime.InferenceSession(self._content, options, providers=["CPUExecutionProvider"])
        # Of several outputs only what leads to the one that is asked for.
        run_options = onnxruntime.RunOptions()
        run_options.only_execute_path_to_fetches = True
        return session, run_options

    def _outputs(self, details, signature, x):
        session, run_options = self._running()
        return session.run([details.output_name], {details.input_name: x}, run_options)[0]


@contextlib.contextmanager
def _no_telemetry():
    """ONNX Runtime starts a thread for it on import; a process that is forked then would wait for it at its end."""
    before = os.environ.get(_TELEMETRY)
    os.environ.setdefault(_TELEMETRY, "1")
    try:
        yield
    finally:
        if before is None:
            del os.environ[_TELEMETRY]


class SavedModel:
    """A SavedModel directory, run by TensorFlow.

    Args:
        path: path of the directory.
    """

    def __init__(self, path):
        import tensorflow as tf

        self._loaded = tf.saved_model.load(str(path))  # keeps the variables alive
        file, text = path / metadata.SAVED_MODEL_FILE, None
        if file.exists():
            text = reading.read_bytes(file, limit=metadata.LIMIT, follow_links=False, error=ExportError)
        self.metadata = metadata.parsed(text)
        self._functions = {n: f for n, f in self._loaded.signatures.items() if n != "serving_default"}
        found = {name: _saved_model_details(function) for name, function in self._functions.items()}
        if self.metadata is not None:
            self.metadata.check_signatures(found)
        self.signatures = _default_first(found, self.metadata)

    def run(self, signature, x):
        """Outputs (samples, ...) for samples (samples, *input_shape) of the model's dtype."""
        details = self.signatures[signature]
        return self._functions[signature](**{details.input_name: x})[details.output_name].numpy()


def _saved_model_details(function):
    ((input_name, takes),) = function.structured_input_signature[1].items()
    ((output_name, gives),) = function.structured_outputs.items()
    dtype = np.dtype(takes.dtype.as_numpy_dtype)
    return Details(input_name, output_name, tuple(takes.shape[1:]), tuple(gives.shape[1:]), dtype)
