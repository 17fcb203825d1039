"""The computations of an exported file: named signatures, which share the weights of the model."""

import dataclasses
from collections.abc import Callable

import numpy as np
from keras import ops

from zoo.core.batches import forward
from zoo.families.patch_detector import PatchDetector


@dataclasses.dataclass(frozen=True)
class Signature:
    """One computation of an exported file, found by its name in every format.

    Attributes:
        name: "encode", "decode", "reconstruct", "score", "error", "classify" or "serve".
        input_name, output_name: names of its input and its output.
        shape: shape of one input sample.
        dtype: dtype of the input, "float32", "uint8" or "int16".
        call: what is exported: function from a batch (samples, *shape) to its outputs (samples, ...), without training
            behaviour.
        reference: the same as the model itself computes it, to compare with.
    """

    name: str
    input_name: str
    output_name: str
    shape: tuple
    dtype: str
    call: Callable
    reference: Callable

    def function(self):
        """A TensorFlow function from the input tensor to ``{output_name: tensor}``."""
        return lambda x: {self.output_name: self.call(x)}

    def specification(self, batch_size):
        """The TensorFlow input signature; `batch_size` None leaves the batch free."""
        import tensorflow as tf

        return tf.TensorSpec((batch_size, *self.shape), self.dtype, name=self.input_name)

    def run(self, samples) -> np.ndarray:
        """Keras' own outputs for `samples`, as the reference."""
        return forward(self.reference, samples)


def verbs(model, folded_encoder, input_name, dtype, prepare):
    """The signatures of an Autoencoder; corruption is in none of them.

    Args:
        model: Autoencoder.
        folded_encoder: what is exported in the place of its encoder behind the preprocessing.
        input_name, dtype: of the samples.
        prepare: makes what that encoder takes of samples.
    """
    if isinstance(model, PatchDetector):

        def error(x):
            return model.decoder(model.encoder(prepare(x), training=False))

        def score(x):
            return model.scores(prepare(x))

        calls = {"score": score, "error": error}
        return [Signature(n, input_name, n, model.input_shape, dtype, call, call) for n, call in calls.items()]
    exported = _calls(model, folded_encoder, prepare)
    references = _calls(model, model.behind_preprocessing(), prepare)
    takes = {
        "reconstruct": (input_name, "reconstruction", model.input_shape, dtype),
        "encode": (input_name, "latent", model.input_shape, dtype),
        "decode": ("latent", "reconstruction", model.latent_shape, "float32"),
        "score": (input_name, "score", model.input_shape, dtype),
    }
    if model.is_detector:
        takes["error"] = (input_name, "error", model.input_shape, dtype)
    return [Signature(name, *details, exported[name], references[name]) for name, details in takes.items()]


def _calls(model, encoder, prepare):
    def encode(x):
        return encoder(prepare(x), training=False)

    def decode(latent):
        return model.decoder(latent, training=False)

    def reconstruct(x):
        return decode(encode(x))

    def difference(x):
        prepared = prepare(x)
        return ops.subtract(prepared, decode(encoder(prepared, training=False)))

    def error(x):
        return ops.square(difference(x))

    def score(x):
        if model.distance is None:
            errors = error(x)
            return ops.mean(errors, axis=tuple(range(1, len(errors.shape))))
        deviation = encode(x) if model.distance.of == "latent" else ops.negative(difference(x))
        return model.distance(ops.reshape(deviation, (-1, model.distance.size)))

    return {"reconstruct": reconstruct, "encode": encode, "decode": decode, "score": score, "error": error}
