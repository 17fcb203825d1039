"""The trunk of an encoder: its convolutions, which compute the same at every place and so take images of any size."""

from collections.abc import Sequence

import keras
import numpy as np
from keras import layers

from zoo.core.checks import positive_integers
from zoo.core.errors import ConfigError, ZooError, unknown_name
from zoo.engine import keras_internals
from zoo.layers.parts import Encoder

_POOLINGS = {"avg": "GlobalAveragePooling", "max": "GlobalMaxPooling"}
_CONVOLUTIONS = (layers.Conv1D, layers.Conv2D, layers.SeparableConv2D, layers.DepthwiseConv2D)
_BELONG_TO_IT = (layers.BatchNormalization, layers.Activation, layers.ReLU, layers.LeakyReLU, layers.Dropout)
_FLATTENING = (layers.Flatten, layers.Reshape)


def adapted(
    encoder: keras.Model,
    input_shape: Sequence[int] | None = None,
    pooling: str | None = None,
    features: Sequence[str] | None = None,
) -> keras.Model:
    """An encoder with the same weights for samples of another shape, or with other features.

    Args:
        encoder: functional model, such as ``model.encoder``; it stays as it is.
        input_shape: shape of one sample, with as many axes as before; None: as before.
        pooling: "avg" or "max": the latent features are mean or maximum over all places of the trunk's last maps, so
            that a dense latent layer, which knows one size only, is left out; None: as before.
        features: names of levels: the maps after the first, second ... convolution, with its normalisation and
            activation, are "block1", "block2" ...; with `pooling`, mean or maximum of each.

    Returns:
        Encoder with weights of its own; with `features`, its output is a dictionary by these names.

    Raises:
        ConfigError: a shape of another kind or too small for the trunk, a dense latent layer that cannot take it,
            an encoder without convolutions, or channels that the weights say nothing about.
        UnknownNameError: an unknown pooling or level.

    Example:
        >>> adapted(zoo.load("cifar10-jpeg-convolutional-64").encoder, (96, 96, 3), pooling="avg").output_shape
        (None, 32)
    """
    old = tuple(encoder.input_shape[1:])
    new = old if input_shape is None else positive_integers("input_shape", input_shape)
    if len(new) != len(old):
        raise ConfigError(f"The encoder takes samples of {len(old)} axes, such as {old}. Received: {new}.")
    if pooling not in (None, *_POOLINGS):
        raise unknown_name("pooling", pooling, _POOLINGS)
    graph = _flat(encoder)
    flattening = next((node for node in _nodes(graph) if isinstance(node.operation, _FLATTENING)), None)
    maps = graph.output if flattening is None else flattening.input_tensors[0]
    if features is not None:
        graph = keras.Model(graph.input, _chosen(levels(graph), features))
    elif pooling is not None:
        graph = keras.Model(graph.input, maps)
        if not any(map(_is_convolution, _nodes(graph))):
            raise ConfigError(
                "pooling= takes the features of convolutions, and this encoder has none before its dense layers."
            )
    elif flattening is not None and new[:-1] != old[:-1]:
        trunk = keras.Model(graph.input, maps)
        if _at(trunk, new)[0].outputs[0].shape != maps.shape:
            raise ConfigError(_fixed_size(trunk, old, new))
    made, variables = _at(graph, new)
    _copy_weights(graph, made, old, new)
    keras_internals.initialize(variables)  # what is no weight, such as states of random numbers
    if features is not None:
        outputs = {name: _pooled(x, pooling, f"{name}_pooling") for name, x in zip(features, made.outputs, strict=True)}
    else:
        outputs = _pooled(made.outputs[0], pooling, "global_pooling")
    part = Encoder(made.inputs[0], outputs, name=encoder.name)
    for fact in Encoder._FACTS:
        setattr(part, fact, getattr(encoder, fact, None))
    return part


def levels(graph: keras.Model) -> dict[str, keras.KerasTensor]:
    """The maps after each convolution of a functional model without models in it, by the names of the levels."""
    nodes = _nodes(graph)
    found: dict[str, keras.KerasTensor] = {}
    for node in filter(_is_convolution, nodes):
        maps = node.output_tensors[0]
        while after := [n for n in nodes if n.input_tensors[0] is maps and isinstance(n.operation, _BELONG_TO_IT)]:
            maps = after[0].output_tensors[0]
        found[f"block{len(found) + 1}"] = maps
    return found


def _chosen(found, names):
    """The maps of these levels, in a list."""
    if isinstance(names, str) or not names or len(set(names)) < len(names):
        raise ConfigError(f"features must name levels, each once, such as ('block1',). Received: {names!r}.")
    if not found:
        raise ConfigError("features= takes the maps of convolutions, and this encoder has none.")
    for name in names:
        if name not in found:
            raise unknown_name("level of features", name, found)
    return [found[name] for name in names]


def _pooled(x, pooling, name):
    if pooling is None or len(x.shape) == 2:
        return x
    layer = getattr(layers, f"{_POOLINGS[pooling]}{len(x.shape) - 2}D")
    return layer(data_format="channels_last", name=name)(x)


def _fixed_size(graph, old, new):
    if any(map(_is_convolution, _nodes(graph))):
        remedy = (
            ' pooling="avg" leaves that layer out and gives the mean of the last convolution\'s maps instead; or resize'
            f" the samples, zoo.data.resize(x, {old})."
        )
    else:
        remedy = f" Resize the samples, zoo.data.resize(x, {old}), or choose a convolutional model."
    return (
        f"The latent features come from a dense layer, which has a weight for each place in samples of shape {old} and"
        f" none for others. Received: input_shape={new}.{remedy}"
    )


def _flat(model):
    """A functional model over the same layers, with those of nested models in its own graph."""
    x = keras.Input(model.input_shape[1:], dtype=model.inputs[0].dtype, name=model.inputs[0].name)

    def operation(layer):
        return _caller(layer, operation) if isinstance(layer, keras.Model) else layer

    return keras.Model(x, keras_internals.run_graph(model, x, operation))


def _caller(model, operation):
    return lambda x, **_: keras_internals.run_graph(model, x, operation)


def _at(graph, shape):
    """The flat graph with new layers of the same names for samples of this shape, and its variables, without values."""
    x = keras.Input(shape, dtype=graph.inputs[0].dtype, name=graph.inputs[0].name)
    new = {}

    def operation(layer):
        if layer not in new:
            new[layer] = type(layer).from_config(layer.get_config())
        return new[layer]

    try:
        with keras_internals.deferred_values() as variables:
            return keras.Model(x, keras_internals.run_graph(graph, x, operation)), variables
    except ZooError as error:
        raise ConfigError(f"The encoder cannot take samples of shape {shape}: {error}") from error
    except Exception as error:  # what Keras raises about sizes is of many kinds
        raise ConfigError(
            f"The encoder cannot take samples of shape {shape}, which are too small for layer {list(new)[-1].name!r}."
        ) from error


def _nodes(graph):
    """The calls of layers in a graph, first to last."""
    return [node for node in reversed(keras_internals.graph_nodes(graph)) if node.input_tensors]


def _is_convolution(node):
    """Whether a call computes maps by weights that are the same at every place."""
    layer = node.operation
    return isinstance(layer, _CONVOLUTIONS) or (isinstance(layer, layers.Dense) and len(layer.input.shape) > 2)


def _copy_weights(graph, made, old, new):
    """Give `made` the weights of `graph`; the kernel of its first layer serves other channels, see `_channels`."""
    layer_of = {layer.name: layer for layer in made.layers}
    for layer in graph.layers:
        weights, target = layer.get_weights(), layer_of[layer.name]
        expected = [tuple(variable.shape) for variable in target.weights]
        if weights and [w.shape for w in weights] != expected:
            kernel, rest = weights[0], weights[1:]
            first = type(layer) in (layers.Conv1D, layers.Conv2D) and kernel.shape[-2] == old[-1]
            if not first or 1 not in (old[-1], new[-1]) or [w.shape for w in rest] != expected[1:]:
                raise ConfigError(
                    f"Layer {layer.name!r} has weights for samples of shape {old} that say nothing about"
                    f" {new}. {_CHANNELS}"
                )
            weights = [_channels(kernel, new[-1]), *rest]
        keras_internals.set_values(target.weights, weights)


_CHANNELS = "Grey images become colour ones by np.repeat(x, 3, axis=-1), colour ones grey by x.mean(-1, keepdims=True)."


def _channels(kernel: np.ndarray, channels: int) -> np.ndarray:
    """A first kernel for another number of channels: grey images, in equal channels or one, give the same features.

    Its mean over the old channels, times their number, is shared equally by the new ones.
    """
    shared = kernel.sum(axis=-2, keepdims=True) / channels
    return np.repeat(shared, channels, axis=-2)
