"""Autoencoders that no family built: any Keras model, split into encoder and decoder."""

from typing import Any

import keras

from zoo.autoencoder import Autoencoder
from zoo.core import checks
from zoo.core.errors import ConfigError, unknown_name
from zoo.engine import keras_internals
from zoo.families import builtin_layers, registry
from zoo.layers.parts import Decoder, Encoder


def wrap(keras_model: keras.Model, latent: str, *, name: str | None = None) -> Autoencoder:
    """Turn any functional Keras autoencoder into an `Autoencoder`: evaluation, thresholds and export then work on it.

    Weights are shared, not copied. `zoo.save` takes the result if all of its layers are Keras' own; with others,
    ``model.save("model.keras")`` keeps it.

    Args:
        keras_model: functional or Sequential keras.Model with one input and one output of the same shape, for instance
            one that `keras.models.load_model` read from a legacy .h5 file.
        latent: name of the layer (or nested model) whose output are the latent features. All that follows it must
            depend on the input through it alone.
        name: name of the Autoencoder.

    Returns:
        Autoencoder.

    Raises:
        ConfigError: not such a model, a layer that is used twice, or a decoder that needs more than the latent
            features (skip connections).
        UnknownNameError: no layer of this name; the nearest ones are listed.

    Example:
        >>> model = zoo.wrap(keras.models.load_model("autoencoder.h5", compile=False), latent="bottleneck")
        >>> zoo.export(model, "exported", threshold=zoo.threshold(model, normal_samples))
    """
    if isinstance(keras_model, Autoencoder):
        raise ConfigError("zoo.wrap takes a plain Keras model. Received: an Autoencoder, which needs no wrapping.")
    if not isinstance(keras_model, keras.Model) or not getattr(keras_model, "inputs", None):
        raise ConfigError(
            "zoo.wrap takes a functional or built Sequential keras.Model, whose layers form a graph."
            f" Received: {type(keras_model).__name__}."
        )
    checks.one_input_and_output(keras_model, "zoo.wrap", ConfigError)
    image, reconstruction = keras_model.inputs[0], keras_model.outputs[0]
    if None in image.shape[1:] or tuple(image.shape[1:]) != tuple(reconstruction.shape[1:]):
        raise ConfigError(
            "An autoencoder gives back its input's shape, which must be fixed."
            f" Received input {tuple(image.shape[1:])}, output {tuple(reconstruction.shape[1:])}."
        )
    features = _output_of(keras_model, latent)
    if features is reconstruction or features is image:
        raise ConfigError(f"Layer {latent!r} leaves nothing to encode or decode: name a layer in between.")
    try:
        decoder = Decoder(features, reconstruction, name="decoder")
    except ValueError as error:
        raise ConfigError(
            f"The output does not follow from layer {latent!r} alone (a skip connection?), so there is no decoder: name"
            " a later layer that all paths go through."
        ) from error
    return Autoencoder(Encoder(image, features, name="encoder"), decoder, name=name or keras_model.name)


def wrapped(
    encoder: dict[str, Any],
    decoder: dict[str, Any],
    corruption: list[dict[str, Any]] | None = None,
    sparsity: dict[str, Any] | None = None,
    name: str | None = None,
) -> Autoencoder:
    """The family of all models that no other family built: Keras' own configs of the two parts describe them.

    Args:
        encoder, decoder: dicts, the configs of functional models, which may contain Keras' own layers only.
        corruption: as for `zoo.denoising`, or nothing.
        sparsity: as for `zoo.sparse`, but only kept: its constraint is part of the encoder already.
        name: name of the model.

    Returns:
        Autoencoder.

    Raises:
        ConfigError: a config that names anything else than Keras' own layers and plain values.
    """
    for name_of_part, part in (("encoder", encoder), ("decoder", decoder)):
        builtin_layers.check(part, f"The {name_of_part}'s config")
    config = {"encoder": encoder, "decoder": decoder, "corruption": corruption, "sparsity": sparsity, "name": name}
    return Autoencoder.from_config({"family": "wrapped", **config})


registry.register(wrapped)


def _output_of(model, name):
    """The tensor that a layer of this name gives in the graph of `model`."""
    layers = {layer.name: layer for layer in model.layers}
    if name not in layers:
        raise unknown_name("layer", name, layers)
    # Not `layer.output`: a layer may have been called in another graph before.
    nodes = [node for node in keras_internals.graph_nodes(model) if node.operation is layers[name]]
    tensors = [tensor for node in nodes for tensor in node.output_tensors]
    if len(tensors) != 1:
        raise ConfigError(f"Layer {name!r} gives {len(tensors)} outputs in this model: expected exactly one.")
    return tensors[0]
