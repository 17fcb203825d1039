"""Run an exported model on NumPy arrays, without TensorFlow.

>>> encoder = zoo.lite.load("exported/model.tflite")
>>> encoder(images).shape
(100, 128)
"""

import pathlib

import numpy as np

from zoo import checks
from zoo.errors import DataError, DataNotFoundError, ExportError
from zoo.exporting.runtime import LiteRT, OnnxRuntime

_RUNTIMES = {".tflite": LiteRT, ".onnx": OnnxRuntime}


def load(path, *, threads=1):
    """Load a ``.tflite`` file (run by LiteRT) or an ``.onnx`` file (run by ONNX Runtime) that `zoo.export` wrote.

    Args:
        path: path of the file.
        threads: number of CPU threads.

    Returns:
        LiteModel.

    Raises:
        DataNotFoundError: no such file.
        ExportError: not a model file of these formats.
    """
    path = pathlib.Path(path)
    if path.suffix not in _RUNTIMES:
        raise ExportError(f"Expected a .tflite or .onnx file. Received: {str(path)!r}.")
    if not path.is_file():
        raise DataNotFoundError(f"No such file: {str(path)!r}. Write one with zoo.export or the command zoo export.")
    try:
        return LiteModel(_RUNTIMES[path.suffix](path, threads))
    except Exception as error:  # each runtime has its own exceptions for a damaged file
        raise ExportError(f"{str(path)!r} is not a model that its runtime can load: {error}") from error


class LiteModel:
    """An exported model: call it on samples (samples, *input_shape), or use the verb that it was exported for.

    Attributes:
        input_shape: shape of one sample.
        dtype: numpy.dtype of the samples, float32 or uint8.
        output_name: "latent", "reconstruction", "probabilities" or "output".
    """

    def __init__(self, runtime):
        self._runtime = runtime
        self.input_shape, self.dtype, self.output_name = runtime.input_shape, runtime.dtype, runtime.output_name

    def __call__(self, x):
        """Outputs (samples, ...) for samples (samples, *input_shape)."""
        x = np.asarray(x)
        if self.dtype == np.uint8 and x.dtype != np.uint8:
            raise DataError(f"This file takes raw pixels: expected dtype uint8. Received {x.dtype}.")
        checks.images(x, self.input_shape, unit_range=self.dtype != np.uint8)
        return self._runtime(x.astype(self.dtype, copy=False))

    def encode(self, x):
        """Latent features of samples, from an exported encoder."""
        return self._verb("latent", x)

    def reconstruct(self, x):
        """Reconstructions of samples, from an exported autoencoder."""
        return self._verb("reconstruction", x)

    def _verb(self, output_name, x):
        if self.output_name != output_name:
            raise ExportError(
                f"This file returns {self.output_name!r}, not {output_name!r}. Export the matching part of the model."
            )
        return self(x)
