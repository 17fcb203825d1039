"""Running exported files on NumPy arrays. LiteRT and ONNX Runtime need no TensorFlow.

Each runtime has `signatures`, a dictionary of name to `Details` whose first entry is the default one, `metadata` (see
`zoo.exporting.metadata`), and ``run(signature, samples)``.
"""

import dataclasses
import mmap

import numpy as np

from zoo.core.errors import ExportError
from zoo.exporting import metadata


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


class LiteRT:
    """A .tflite file, run sample by sample (or batch by batch, as it was exported).

    Args:
        path: path of the file.
        threads: number of CPU threads.
    """

    def __init__(self, path, threads=1):
        from ai_edge_litert.interpreter import Interpreter

        self._interpreter = Interpreter(model_path=str(path), num_threads=threads)
        self._interpreter.allocate_tensors()  # here, so that an operator that LiteRT lacks is an error of loading
        with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            self.metadata = metadata.parsed(metadata.of_tflite(content))
        names = list(self._interpreter.get_signature_list())
        if not names:
            raise ExportError("it has no signature. Write it with zoo.export")
        names = _default_first(names, self.metadata)
        self._runners = {name: self._interpreter.get_signature_runner(name) for name in names}
        self.signatures = {name: _tflite_details(runner) for name, runner in self._runners.items()}

    def run(self, signature, x):
        """Float outputs (samples, ...) for samples (samples, *input_shape): floats, or the file's own integers."""
        details, runner = self.signatures[signature], self._runners[signature]
        if details.input_scale and x.dtype != details.dtype:
            x = _quantized(x, details.dtype, *details.input_scale)
        outputs = []
        for start in range(0, len(x), details.batch_size):
            batch = x[start : start + details.batch_size]
            missing = details.batch_size - len(batch)
            padded = np.concatenate([batch, np.repeat(batch[-1:], missing, axis=0)]) if missing else batch
            outputs.append(runner(**{details.input_name: padded})[details.output_name][: len(batch)])
        outputs = np.concatenate(outputs) if len(outputs) > 1 else outputs[0]
        if details.output_scale:
            scale, zero_point = details.output_scale
            outputs = (outputs.astype("float32") - zero_point) * np.float32(scale)
        return outputs


def _default_first(names, known):
    return sorted(names, key=lambda name: (name != known.get("default"), name))


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


def _quantized(x, dtype, scale, zero_point):
    limits = np.iinfo(dtype)
    return np.clip(np.rint(x / scale) + zero_point, limits.min, limits.max).astype(dtype)


class OnnxRuntime:
    """An .onnx file with one input, for any number of samples; its outputs count as signatures.

    Args:
        path: path of the file.
        threads: number of CPU threads.
    """

    def __init__(self, path, threads=1):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        # Of several outputs only what leads to the one that is asked for.
        self._run_options = onnxruntime.RunOptions()
        self._run_options.only_execute_path_to_fetches = True
        self.metadata = metadata.parsed(self._session.get_modelmeta().custom_metadata_map.get(metadata.KEY))
        (takes,) = self._session.get_inputs()
        dtype = np.dtype({"tensor(float)": "float32", "tensor(uint8)": "uint8"}[takes.type])
        gives = {output.name: tuple(output.shape[1:]) for output in self._session.get_outputs()}
        known = self.metadata.get("signatures") or {"serve": {"output": next(iter(gives))}}
        self.signatures = {
            name: Details(takes.name, names["output"], tuple(takes.shape[1:]), gives[names["output"]], dtype)
            for name, names in known.items()
            if names["output"] in gives and names.get("input", takes.name) == takes.name
        }

    def run(self, signature, x):
        """Outputs (samples, ...) for samples (samples, *input_shape) of the file's dtype."""
        details = self.signatures[signature]
        return self._session.run([details.output_name], {details.input_name: x}, self._run_options)[0]


class SavedModel:
    """A SavedModel directory, run by TensorFlow.

    Args:
        path: path of the directory.
    """

    def __init__(self, path):
        import tensorflow as tf

        self._loaded = tf.saved_model.load(str(path))  # keeps the variables alive
        file = path / metadata.SAVED_MODEL_FILE
        self.metadata = metadata.parsed(file.read_text(encoding="utf-8") if file.is_file() else None)
        names = _default_first(set(self._loaded.signatures) - {"serving_default"}, self.metadata)
        self._functions = {name: self._loaded.signatures[name] for name in names}
        self.signatures = {name: _saved_model_details(f) for name, f in self._functions.items()}

    def run(self, signature, x):
        """Outputs (samples, ...) for samples (samples, *input_shape) of the model's dtype."""
        details = self.signatures[signature]
        return self._functions[signature](**{details.input_name: x})[details.output_name].numpy()


def _saved_model_details(function):
    ((input_name, takes),) = function.structured_input_signature[1].items()
    ((output_name, gives),) = function.structured_outputs.items()
    dtype = np.dtype(takes.dtype.as_numpy_dtype)
    return Details(input_name, output_name, tuple(takes.shape[1:]), tuple(gives.shape[1:]), dtype)
