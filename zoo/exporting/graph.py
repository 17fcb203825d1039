"""What is exported: a functional model with one named input and one named output."""

import dataclasses

import keras
import numpy as np

from zoo import checks, data
from zoo.autoencoder import Autoencoder
from zoo.errors import ExportError

# Output names that say what the numbers are, by the name that the zoo gives its models.
_OUTPUTS = {"encoder": "latent", "decoder": "reconstruction", "classifier": "probabilities"}


@dataclasses.dataclass(frozen=True)
class ExportTarget:
    """A model reduced to its inference graph.

    Attributes:
        kind: "autoencoder", "encoder", "decoder", "classifier" or "model".
        model: functional keras.Model.
        input_name: name of the input in every format.
        output_name: name of the output in every format.
    """

    kind: str
    model: keras.Model
    input_name: str
    output_name: str

    @classmethod
    def of(cls, model):
        """The target for a model; raises `ExportError` for what is not a functional model with one input and output."""
        if isinstance(model, Autoencoder):
            # Encoder and decoder alone: the corruption is not in the graph at all.
            graph = keras.Model(model.encoder.input, model.decoder(model.encoder.output), name="autoencoder")
            return cls("autoencoder", graph, "image", "reconstruction")
        if not isinstance(model, keras.Model) or not hasattr(model, "input_shape"):
            raise ExportError(
                "zoo.export takes an Autoencoder, an encoder, a classifier or another functional keras.Model."
                f" Received: {type(model).__name__}."
            )
        if len(model.inputs) != 1 or len(model.outputs) != 1:
            raise ExportError(
                "zoo.export takes models with one input and one output."
                f" Received {len(model.inputs)} inputs and {len(model.outputs)} outputs."
            )
        if None in model.input_shape[1:]:
            raise ExportError(f"The input needs a fixed shape per sample. Received {model.input_shape[1:]}.")
        kind = model.name if model.name in _OUTPUTS else "model"
        return cls(kind, model, model.inputs[0].name, _OUTPUTS.get(kind, "output"))

    @property
    def input_shape(self):
        """Shape of one sample."""
        return tuple(self.model.input_shape[1:])

    @property
    def dtype(self):
        """dtype of the input."""
        return self.model.inputs[0].dtype

    def describe(self):
        """The "input" entry of the report."""
        return {
            "name": self.input_name,
            "shape": list(self.input_shape),
            "dtype": self.dtype,
            "output": self.output_name,
        }

    def samples(self, count):
        """`count` real samples of the input's shape and dtype (for a decoder: spread-out codes)."""
        if self.kind == "decoder":
            return np.random.default_rng(0).random((count, *self.input_shape), "float32")
        images = data.samples_like(self.input_shape, count)
        return np.rint(images * 255).astype("uint8") if self.dtype == "uint8" else images

    def check(self, samples):
        """Samples of the caller, checked."""
        samples = np.asarray(samples)
        checks.images(samples, self.input_shape, unit_range=False, name="samples")
        return samples.astype(self.dtype)

    def run(self, samples):
        """The Keras model's own output for `samples`, as the reference."""
        return keras.ops.convert_to_numpy(self.model(samples, training=False))

    def function(self):
        """A TensorFlow function from the input tensor to ``{output_name: tensor}``, without training behaviour."""
        return lambda x: {self.output_name: self.model(x, training=False)}

    def specification(self, batch_size):
        """The TensorFlow input signature; `batch_size` None leaves the batch free."""
        import tensorflow as tf

        return tf.TensorSpec((batch_size, *self.input_shape), self.dtype, name=self.input_name)
