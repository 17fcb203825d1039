"""Run an exported model on NumPy arrays, without TensorFlow.

>>> model = zoo.lite.load("exported/model.tflite")
>>> model.encode(images).shape, model.score(images[0])
((100, 16), 0.0113)
"""

import os
import pathlib
from typing import Any

import numpy as np

from zoo.core import checks
from zoo.core.errors import ConfigError, DataError, DataNotFoundError, ExportError
from zoo.engine.contract import Contract
from zoo.exporting.formats import FORMATS
from zoo.exporting.runtime import LiteRT, OnnxRuntime
from zoo.streaming.stream import Stream, Window

__all__ = ["LiteModel", "Stream", "Window", "load"]

_OPEN = {".tflite": FORMATS["tflite"].open, ".onnx": FORMATS["onnx"].open}


def load(path: str | os.PathLike, *, threads: int = 1, trust: str = "sealed") -> "LiteModel":
    """Load a ``.tflite`` file (run by LiteRT) or an ``.onnx`` file (run by ONNX Runtime) that `zoo.export` wrote.

    The file carries a seal, the SHA-256 of all its bytes, which is verified before anything else is read. Then its
    structure is checked: its runtime never sees indices, sizes or operators that would end the process.

    Args:
        path: path of the file.
        threads: number of CPU threads.
        trust: "sealed", or "unsealed" for a file without a seal, of an older version of zoo or of something else.
            Damage and changes then go unnoticed unless they concern the structure; the file is tried in a process of
            its own first, which takes about half a second.

    Returns:
        LiteModel, which several threads may use at once, and a process that is forked later as well.

    Raises:
        DataNotFoundError: no such file.
        ExportError: no seal, a seal of other content, or not a model file of these formats.
        ConfigError: threads is not a whole number of at least 1.
        UnknownNameError: another `trust`.

    Example:
        >>> zoo.lite.load("downloads/other.tflite", trust="unsealed")
    """
    path = pathlib.Path(path)
    threads = checks.positive_integer("threads", threads)
    if path.suffix not in _OPEN:
        raise ExportError(f"Expected a .tflite or .onnx file. Received: {str(path)!r}.")
    try:
        return LiteModel(_OPEN[path.suffix](path, threads=threads, trust=trust))
    except DataNotFoundError as error:
        raise DataNotFoundError(f"{error} Write one with zoo.export or the command zoo export.") from error


class LiteModel:
    """An exported model. Every verb takes a batch (samples, *shape), or one sample (*shape) for one result.

    A file has the verbs that it was exported with: an Autoencoder all of them (as .onnx without `decode`), an encoder
    `encode`, a decoder `decode`. Calling the model runs its default: `reconstruct` for an Autoencoder, the class
    probabilities (or logits) for a classifier, the only one for any other.

    Attributes:
        input_shape: shape of one sample.
        dtype: numpy.dtype of the samples: float32; or uint8 for raw pixels, int16 for raw samples of a signal.
        output_name: what calling the model returns: "reconstruction", "latent", "probabilities", "logits" or
            "output".
        latent_shape: shape of one sample's latent features, None for a file without `encode`.
        signatures: names of the file's computations, the default one first.
        threshold: anomaly threshold that was exported with the model, or None.
        class_names: names of the classes in the order of a classifier's outputs; () if the file has none.
        sampling_rate: samples per second of the signals that the model takes, or None.
        unit: unit of the samples, such as "mV", or "".
        contract: `zoo.engine.inputs.Contract`, what samples must be.

    Example:
        >>> zoo.export(model, "exported", threshold=zoo.threshold(model, normal_images))
        >>> phone = zoo.lite.load("exported/model.tflite", threads=2)
        >>> phone.is_anomaly(images)
        array([False, False,  True])
    """

    def __init__(self, runtime: LiteRT | OnnxRuntime) -> None:
        self._runtime = runtime
        self.signatures = tuple(runtime.signatures)
        default = runtime.signatures[self.signatures[0]]
        # Integers with a scale stand for floats: the runtime translates them.
        self.dtype = np.dtype("float32") if default.input_scale else default.dtype
        self.input_shape, self.output_name = default.input_shape, default.output_name
        self.latent_shape = runtime.signatures["encode"].output_shape if "encode" in self.signatures else None
        known = runtime.metadata
        self.threshold = None if known is None else known.threshold
        self.class_names = () if known is None else known.class_names or ()
        self.sampling_rate = None if known is None else known.sampling_rate
        self.unit = "" if known is None else known.unit or ""
        self._unit_range = False if known is None else known.unit_range
        self.contract = Contract(
            self.input_shape,
            str(self.dtype),
            self._unit_range,
            sampling_rate=self.sampling_rate,
            unit=self.unit,
            scale=None if known is None else known.scale,
        )

    def __call__(self, x: Any) -> np.ndarray:
        """Outputs (samples, ...) of the default signature for samples (samples, *input_shape)."""
        return self._run(self.signatures[0], x)

    def encode(self, x: Any) -> np.ndarray:
        """Latent features of samples: (samples, *input_shape) to float32 (samples, *latent_shape)."""
        return self._run("encode", x)

    def features(self, x: Any) -> dict[str, np.ndarray]:
        """Maps of an encoder by level (`zoo.load_encoder` with `features`): {"block1": (samples, ...), ...}.

        What each signature of any other file gives for the samples, too, as far as it takes samples.
        """
        return {name: self._run(name, x) for name in self.signatures if name != "decode"}

    def decode(self, latent: Any) -> np.ndarray:
        """Reconstructions from latent features: (samples, *latent_shape) to float32 (samples, *shape)."""
        return self._run("decode", latent)

    def reconstruct(self, x: Any) -> np.ndarray:
        """Reconstructions of samples: (samples, *input_shape) to float32 of the same shape."""
        return self._run("reconstruct", x)

    def score(self, x: Any) -> np.ndarray:
        """Anomaly score, the mean squared error of each sample, or a detector's distance: float32 (samples,)."""
        return self._run("score", x)

    def error(self, x: Any) -> np.ndarray:
        """Where samples are unusual, of detectors: the squared error of each element, float32 (samples, *shape).

        Of a patch detector the heat map, float32 (samples, height, width).
        """
        return self._run("error", x)

    def is_anomaly(self, x: Any, threshold: float | None = None) -> np.ndarray:
        """Whether the score of each sample is above a threshold: (samples, *input_shape) to bool (samples,).

        Args:
            x: samples.
            threshold: by default the one that was exported with the model.

        Raises:
            ConfigError: no threshold given, and none in the file.
        """
        threshold = self.threshold if threshold is None else threshold
        if threshold is None:
            raise ConfigError(
                "This file carries no anomaly threshold: pass threshold=, or export with"
                " threshold=zoo.threshold(model, normal_data)."
            )
        return self.score(x) > threshold

    def _run(self, signature, x):
        if signature not in self.signatures:
            raise ExportError(
                f"This file has no signature {signature!r}, only {', '.join(map(repr, self.signatures))}."
                " Export the whole Autoencoder as .tflite to have all of them."
            )
        details = self._runtime.signatures[signature]
        x = np.asarray(x)
        single = x.shape == details.input_shape
        if single:
            x = x[None]
        takes_integers = details.dtype.kind in "iu"
        if takes_integers and not details.input_scale and x.dtype != details.dtype:
            raw = "pixels" if details.dtype == np.uint8 else "samples"
            raise DataError(f"This file takes raw {raw}: expected dtype {details.dtype}. Received {x.dtype}.")
        integers = takes_integers and x.dtype == details.dtype
        if not takes_integers and signature != "decode":
            self.contract.refuse_integers(x)
        checks.images(x, details.input_shape, unit_range=self._unit_range and signature != "decode" and not integers)
        outputs = self._runtime.run(signature, x if integers else x.astype("float32", copy=False))
        return outputs[0] if single else outputs
