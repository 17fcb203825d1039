"""Encoder and decoder: functional models whose config carries their role and what is known about their samples."""

import copy
from collections.abc import Callable, Iterator

import keras

from zoo.core import checks
from zoo.core.errors import ConfigError, DataError
from zoo.core.reading import is_dataset_name
from zoo.layers.preprocessing import Rescale


class ZooModel:
    """Mixin before `keras.Model` of every model that the zoo makes: it knows its role, and is saved as ``.keras``.

    Attributes:
        role: "autoencoder", "encoder", "decoder" or "classifier"; a role is the class's, never a model's name.
    """

    role: str

    def __call__(self, *arguments, **keras_arguments):
        try:
            return super().__call__(*arguments, **keras_arguments)
        except ValueError as error:  # Keras' sentence does not say which sizes would do
            shape, inputs = getattr(next(iter(arguments), None), "shape", None), getattr(self, "inputs", None)
            if shape is not None and inputs and not isinstance(error, DataError):
                checks.check_shape(shape, inputs[0].shape[1:])
            raise

    def save(self, filepath, *arguments, **keras_arguments):
        """`keras.Model.save` to a ``.keras`` file; `zoo.load_model` or `keras.saving.load_model` reads it.

        Raises:
            ConfigError: an HDF5 file, whose format does not describe this model completely.
        """
        if str(filepath).lower().endswith((".h5", ".hdf5")):
            raise ConfigError(
                "HDF5 does not describe this model completely, so Keras could not load the file. Save it as"
                " model.save('model.keras'), or its weights alone as model.save_weights('model.weights.h5')."
                f" Received: {str(filepath)!r}."
            )
        self.get_config()  # before Keras opens the file: a model that it cannot describe shall leave none behind
        return super().save(filepath, *arguments, **keras_arguments)


class Part(ZooModel, keras.Model):
    """One half of an `Autoencoder`. Its facts are part of its Keras config, and so of every model that contains it.

    Attributes:
        unit_range: whether samples must lie in [0, 1]; None if unknown.
        trained_on: name of the dataset that the pretrained weights were trained on, or None.
        sampling_rate: samples per second of the signals that it takes, or None.
        unit: unit of its samples, such as "mV", or None.
        raw: dictionary of the `zoo.preprocessing.Rescale` that says what integers mean, or None.
    """

    unit_range: bool | None = None
    trained_on: str | None = None
    sampling_rate: float | None = None
    unit: str | None = None
    raw: dict | None = None

    _FACTS = ("unit_range", "trained_on", "sampling_rate", "unit", "raw")

    @classmethod
    def of(cls, model: keras.Model) -> keras.Model:
        """`model` in this role: a new functional model over the same layers, or `model` itself if it is one already.

        A subclassed model, which has no graph, passes unchanged.
        """
        inputs, outputs = getattr(model, "inputs", None) or [], getattr(model, "outputs", None) or []
        if isinstance(model, cls) or (len(inputs), len(outputs)) != (1, 1):
            return model
        return cls(inputs[0], outputs[0], name=model.name, trainable=model.trainable)

    def get_config(self):
        """Keras' config of a functional model, and the facts.

        Raises:
            ConfigError: a layer has no config.
        """
        facts = {name: getattr(self, name) for name in self._FACTS}
        try:
            config = super().get_config()
        except NotImplementedError as error:
            raise ConfigError(f"This {self.role} has a layer without a config: {str(error).strip()}") from error
        return {**config, **{name: fact for name, fact in facts.items() if fact is not None}}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        config = copy.deepcopy(config)  # Keras takes layers out of it
        facts = {name: config.pop(name) for name in cls._FACTS if name in config}
        part = super().from_config(config, custom_objects)
        for name, fact in facts.items():
            setattr(part, name, fact)
        return part


@keras.saving.register_keras_serializable(package="zoo")
class Encoder(Part):
    """Samples (batch, *input_shape) to latent features (batch, *latent_shape)."""

    role = "encoder"


@keras.saving.register_keras_serializable(package="zoo")
class Decoder(Part):
    """Latent features (batch, *latent_shape) to reconstructions (batch, *input_shape)."""

    role = "decoder"


def meaning_of_integers(model: keras.Model) -> Rescale:
    """What makes a model's samples of the integers that ``raw_input=True`` takes, 8-bit pixels unless it says else."""
    known = next((part.raw for part in _parts(model) if part.raw), None)
    return Rescale(1 / 255, integers="uint8") if known is None else Rescale.from_description(known)


def _parts(model):
    """The model itself and the encoders directly in it, as far as they are parts."""
    return [part for part in (model, *getattr(model, "layers", ())) if isinstance(part, Part)]


def signal_facts(model: keras.Model) -> dict:
    """What a model, or the encoder inside it, says about its signals: arguments of `zoo.engine.contract.Contract`."""
    part = next((part for part in _parts(model) if part.sampling_rate or part.unit or part.raw), None)
    if part is None:
        return {}
    scale = None if part.raw is None else part.raw["scale"]
    return {"sampling_rate": part.sampling_rate, "unit": part.unit or "", "scale": scale}


def activations(model: keras.Model) -> Iterator[Callable]:
    """The activations of a model's layers, last to first, through nested models."""
    for layer in reversed(model.layers):
        if isinstance(layer, keras.Model):
            yield from activations(layer)
        elif getattr(layer, "activation", None) is not None:
            yield layer.activation


def leaves(model: keras.Model) -> list[keras.layers.Layer]:
    """The layers of a model and of the models inside it, without these models themselves."""
    return [leaf for layer in model.layers for leaf in (leaves(layer) if isinstance(layer, keras.Model) else [layer])]


def trained_on(model: keras.Model) -> str | None:
    """The dataset that a pretrained part was trained on: `model` itself, or the first one inside it that says so.

    Never a path: that a model from elsewhere names a file is no reason to read it.
    """
    name = model.trained_on if isinstance(model, Part) else None
    if isinstance(name, str) and is_dataset_name(name):
        return name
    inside = (trained_on(layer) for layer in model.layers if isinstance(layer, keras.Model))
    return next((name for name in inside if name), None)
