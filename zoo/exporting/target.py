"""What is exported: named signatures that share one set of weights."""

import dataclasses
from collections.abc import Callable

import keras
import numpy as np
from keras import layers, ops

from zoo import data
from zoo.autoencoder import Autoencoder
from zoo.core import checks
from zoo.core.errors import DataError, ExportError
from zoo.data.source import Source
from zoo.layers.parts import Encoder, ZooModel, trained_on

# The signature and the output of a functional model, by its role.
_SINGLE = {
    "encoder": ("encode", "latent"),
    "decoder": ("decode", "reconstruction"),
    "classifier": ("classify", "probabilities"),
}
_BATCH = 256


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

    def run(self, samples):
        """Keras' own outputs for `samples`, as the reference."""
        batches = [self.reference(samples[i : i + _BATCH]) for i in range(0, len(samples), _BATCH)]
        return np.concatenate([ops.convert_to_numpy(batch) for batch in batches])


@dataclasses.dataclass(frozen=True)
class ExportTarget:
    """A model reduced to its inference signatures.

    Attributes:
        kind: "autoencoder", "encoder", "decoder", "classifier" or "model".
        signatures: dict of name to `Signature`; the first one is the default.
        parts: the functional models that hold the weights.
        unit_range: whether float samples must lie in [0, 1].
        dataset: name of the dataset that the pretrained set was trained on, or None.
    """

    kind: str
    signatures: dict
    parts: tuple
    unit_range: bool
    dataset: str | None

    @classmethod
    def of(cls, model, raw_input=False):
        """The target for a model; raises `ExportError` for what cannot be exported.

        Args:
            model: Autoencoder, or a functional keras.Model with one input and one output.
            raw_input: take uint8 pixels, divided by 255 inside the graph.
        """
        if isinstance(model, Autoencoder):
            encoder = with_folded_latent(model.encoder)
            kind, parts, unit_range = "autoencoder", (encoder, model.decoder), model.unit_range
            shape, dtype, input_name = model.input_shape, model.encoder.inputs[0].dtype, "image"
        else:
            _check_functional(model)
            kind, parts = model.role if isinstance(model, ZooModel) else "model", (model,)
            shape, dtype, input_name = tuple(model.input_shape[1:]), model.inputs[0].dtype, model.inputs[0].name
            unit_range = _unit_range(model, kind)
        prepare = _as_it_is
        if raw_input and dtype != "uint8":
            if kind == "decoder":
                raise ExportError("raw_input=True takes pixels. Received a decoder, whose input are latent features.")
            dtype, input_name, prepare = "uint8", "pixels", _scaled
        if kind == "autoencoder":
            signatures = _verbs(model, encoder, input_name, dtype, prepare)
        else:
            name, output_name = _SINGLE.get(kind, ("serve", "output"))

            def call(x):
                return model(prepare(x), training=False)

            signatures = [Signature(name, input_name, output_name, shape, dtype, call, call)]
        return cls(kind, {s.name: s for s in signatures}, parts, unit_range, trained_on(model))

    @property
    def default(self):
        """The signature that is run where none is named."""
        return next(iter(self.signatures.values()))

    @property
    def input_shape(self):
        """Shape of one sample."""
        return self.default.shape

    @property
    def dtype(self):
        """dtype of the samples."""
        return self.default.dtype

    def describe(self):
        """The "input" entry of the report."""
        return {
            "name": self.default.input_name,
            "shape": list(self.input_shape),
            "dtype": self.dtype,
            "output": self.default.output_name,
        }

    def any_samples(self, count):
        """`count` real samples of the input's shape and dtype (for a decoder: spread-out codes)."""
        if self.kind == "decoder":
            return np.random.default_rng(0).random((count, *self.input_shape), "float32")
        return self._converted(data.samples_like(self.input_shape, count))

    def samples(self, given, split, name="samples"):
        """Checked samples of the caller, as (array of the input's dtype, labels or None).

        Args:
            given: array, `zoo.data.Source`, or the name of a dataset.
            split: split to take of a named dataset.
            name: what to call them in an error.
        """
        if isinstance(given, str):
            given = data.load(given, split, shape=self.input_shape if len(self.input_shape) == 3 else None)
        labels = None
        if isinstance(given, Source):
            labels = given.labels
            given = self._converted(given.images if given.images.dtype == self.dtype else given.pixels())
        given = np.asarray(given)
        if self.dtype == "uint8" and given.dtype != np.uint8:
            raise DataError(
                f"{name} must be what the exported file takes, raw pixels: expected dtype uint8."
                f" Received {given.dtype}."
            )
        checks.images(given, self.input_shape, unit_range=False, name=name)
        return given.astype(self.dtype, copy=False), labels

    def inputs(self, samples):
        """What each signature takes, by its name: `samples`, and for "decode" beside "encode" their latent features."""
        inputs = dict.fromkeys(self.signatures, samples)
        if self.kind == "autoencoder":
            inputs["decode"] = self.signatures["encode"].run(samples)
        return inputs

    def _converted(self, samples):
        if self.dtype == "uint8" and samples.dtype != np.uint8:
            return np.rint(samples * 255).astype("uint8")
        return samples


def _verbs(model, folded_encoder, input_name, dtype, prepare):
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
        errors = ops.square(prepare(x) - reconstruct(x))
        return ops.mean(errors, axis=tuple(range(1, len(errors.shape))))

    return {"reconstruct": reconstruct, "encode": encode, "decode": decode, "score": score}


def with_folded_latent(encoder):
    """The encoder with the batch normalisation of a linear dense latent layer folded into that layer's weights.

    TFLite's converter folds every normalisation, but this one, with nothing nonlinear after it, into whichever dense
    layer comes next: backwards where the graph ends, forwards where the decoder follows. Each signature would then have
    its own copy of the latent layer's kernel, the largest of a convolutional encoder.
    """
    chain = encoder.layers[-3:]
    kinds = (layers.Dense, layers.BatchNormalization, layers.Activation)
    if [type(layer) for layer in chain] != list(kinds):
        return encoder
    dense, normalization, activation = chain
    if {dense.activation, activation.activation} != {keras.activations.linear}:
        return encoder
    weights = normalization.get_weights()
    gamma = weights.pop(0) if normalization.scale else 1.0
    beta = weights.pop(0) if normalization.center else 0.0
    mean, variance = weights
    factor = gamma / np.sqrt(variance + normalization.epsilon)
    folded = layers.Dense(dense.units, name=dense.name)
    model = keras.Model(encoder.input, folded(dense.input), name=encoder.name)
    bias = dense.bias.numpy() if dense.use_bias else 0.0
    folded.set_weights([dense.kernel.numpy() * factor, (bias - mean) * factor + beta])
    return model


def _as_it_is(x):
    return x


def _scaled(pixels):
    return ops.cast(pixels, "float32") * (1 / 255)


def _check_functional(model):
    if not isinstance(model, keras.Model) or not hasattr(model, "input_shape"):
        raise ExportError(
            "zoo.export takes an Autoencoder, an encoder, a classifier or another functional keras.Model."
            f" Received: {type(model).__name__}."
        )
    checks.one_input_and_output(model, "zoo.export", ExportError)
    if None in model.input_shape[1:]:
        raise ExportError(f"The input needs a fixed shape per sample. Received {model.input_shape[1:]}.")


def _unit_range(model, kind):
    """Whether the samples of an encoder, or of a classifier on top of one, must lie in [0, 1], as far as known."""
    encoders = [model] if kind == "encoder" else model.layers if kind == "classifier" else []
    return any(encoder.unit_range for encoder in encoders if isinstance(encoder, Encoder))
