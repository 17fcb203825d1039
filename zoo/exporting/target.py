"""What is exported: a model, reduced to named signatures that share their weights."""

import dataclasses
import functools
from collections.abc import Callable

import keras
import numpy as np

from zoo import data
from zoo.autoencoder import Autoencoder
from zoo.core import checks
from zoo.core.batches import forward
from zoo.core.errors import ExportError
from zoo.engine.contract import Contract
from zoo.engine.inputs import collect
from zoo.evaluation.samples import load_for
from zoo.exporting.folding import with_folded_latent
from zoo.exporting.signatures import Signature, verbs
from zoo.layers.parts import Encoder, Part, ZooModel, leaves, meaning_of_integers, signal_facts, trained_on
from zoo.layers.preprocessing import Preprocessing, Rescale

# The signature and the output of a model with one computation, by its role.
_SINGLE = {
    "encoder": ("encode", "latent"),
    "decoder": ("decode", "reconstruction"),
    "classifier": ("classify", "probabilities"),
}


@dataclasses.dataclass(frozen=True)
class ExportTarget:
    """A model reduced to its inference signatures.

    Attributes:
        kind: "autoencoder", "encoder", "decoder", "classifier" or "model".
        signatures: dict of name to `Signature`; the first one is the default.
        parts: the functional models that hold the weights.
        unit_range: whether float samples must lie in [0, 1].
        dataset: name of the dataset that the pretrained model was trained on, or None.
        prepare: function from a batch of samples to what an autoencoder is to reconstruct.
        signal: what is known of the signals, see `zoo.layers.parts.signal_facts`.
        raw: the `zoo.preprocessing.Rescale` of integer samples, or None.
        threshold: a detector's own, or None.
        preparing: names of the layers before an autoencoder's encoder, which stay in float32 in an int8 file.
        floating: names of these and of all other layers that do.
        class_names: of a classifier, or ().
    """

    kind: str
    signatures: dict
    parts: tuple
    unit_range: bool
    dataset: str | None
    prepare: Callable
    signal: dict
    raw: Rescale | None = None
    threshold: float | None = None
    preparing: tuple = ()
    floating: tuple = ()
    class_names: tuple = ()

    @classmethod
    def of(cls, model, raw_input=False):
        """The target for a model; raises `ExportError` for raw pixels of a decoder.

        Args:
            model: what has passed `check`.
            raw_input: take integers, such as uint8 pixels, that become samples inside the graph.
        """
        is_autoencoder = isinstance(model, Autoencoder)
        if is_autoencoder:
            encoder = with_folded_latent(model.behind_preprocessing())
            kind, parts, unit_range = "autoencoder", (encoder, model.decoder), model.unit_range
            first = model.encoder.inputs[0]
            shape, dtype, input_name = model.input_shape, first.dtype, "samples" if first.name == "samples" else "image"
        else:
            kind, parts = model.role if isinstance(model, ZooModel) else "model", (model,)
            shape, dtype, input_name = tuple(model.input_shape[1:]), model.inputs[0].dtype, model.inputs[0].name
            unit_range = _unit_range(model, kind)
        signal, raw = signal_facts(model.encoder if is_autoencoder else model), None
        if raw_input and dtype not in ("uint8", "int16"):
            if kind == "decoder":
                raise ExportError("raw_input=True takes pixels. Received a decoder, whose input are latent features.")
            raw = meaning_of_integers(model.encoder if is_autoencoder else model)
            dtype, input_name = raw.integers, "pixels" if raw.integers == "uint8" else "samples"

        def prepare(x):
            x = x if raw is None else raw(x)
            return model.prepared(x) if is_autoencoder else x

        if is_autoencoder:
            computations = verbs(model, encoder, input_name, dtype, prepare)
        else:
            several = kind == "encoder" and isinstance(model.output, dict)
            name, output_name = _SINGLE.get(kind, ("serve", "output"))
            if kind == "classifier" and model.gives_logits:
                output_name = "logits"

            def call(x, level=None):
                outputs = model(prepare(x), training=False)
                return outputs if level is None else outputs[level]

            calls = (
                {level: (level, functools.partial(call, level=level)) for level in model.output}
                if several
                else {name: (output_name, call)}
            )
            computations = [
                Signature(name, input_name, output_name, shape, dtype, call, call)
                for name, (output_name, call) in calls.items()
            ]
        preparing = [raw, *model.preprocessing] if is_autoencoder and model.preprocessing else []
        preparing = [layer.name for layer in preparing if layer is not None]
        scoring = [layer.name for layer in model.float_layers] if is_autoencoder else []
        # Inside the parts as well: patches, their deviations and logarithms are nothing for 256 values.
        inside = [layer.name for part in parts for layer in leaves(part) if isinstance(layer, Preprocessing)]
        return cls(
            kind,
            {s.name: s for s in computations},
            parts,
            unit_range,
            trained_on(model.encoder if is_autoencoder else model),
            prepare,
            signal,
            raw,
            model.threshold if is_autoencoder else None,
            tuple(preparing),
            (*preparing, *inside, *scoring),
            tuple(model.class_names) if kind == "classifier" else (),
        )

    @property
    def layers(self) -> list:
        """The layers of all parts, without the models that contain them."""
        return [layer for part in self.parts for layer in leaves(part)]

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
        samples = data.samples_like(self.input_shape, count)
        limits = {"uint8": (0, 255), "int16": (-(2**15), 2**15 - 1)}
        if self.dtype not in limits:
            return samples
        low, high = limits[self.dtype]
        return np.rint(low + samples * (high - low)).astype(self.dtype)

    def targets(self, samples):
        """What an autoencoder is to reconstruct of samples, float32."""
        return forward(self.prepare, samples)

    def samples(self, given, split, name="samples"):
        """Checked samples of the caller, as (array of the input's dtype, int labels (samples,) or None).

        Args:
            given: samples in any form, see `zoo.engine.inputs.take`, or the name of a dataset.
            split: split to take of a named dataset.
            name: what to call them in an error.
        """
        if isinstance(given, str):
            given = load_for(self, given, split)
        contract = Contract(self.input_shape, self.dtype, self.unit_range, **self.signal)
        x, y, _ = collect(contract, given, target=self.kind == "autoencoder", labels="optional", name=name)
        if y is not None and y.ndim == 2:
            y = y[:, 0] if y.shape[1] == 1 else y.argmax(axis=1)  # one-hot
        return x, y if y is not None and y.ndim == 1 and y.dtype.kind in "iu" else None

    def inputs(self, samples):
        """What each signature takes, by its name: `samples`, or, for an autoencoder's "decode", their features."""
        inputs = dict.fromkeys(self.signatures, samples)
        if "decode" in self.signatures and "encode" in self.signatures:
            inputs["decode"] = self.signatures["encode"].run(samples)
        return inputs


def check(model) -> None:
    """Raise `ExportError` for what cannot be exported at all."""
    import tensorflow as tf

    if tf.distribute.has_strategy():
        raise ExportError(
            "zoo.export does not work inside the scope of a tf.distribute strategy: call it after the with block."
        )
    if isinstance(model, Autoencoder):
        if not all(isinstance(part, Part) for part in (model.encoder, model.decoder)):
            raise ExportError("The encoder and the decoder must be functional: built as keras.Model(inputs, outputs).")
        if model.distance is not None:
            model.distance.check_fitted()
        return
    if not isinstance(model, keras.Model) or not hasattr(model, "input_shape"):
        raise ExportError(
            "zoo.export takes an Autoencoder, an encoder, a classifier or another functional keras.Model."
            f" Received: {type(model).__name__}."
        )
    if not (isinstance(model, Encoder) and isinstance(model.output, dict)):  # features by level
        checks.one_input_and_output(model, "zoo.export", ExportError)
    if None in model.input_shape[1:]:
        raise ExportError(f"The input needs a fixed shape per sample. Received {model.input_shape[1:]}.")


def _unit_range(model, kind):
    """Whether the samples of an encoder, or of a classifier on top of one, must lie in [0, 1], as far as known."""
    encoders = [model] if kind == "encoder" else model.layers if kind == "classifier" else []
    return any(encoder.unit_range for encoder in encoders if isinstance(encoder, Encoder))
