"""What the export benchmark compares: all that runs a model's `reconstruct`, each as its user would call it.

A runner is made once in a process of its own, which sets the process-wide number of threads, and opens one model after
the other. TensorFlow and Keras are imported only by those that need them: the others shall run as on a phone.
"""

import dataclasses
import pathlib
import time

import numpy as np

from zoo.benchmark.basics import seconds_of
from zoo.core.terminal import native_errors_hidden

BATCH_SIZE = 256
_TRIALS = 100  # calls that decide between two settings
_REST = 0.05  # seconds before them: threads of the other setting still spin for a while


@dataclasses.dataclass(frozen=True)
class Exported:
    """Where a pretrained model and its exported files are.

    Attributes:
        name: of the model.
        directory: pathlib.Path with ``float32/``, ``float16/`` and ``int8/`` as zoo.export wrote them, ``samples.npy``
            and ``reference.npy``.
    """

    name: str
    directory: pathlib.Path

    def samples(self):
        """Real samples, float32 (samples, *shape)."""
        return np.load(self.directory / "samples.npy")

    def reference(self):
        """What Keras makes of the first samples, float32 (fewer samples, *shape)."""
        return np.load(self.directory / "reference.npy")


class Runner:
    """Base class.

    Args:
        threads: CPU threads that it may use.

    Attributes:
        name: as in the tables.
        file: the file or directory under `Exported.directory` that it runs; None for the model's own weights.
        fewer: it gets so many times fewer calls than the others, because one takes so long.
        tolerance: largest root mean square of its differences to Keras, as a share of Keras' standard deviation.
        settings: what was chosen for the opened set, for the results.
    """

    name = ""
    file: str | None = None
    fewer = 1
    tolerance = 1e-4
    settings = ""
    bare = None  # where the runtime can be called without zoo: function of a sample (*shape) to its reconstruction

    def __init__(self, threads):
        raise NotImplementedError

    def open(self, exported):
        """Load a model, as a user would: it is part of a cold start."""
        raise NotImplementedError

    def tune(self, exported):
        """Choose the fastest settings for the opened set, and set `bare`."""

    def __call__(self, sample):
        """The reconstruction (*shape) of one sample (*shape), float32 NumPy arrays both."""
        raise NotImplementedError

    def batch(self, samples):
        """The reconstructions of many samples (samples, *shape), the fastest way this runtime is meant to be used."""
        raise NotImplementedError


class KerasPredict(Runner):
    """`model.predict`, as most people call a Keras model."""

    name = "Keras predict"
    fewer = 30

    def __init__(self, threads):
        _start_tensorflow(threads)

    def open(self, exported):
        import zoo

        self._model = zoo.load(exported.name)

    def __call__(self, sample):
        return self._model.predict(sample[None], verbose=0)[0]

    def batch(self, samples):
        return self._model.predict(samples, batch_size=BATCH_SIZE, verbose=0)


class KerasCompiled(Runner):
    """The model's call in a `tf.function`, with XLA or without, whichever is faster: the best that Keras can do."""

    name = "Keras, compiled call"

    def __init__(self, threads):
        _start_tensorflow(threads)

    def open(self, exported):
        import tensorflow as tf

        import zoo

        model = zoo.load(exported.name)
        self._functions = {
            name: tf.function(lambda x: model(x, training=False), jit_compile=xla)
            for name, xla in (("XLA", True), ("no XLA", False))
        }
        self.settings, self._tensor = "XLA", tf.constant

    def tune(self, exported):
        sample = self._tensor(exported.samples()[:1])
        self.settings = _fastest({name: lambda f=f: f(sample).numpy() for name, f in self._functions.items()})

    @property
    def _function(self):
        return self._functions[self.settings]

    def __call__(self, sample):
        return self._function(self._tensor(sample[None])).numpy()[0]

    def batch(self, samples):
        return np.concatenate([self._function(self._tensor(batch)).numpy() for batch in _batches(samples)])


class SavedModel(Runner):
    """The signature of the SavedModel, called from Python."""

    name = "SavedModel"
    file = "float32/saved_model"

    def __init__(self, threads):
        _start_tensorflow(threads)

    def open(self, exported):
        import tensorflow as tf

        self._loaded = tf.saved_model.load(str(exported.directory / self.file))
        self._function, self._tensor = self._loaded.signatures["reconstruct"], tf.constant

    def __call__(self, sample):
        return self._function(image=self._tensor(sample[None]))["reconstruction"].numpy()[0]

    def batch(self, samples):
        results = [self._function(image=self._tensor(batch))["reconstruction"] for batch in _batches(samples)]
        return np.concatenate([result.numpy() for result in results])


class _Lite(Runner):
    """A file through zoo.lite, and through its runtime's own Python interface."""

    def __init__(self, threads):
        self._threads = threads

    def open(self, exported):
        from zoo import lite

        self._model = self.bare = None  # of the model before: its threads go first
        with native_errors_hidden():  # LiteRT tells of its delegate
            self._model = lite.load(exported.directory / self.file, threads=self._threads)

    def __call__(self, sample):
        return self._model.reconstruct(sample)


class OnnxRuntime(_Lite):
    """ONNX Runtime, with all graph optimisations; its threads spin while they wait, or not: whichever is faster."""

    name = "ONNX Runtime"
    file = "float32/model.onnx"

    def tune(self, exported):
        path, sample = exported.directory / self.file, exported.samples()[0]
        if self._threads == 1:  # it waits for nobody
            self.bare = self._session(path, False)
            return
        candidates = {"spinning": self._session(path, True), "not spinning": self._session(path, False)}
        self.settings = _fastest({name: lambda run=run: run(sample) for name, run in candidates.items()})
        self.bare = candidates[self.settings]

    def _session(self, path, spinning):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = self._threads, 1
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.add_session_config_entry("session.intra_op.allow_spinning", str(int(spinning)))
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        only = onnxruntime.RunOptions()  # what leads to the reconstruction: the file also has encode and score
        only.only_execute_path_to_fetches = True
        return lambda sample: session.run(["reconstruction"], {"image": sample[None]}, only)[0][0]

    def batch(self, samples):
        return np.concatenate([self._model.reconstruct(batch) for batch in _batches(samples)])


class LiteRT(_Lite):
    """A .tflite file in LiteRT; its batch is 1, as zoo.export writes it by default."""

    def tune(self, exported):
        from ai_edge_litert.interpreter import Interpreter

        path = str(exported.directory / self.file)
        with native_errors_hidden():
            # The runner keeps the interpreter alive.
            runner = Interpreter(model_path=path, num_threads=self._threads).get_signature_runner("reconstruct")
        self.bare = lambda sample: runner(image=sample[None])["reconstruction"][0]

    def batch(self, samples):
        return self._model.reconstruct(samples)


class LiteRTFloat32(LiteRT):
    """As exported without quantisation."""

    name = "LiteRT float32"
    file = "float32/model.tflite"


class LiteRTFloat16(LiteRT):
    """Weights stored in float16; LiteRT computes in float32 with them."""

    name = "LiteRT float16"
    file = "float16/model.tflite"
    tolerance = 0.01


class LiteRTInt8(LiteRT):
    """Weights and activations in int8; input and output stay float32."""

    name = "LiteRT int8"
    file = "int8/model.tflite"
    tolerance = 0.5  # what zoo.export itself allows


RUNNERS = {
    runner.name: runner
    for runner in (KerasPredict, KerasCompiled, SavedModel, OnnxRuntime, LiteRTFloat32, LiteRTFloat16, LiteRTInt8)
}


def _start_tensorflow(threads):
    """Import TensorFlow with so many threads; it takes no other number later."""
    with native_errors_hidden():
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
        tf.zeros(())


def _batches(samples):
    return [samples[start : start + BATCH_SIZE] for start in range(0, len(samples), BATCH_SIZE)]


def _fastest(functions):
    """The name of the function that takes the least time, by the median of several calls each."""
    medians = {}
    for name, function in functions.items():
        function()  # compiles, or starts threads
        time.sleep(_REST)
        medians[name] = np.median(seconds_of([function] * _TRIALS))
    return min(medians, key=medians.get)
