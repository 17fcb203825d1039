"""Running exported files on NumPy arrays. LiteRT and ONNX Runtime need no TensorFlow."""

import numpy as np

from zoo.errors import ExportError


class LiteRT:
    """A .tflite file with one signature, run sample by sample (or batch by batch, as it was exported).

    Args:
        path: path of the file.
        threads: number of CPU threads.
    """

    def __init__(self, path, threads=1):
        from ai_edge_litert.interpreter import Interpreter

        self._interpreter = Interpreter(model_path=str(path), num_threads=threads)
        self._run = self._interpreter.get_signature_runner()
        ((self.input_name, self._input),) = self._run.get_input_details().items()
        ((self.output_name, _),) = self._run.get_output_details().items()
        self.batch_size, *shape = (int(size) for size in self._input["shape"])
        self.input_shape = tuple(shape)
        self.dtype = np.dtype(self._input["dtype"])

    def __call__(self, x):
        """Outputs (samples, ...) for samples (samples, *input_shape) of the file's dtype."""
        outputs = []
        for start in range(0, len(x), self.batch_size):
            batch = x[start : start + self.batch_size]
            missing = self.batch_size - len(batch)
            padded = np.concatenate([batch, np.repeat(batch[-1:], missing, axis=0)]) if missing else batch
            # The runner reuses its output buffer.
            outputs.append(np.array(self._run(**{self.input_name: padded})[self.output_name][: len(batch)]))
        return np.concatenate(outputs)


class OnnxRuntime:
    """An .onnx file with one input and one output, for any number of samples.

    Args:
        path: path of the file.
        threads: number of CPU threads.
    """

    def __init__(self, path, threads=1):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        (details,) = self._session.get_inputs()
        (output,) = self._session.get_outputs()
        self.input_name, self.output_name = details.name, output.name
        self.input_shape = tuple(details.shape[1:])
        self.dtype = np.dtype({"tensor(float)": "float32", "tensor(uint8)": "uint8"}[details.type])

    def __call__(self, x):
        """Outputs (samples, ...) for samples (samples, *input_shape) of the file's dtype."""
        return self._session.run([self.output_name], {self.input_name: x})[0]


class SavedModel:
    """A SavedModel directory with the endpoint "serve", run by TensorFlow.

    Args:
        path: path of the directory.
    """

    def __init__(self, path):
        import tensorflow as tf

        self._loaded = tf.saved_model.load(str(path))  # keeps the variables alive
        self._run = self._loaded.signatures["serving_default"]
        ((self.input_name, spec),) = self._run.structured_input_signature[1].items()
        (self.output_name,) = self._run.structured_outputs
        self.input_shape, self.dtype = tuple(spec.shape[1:]), np.dtype(spec.dtype.as_numpy_dtype)

    def __call__(self, x):
        """Outputs (samples, ...) for samples (samples, *input_shape) of the model's dtype."""
        return self._run(**{self.input_name: x})[self.output_name].numpy()


_RUNTIMES = {"saved_model": SavedModel, "tflite": LiteRT, "onnx": OnnxRuntime}


def open_format(name, path):
    """The runtime of a format, with the file loaded."""
    return _RUNTIMES[name](path)


def operators(name, path):
    """Sorted names of the operators in an exported file."""
    if name == "tflite":
        from ai_edge_litert.interpreter import Interpreter, OpResolverType

        # Without delegates: XNNPACK would stand in for the operators that it takes over.
        resolver = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        details = Interpreter(model_path=str(path), experimental_op_resolver_type=resolver)._get_ops_details()
        return tuple(sorted({operator["op_name"] for operator in details}))
    if name == "onnx":
        import onnx

        return tuple(sorted({node.op_type for node in onnx.load(str(path)).graph.node}))
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel as Proto

    proto = Proto.FromString((path / "saved_model.pb").read_bytes())
    library = proto.meta_graphs[0].graph_def.library
    return tuple(sorted({node.op for function in library.function for node in function.node_def}))


def refuse_foreign(name, path):
    """The operators of a file; raises `ExportError` if one is not TFLite's own."""
    found = operators(name, path)
    foreign = [o for o in found if name == "tflite" and (o.startswith("Flex") or "CUSTOM" in o.upper())]
    if foreign:
        raise ExportError(f"The .tflite file would need operators that phones lack: {', '.join(foreign)}.")
    return found
