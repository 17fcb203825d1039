"""The convolutional trunk of an encoder: its layers up to the first that mixes places, for pictures of any size."""

import keras
from keras import layers

from zoo.core.errors import ConfigError
from zoo.engine import keras_internals
from zoo.layers.preprocessing import Preprocessing

_CONVOLUTIONS = (layers.Conv2D, layers.DepthwiseConv2D, layers.SeparableConv2D)
# What works on each value, or each channel, by itself: the rest of a convolution's block.
_ELEMENTWISE = (
    layers.BatchNormalization,
    layers.Activation,
    layers.ReLU,
    layers.LeakyReLU,
    layers.ELU,
    layers.Dropout,
    layers.SpatialDropout2D,
    layers.GaussianNoise,
    layers.GaussianDropout,
    layers.Identity,
    layers.Rescaling,
)
_BETWEEN = (layers.MaxPooling2D, layers.AveragePooling2D, layers.ZeroPadding2D)


def blocks(encoder: keras.Model) -> tuple[list, list[list]]:
    """The preprocessing layers of an encoder, and its convolutional blocks.

    Returns:
        (preprocessing, blocks): a block is the list of its layers: what pads or pools before a convolution, the
        convolution, its normalisation and activation. A pooling after the last one is left out.

    Raises:
        ConfigError: an encoder without convolutions in front, or one whose layers are no chain.
    """
    chain = list(_chain(encoder))
    preprocessing = []
    while chain and isinstance(chain[0], Preprocessing):
        preprocessing.append(chain.pop(0))
    found: list[list[keras.layers.Layer]] = []
    before: list[keras.layers.Layer] = []
    for layer in chain:
        if isinstance(layer, _CONVOLUTIONS):
            found.append([*before, layer])
            before = []
        elif isinstance(layer, _BETWEEN):
            before.append(layer)
        elif not isinstance(layer, _ELEMENTWISE):
            break
        elif before or not found:
            before.append(layer)
        else:
            found[-1].append(layer)
    if not found:
        kinds = ", ".join(dict.fromkeys(type(layer).__name__ for layer in chain)) or "no layers"
        raise ConfigError(
            "A patch detector compares local features, and this encoder has none: before any convolution of pictures"
            f" come layers that mix all places. Take a convolutional encoder, or zoo.detector, which scores by the"
            f" reconstruction error. Received an encoder of {kinds}."
        )
    return preprocessing, found


def rebuilt(found: list[list], shape: tuple[int, int, int], last: int) -> keras.Model:
    """The `last` outputs of a trunk's blocks for pictures of this shape: a model of copied layers and weights.

    Grey pictures are taken by the trunk of a colour encoder, whose first kernel is summed over the channels: what it
    would compute of a picture with three equal channels.

    Raises:
        ConfigError: pictures with other channels, or too small for the convolutions.
    """
    channels = next(layer for layer in found[0] if isinstance(layer, _CONVOLUTIONS)).kernel.shape[-2]
    x = picture = keras.Input(shape, name="image")
    if shape[-1] not in (1, channels):
        raise ConfigError(
            f"The encoder takes pictures of {channels} channels. Received normals of shape {shape}: convert them to"
            f" {'grey' if channels == 1 else f'{channels} channels'} first."
        )
    outputs, copies = [], []
    try:
        for block in found:
            for layer in block:
                copy = type(layer).from_config(layer.get_config())
                x = copy(x)
                copies.append((copy, layer))
            outputs.append(x)
    except ValueError as error:
        raise ConfigError(f"Pictures of {shape[0]} x {shape[1]} are too small for this encoder's trunk.") from error
    if min(min(x.shape[1:3]) for x in outputs) < 1:
        raise ConfigError(f"Pictures of {shape[0]} x {shape[1]} are too small for this encoder's trunk.")
    for copy, layer in copies:
        weights = layer.get_weights()
        if weights and isinstance(layer, _CONVOLUTIONS) and weights[0].shape != copy.weights[0].shape:
            weights[0] = weights[0].sum(axis=2, keepdims=True)
        copy.set_weights(weights)
    return keras.Model(picture, outputs[-last:], name="trunk")


def _chain(model):
    """The layers of a model and of the models in it, in order."""
    nodes = keras_internals.graph_nodes(model)
    if any(len(node.input_tensors) > 1 for node in nodes) or len(nodes) != len(model.layers):
        raise ConfigError("A patch detector takes encoders whose layers are a chain. Received one with branches.")
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _chain(layer)
        elif not isinstance(layer, layers.InputLayer):
            yield layer
