"""The computations of an exported file: named signatures, which share the weights of the model."""

import dataclasses
from collections.abc import Callable

import numpy as np
from keras import ops

from zoo.core.batches import forward


@dataclasses.dataclass(frozen=True)
class Signature:
    """One computation of an exported file, found by its name in every format.

    Attributes:
        name: "encode", "decode", "reconstruct", "score", "classify" or "serve".
        input_name, output_name: names of its input and its output.
        shape: shape of one input sample.
        dtype: dtype of the input, "float32" or "uint8".
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
    """The signatures of an Autoencoder; corruption is in none of them."""
    exported = _calls(folded_encoder, model.decoder, prepare)
    references = _calls(model.encoder, model.decoder, prepare)
    takes = {
        "reconstruct": (input_name, "reconstruction", model.input_shape, dtype),
        "encode": (input_name, "latent", model.input_shape, dtype),
        "decode": ("latent", "reconstruction", model.latent_shape, "float32"),
        "score": (input_name, "score", model.input_shape, dtype),
    }
    return [Signature(name, *details, exported[name], references[name]) for name, details in takes.items()]


def _calls(encoder, decoder, prepare):
    def encode(x):
        return encoder(prepare(x), training=False)

    def decode(latent):
        return decoder(latent, training=False)

    def reconstruct(x):
        return decode(encode(x))

    def score(x):
        errors = ops.square(ops.subtract(prepare(x), reconstruct(x)))
        return ops.mean(errors, axis=tuple(range(1, len(errors.shape))))

    return {"reconstruct": reconstruct, "encode": encode, "decode": decode, "score": score}


def as_it_is(x):
    """The samples themselves, as most models take them."""
    return x


def scaled(pixels):
    """8-bit pixels, as floats in [0, 1]."""
    return ops.cast(pixels, "float32") * (1 / 255)
