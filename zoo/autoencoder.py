"""The one model class of the zoo."""

import dataclasses
import json
import math
import pathlib
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from zoo.core import checks, reading
from zoo.core.batches import BATCH_SIZE, forward
from zoo.core.errors import ConfigError
from zoo.core.schema import convert
from zoo.engine import forking, inputs, weights
from zoo.engine.contract import Contract
from zoo.engine.loop import Trainer
from zoo.layers import corruption as corruptions
from zoo.layers import precision
from zoo.layers import preprocessing as preprocessings
from zoo.layers import sparsity as sparsities
from zoo.layers.configurable import plain
from zoo.layers.parts import Decoder, Encoder, Part, ZooModel, activations, leaves, signal_facts
from zoo.layers.scoring import Distance

_ORIGIN = "pretrained.json"
# Relative steps, because Adam's absolute ones are huge for latent features that were scaled down: docs/continuing.md.
_CONTINUING_RATE = 1e-5


@dataclasses.dataclass(frozen=True)
class _Origin:
    """What is known about a model's weights."""

    trained_on: str | None
    loss: str | None


@keras.saving.register_keras_serializable(package="zoo")
class Autoencoder(ZooModel, Trainer, keras.Model):
    """Preprocessing → corruption → encoder → decoder: one `keras.Model` that learns to reproduce its input.

    x̃ = f(g(x)), with encoder g and decoder f; training minimises ⟨Δ(x, f(g(C(x))))⟩, where the corruption C acts in
    training only. `encoder` and `decoder` are functional `keras.Model`s of their own, sharing these weights.

    The target is the clean input, so data is given alone: ``model.fit(images)``. A model that was not compiled is
    compiled by its first `fit` or `evaluate` with the defaults of `compile`.

    With preprocessing (`zoo.preprocessed`), samples are given as they come from a sensor. What is reconstructed, and
    what the errors are of, are the preprocessed samples, `target`.

    A pretrained model is continued with care, so that a few images do not ruin it: its parts run in inference mode also
    in training, by which batch normalisation keeps its statistics, and the defaults of `compile` are others.

    Attributes:
        encoder: `Encoder`, a functional keras.Model: float32 (batch, *input_shape) to latent features
            (batch, *latent_shape), preprocessing included. A functional model of your own becomes one that shares its
            layers.
        decoder: `Decoder`, a functional keras.Model: latent features back to (batch, *target_shape).
        preprocessing: list of `zoo.preprocessing` layers, applied in order; empty unless the family is preprocessed.
        corruption: list of `zoo.corruption` layers, applied in order; empty unless the family is denoising.
        sparsity: a `zoo.sparsity` object, or None.
        is_detector: whether `zoo.detector` built it.
        distance: what the `score` of a detector measures, where that is not the mean squared error.
        threshold: anomaly threshold of `score`, which exported files carry, or None.
        pretrained_loss: name of the Keras loss by which its weights were pretrained, set by `zoo.load`; None for a
            model that is trained from scratch. Set it to None before `compile` to train a loaded model like a new one.

    Example:
        >>> model = zoo.feed_forward((28, 28, 1), latent_dim=16)
        >>> model.fit(images, epochs=30, batch_size=256)   # images: float32 in [0, 1], (samples, 28, 28, 1)
        >>> model.encode(images).shape
        (60000, 16)

    Source: Michelucci, *An Introduction to Autoencoders*, arXiv 2201.03898, section 2.
    """

    role = "autoencoder"
    pretrained_loss: str | None = None

    def __init__(
        self,
        encoder: keras.Model,
        decoder: keras.Model,
        *,
        preprocessing: Sequence[preprocessings.Preprocessing] = (),
        corruption: Sequence[corruptions.Corruption] = (),
        sparsity: sparsities.Sparsity | None = None,
        distance: Distance | None = None,
        name: str | None = None,
    ) -> None:
        precision.check()
        super().__init__(name=name)
        self.encoder = Encoder.of(encoder)  # with preprocessing, its last layer is the encoder behind that
        self.decoder = Decoder.of(decoder)
        self.preprocessing = list(preprocessing)
        self.corruption = list(corruption)
        self.sparsity = sparsity
        self.distance = distance
        self.is_detector = False
        self.threshold: float | None = None
        self._config_json: str | None = None
        self.built = True  # Its parts are functional models, which have their weights from the start.
        if isinstance(self.encoder, Encoder) and self.encoder.unit_range is None:
            self.encoder.unit_range = self.unit_range

    # Shape and config

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one sample, without the batch axis."""
        return tuple(self.encoder.input_shape[1:])

    @property
    def latent_shape(self) -> tuple[int, ...]:
        """Shape of one sample's latent features."""
        return tuple(self.encoder.output_shape[1:])

    @property
    def target_shape(self) -> tuple[int, ...]:
        """Shape of one reconstruction: that of a sample, or of a preprocessed one."""
        return tuple(self.decoder.output_shape[1:])

    @property
    def unit_range(self) -> bool:
        """Whether samples must lie in [0, 1], because the output activation is a sigmoid."""
        return not self.preprocessing and next(activations(self.decoder), None) is keras.activations.sigmoid

    @property
    def float_layers(self) -> list[keras.layers.Layer]:
        """The layers of a detector's score, which stay in float32 in an int8 file."""
        return [] if self.distance is None else [self.distance]

    def behind_preprocessing(self) -> keras.Model:
        """The encoder of preprocessed samples; without preprocessing, `encoder` itself."""
        return self.encoder.layers[-1] if self.preprocessing else self.encoder

    def prepared(self, x: keras.KerasTensor) -> keras.KerasTensor:
        """A batch of samples, preprocessed: (batch, *input_shape) to (batch, *target_shape)."""
        for layer in self.preprocessing:
            x = layer(x)
        return x

    @property
    def contract(self) -> Contract:
        """`zoo.engine.contract.Contract`: what samples and targets must be."""
        return Contract(self.input_shape, self.encoder.inputs[0].dtype, self.unit_range, **signal_facts(self.encoder))

    def set_config(self, config: dict[str, Any]) -> None:
        """Set the JSON config that `get_config` returns; the family builders call this."""
        self._config_json = json.dumps(config)  # Keras would wrap and track a dictionary

    def get_config(self) -> dict[str, Any]:
        """The JSON dictionary ``{"family": ..., **arguments}`` from which `zoo.from_config` rebuilds this model.

        A model that no family built has the family "wrapped", whose arguments are Keras' own configs of the two parts.

        Raises:
            ConfigError: a part has no config: it is a subclassed keras.Model, or one of its layers has none.
        """
        if self._config_json is not None:
            config = json.loads(self._config_json)
            return {**config, "threshold": self.threshold} if self.is_detector else config
        if self.preprocessing or self.distance is not None:
            raise ConfigError("Preprocessing and distances have a config in the families preprocessed and detector.")
        for part in (self.encoder, self.decoder):
            if not isinstance(part, Part):
                raise ConfigError(
                    "Only functional parts have a config, which describes their layers."
                    f" Received a {type(part).__name__}: build it as keras.Model(inputs, outputs)."
                )
        if shared := [layer.name for layer in leaves(self.decoder) if layer.weights and layer in leaves(self.encoder)]:
            raise ConfigError(
                f"Encoder and decoder share the layer {shared[0]!r}, and no config of two parts can say so. Save the"
                " Keras model that was wrapped, or model.save_weights('model.weights.h5')."
            )
        config = {"family": "wrapped", "encoder": self.encoder.get_config(), "decoder": self.decoder.get_config()}
        if self.corruption:
            config["corruption"] = [corruption.describe() for corruption in self.corruption]
        if self.sparsity is not None:
            config["sparsity"] = self.sparsity.describe()
        return plain({**config, "name": self.name}, "This Autoencoder")

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> "Autoencoder":
        """A model from `get_config()`, as Keras calls it for a ``.keras`` file.

        Unlike `zoo.from_config`, it takes every layer that Keras itself would load from such a file.
        """
        config = dict(config)
        if isinstance(config.get("backbone"), dict):
            config["backbone"] = cls.from_config(config["backbone"])
        if config.get("family") != "wrapped":
            return keras.saving.get_registered_object("zoo>registry").from_config(config, memory_limit=None)
        return cls(
            Encoder.from_config(config["encoder"]),
            Decoder.from_config(config["decoder"]),
            corruption=corruptions.get(config["corruption"]) if config.get("corruption") else (),
            sparsity=sparsities.get(config["sparsity"]) if config.get("sparsity") else None,
            name=config.get("name"),
        )

    def save_assets(self, directory: str) -> None:
        """Write into a ``.keras`` file what is known about the weights, but is no argument of the family."""
        origin = {"trained_on": getattr(self.encoder, "trained_on", None), "loss": self.pretrained_loss}
        if any(origin.values()):
            (pathlib.Path(directory) / _ORIGIN).write_text(json.dumps(origin), encoding="utf-8")

    def load_assets(self, directory: str) -> None:
        """Read what `save_assets` wrote."""
        file = pathlib.Path(directory) / _ORIGIN
        if file.is_file():
            content = reading.read_bytes(file, limit=1e6, follow_links=False, error=ConfigError)
            origin = convert(reading.parse_json(content, _ORIGIN, error=ConfigError), _Origin, _ORIGIN)
            self.encoder.trained_on = self.decoder.trained_on = origin.trained_on
            self.pretrained_loss = origin.loss

    # Keras' model

    def build(self, input_shape: Any = None) -> None:
        """Nothing to do: encoder and decoder are built."""

    def call(self, x: keras.KerasTensor, training: bool = False) -> keras.KerasTensor:
        """Reconstruction of `x`, (batch, *target_shape); of a corrupted copy of `x` if `training`."""
        x = self.prepared(x)
        for corruption in self.corruption:
            x = corruption(x, training=training)
        training = training and self.pretrained_loss is None
        latent = self.behind_preprocessing()(x, training=training)
        penalty = None if self.sparsity is None else self.sparsity.loss(latent)
        if penalty is not None:
            self.add_loss(penalty)
        return self.decoder(latent, training=training)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return (input_shape[0], *self.target_shape)

    def compile(self, optimizer: Any = "auto", loss: Any = "auto", **keras_arguments: Any) -> None:
        """`keras.Model.compile` with XLA and an automatic chunk length as defaults.

        Args:
            optimizer: as for Keras; "auto" is Adam with a learning rate of 1e-3, for a pretrained model Lamb with 1e-5:
                each step then changes a weight by about that share of its size.
            loss: as for Keras; "auto" is the mean squared error, for a pretrained model the loss of its pretraining.
            **keras_arguments: `jit_compile` and `steps_per_execution` as in `Trainer.compile`, all others as
                for Keras.

        Source: Lamb is You et al., *Large Batch Optimization for Deep Learning*, arXiv 1904.00962.
        """
        if isinstance(optimizer, str) and optimizer == "auto":
            optimizer = keras.optimizers.Lamb(_CONTINUING_RATE) if self.pretrained_loss else "adam"
        if isinstance(loss, str) and loss == "auto":
            loss = self.pretrained_loss or "mse"
        super().compile(optimizer=optimizer, loss=loss, **keras_arguments)

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        """The compiled loss with the clean input as target, plus the sparsity penalty."""
        y = self.prepared(x if y is None else y)
        if sample_weight is not None:
            sample_weight = weights.for_loss(self.loss, y, y_pred, sample_weight)
        return super().compute_loss(x, y, y_pred, sample_weight, training)

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> dict[str, Any]:
        """The compiled metrics with the clean input as target."""
        return super().compute_metrics(x, self.prepared(x if y is None else y), y_pred, sample_weight)

    def fit(  # type: ignore[override]  # the rest is as for Keras
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        *,
        validation_data: Any = None,
        **keras_arguments: Any,
    ) -> keras.callbacks.History:
        """`keras.Model.fit` on samples alone: the target is the clean input.

        A model that is not compiled is compiled with the defaults of `compile`, which suit new models and, being
        others, pretrained ones.

        Args:
            x: float32 array (samples, *input_shape), list or DataFrame; a `zoo.data.Source` or `Stream`; or batches: a
                `tf.data.Dataset`, batched or not, a generator, or a `keras.utils.PyDataset`, of x, (x, y) or
                (x, y, sample_weight), or of dictionaries {"image", "label"}, where labels are left out.
            y: leave out; or a target of the input's shape that differs from the input, which may then leave [0, 1].
            batch_size: samples per step, 32 by default.
            epochs: passes over the data.
            validation_data: samples in any of the forms of `x`, or a tuple (x, y, sample_weight).
            **keras_arguments: all others of `keras.Model.fit`, such as `callbacks`, `validation_split`, `sample_weight`
                (one per sample, or one per value of the loss).

        Returns:
            keras.callbacks.History.

        Raises:
            DataError: empty, endless, wrong shape, integers, NaN, values outside [0, 1] with a sigmoid output, in any
                batch; labels as `y`; weights that do not fit.
        """
        self._compile_once()
        return super().fit(x, y, batch_size, epochs, validation_data=validation_data, **keras_arguments)

    def evaluate(  # type: ignore[override]  # the rest is as for Keras
        self, x: Any = None, y: Any = None, batch_size: int | None = None, **keras_arguments: Any
    ) -> Any:
        """`keras.Model.evaluate` on samples alone, in any of the forms that `fit` takes."""
        self._compile_once()
        return super().evaluate(x, y, batch_size, **keras_arguments)

    # The zoo's verbs

    def encode(self, x: Any, batch_size: int = BATCH_SIZE) -> np.ndarray:
        """Latent features, float32 (samples, *latent_shape), of samples in any form that `fit` takes.

        Samples may leave [0, 1], as noise does, here and in `reconstruct` and `predict`; pixels from 0 to 255 may not.
        """
        forking.check()
        blocks = inputs.blocks(self.contract, x, target=False, labels="dropped")
        return np.concatenate([forward(self.encoder, block, batch_size) for block, _, _ in blocks])

    def decode(self, latent: Any, batch_size: int = BATCH_SIZE) -> np.ndarray:
        """Reconstructions from latent features: (samples, *latent_shape) to float32 (samples, *target_shape)."""
        forking.check()
        latent = checks.images(latent, self.latent_shape, unit_range=False, name="latent")
        return forward(self.decoder, latent, batch_size)

    def reconstruct(self, x: Any, batch_size: int = BATCH_SIZE) -> np.ndarray:
        """Reconstructions of samples in any form that `fit` takes, never corrupted: float32 (samples, *target_shape).

        They are of preprocessed samples, where the model preprocesses.
        """
        return self.decode(self.encode(x, batch_size), batch_size)

    def target(self, x: Any, batch_size: int = BATCH_SIZE) -> np.ndarray:
        """What the model is to reconstruct: samples in any form, preprocessed, as float32 (samples, *target_shape)."""
        forking.check()
        return np.concatenate([self._target(x, batch_size) for x in self._blocks(x)])

    def explain(self, x: Any, batch_size: int = BATCH_SIZE) -> np.ndarray:
        """Where a sample is unusual: the squared error of each element, float32 (samples, *target_shape)."""
        forking.check()
        return np.concatenate([np.square(self._difference(x, batch_size)) for x in self._blocks(x)])

    def reconstruction_error(self, x: Any, batch_size: int = BATCH_SIZE) -> np.ndarray:
        """The mean squared error of each sample over its elements, float32 (samples,): the usual anomaly score.

        Source: Michelucci, arXiv 2201.03898, section "Anomaly Detection"; divided by the number of elements, as the
        paper's numbers are and its formula is not.
        """
        forking.check()
        squares = (np.square(self._difference(x, batch_size)) for x in self._blocks(x))
        return np.concatenate([square.reshape(len(square), -1).mean(axis=1) for square in squares])

    def score(self, x: Any, batch_size: int = BATCH_SIZE) -> np.ndarray:
        """Anomaly score of each sample, float32 (samples,): `reconstruction_error`, or a detector's distance.

        Raises:
            ConfigError: a distance that `fit_score` has not fitted.
        """
        if self.distance is None:
            return self.reconstruction_error(x, batch_size)
        self.distance.check_fitted()
        forking.check()
        deviations = (self._deviation(x, batch_size) for x in self._blocks(x))
        return np.concatenate([forward(self.distance, deviation, batch_size) for deviation in deviations])

    def fit_score(self, normal_data: Any, batch_size: int = BATCH_SIZE) -> "Autoencoder":
        """Fit the distance of a detector (`zoo.detector`) on normal samples, in any form that `fit` takes.

        Returns:
            the model itself.

        Raises:
            ConfigError: a model whose score is the mean squared error, which needs no fitting.
            DataError: fewer than two samples, or samples that the model does not take.
        """
        if self.distance is None:
            raise ConfigError("This model's score is its mean squared error, which needs no fitting: see zoo.detector.")
        forking.check()
        fitted_on = [(self._deviation(x, batch_size), np.abs(x).max()) for x in self._blocks(normal_data)]
        values, magnitudes = zip(*fitted_on, strict=True)
        self.distance.fit(np.concatenate(values), rounding=1e-6 * max(magnitudes))
        return self

    def _blocks(self, x):
        return (block for block, _, _ in inputs.blocks(self.contract, x, labels="dropped"))

    def _target(self, x, batch_size):
        return forward(self.prepared, x, batch_size) if self.preprocessing else x

    def _difference(self, x, batch_size):
        return self.decode(forward(self.encoder, x, batch_size), batch_size) - self._target(x, batch_size)

    def _deviation(self, x, batch_size):
        """What a detector measures the distance of: errors or latent features, flat."""
        of_latent = self.distance.of == "latent"
        values = forward(self.encoder, x, batch_size) if of_latent else self._difference(x, batch_size)
        return values.reshape(len(values), math.prod(values.shape[1:]))

    def _compile_once(self):
        forking.check()
        if not self.compiled:
            self.compile()
