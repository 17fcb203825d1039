"""The convolutional family."""

import functools
import math
from collections.abc import Sequence

import keras
from keras import layers

from zoo.autoencoder import Autoencoder
from zoo.core.checks import positive_integer, positive_integers
from zoo.core.errors import ConfigError
from zoo.families.activations import activation_name
from zoo.families.blocks import block
from zoo.families.family import family
from zoo.layers.parts import Decoder, Encoder
from zoo.layers.tied import TiedConvolution, TiedDense


@family
def convolutional(
    input_shape: Sequence[int],
    latent_dim: int | None,
    filters: Sequence[int] = (32, 64),
    *,
    kernel_size: int = 3,
    strides: int = 2,
    padding: str = "same",
    activation: str | None = "relu",
    latent_activation: str | None = "linear",
    output_activation: str | None = "sigmoid",
    pooling: int = 1,
    tied_weights: bool = False,
    batch_normalization: bool = False,
    name: str | None = None,
) -> Autoencoder:
    """A convolutional autoencoder: convolutions down to the latent features, transposed convolutions back up.

    Encoder: one convolution per entry of `filters`, then a dense latent layer. Decoder: its mirror image, closed by a
    convolution to the input's channels. Every size is restored exactly, odd ones too.

    Args:
        input_shape: (height, width, channels), or (length, channels) for 1-D signals.
        latent_dim: number of latent features, or None for a spatial latent: the last convolution's feature maps.
        filters: filters of the encoder's convolutions, from input to latent.
        kernel_size: side of the kernels in pixels.
        strides: step of every convolution; 1 keeps the resolution.
        padding: "same" or "valid".
        activation: activation of the hidden layers, a Keras name.
        latent_activation: activation of the latent layer (with a spatial latent, of the last convolution).
        output_activation: "sigmoid" for inputs in [0, 1], "linear" for any.
        pooling: side of the windows that the last convolution's maps are averaged over; 1 keeps them. Averages change
            little when things move a little, which serves classifiers more than reconstructions. The decoder mirrors
            it by a transposed convolution of this size and stride.
        tied_weights: the decoder's kernels are the encoder's, transposed: one variable each. The last transposed
            convolution then gives the output, without a convolution of its own.
        batch_normalization: normalise before the activation of every layer but the output.
        name: name of the model.

    Returns:
        Autoencoder: float32 (batch, *input_shape) to the same shape; latent features (batch, latent_dim), or
        (batch, height', width', filters[-1]) with a spatial latent.

    Raises:
        ConfigError: invalid sizes, or an input too small for the convolutions.
        UnknownNameError: an unknown activation.

    Example:
        >>> zoo.convolutional((27, 31, 3), latent_dim=16).reconstruct(images).shape
        (10, 27, 31, 3)
        >>> paper = zoo.convolutional((28, 28, 1), None, (64, 32), strides=1, padding="valid", latent_activation="relu")
        >>> paper.count_params()
        47425

    Source: Michelucci, arXiv 2201.03898, section "Convolutional Autoencoders".
    """
    input_shape, filters = positive_integers("input_shape", input_shape), positive_integers("filters", filters)
    kernel_size, strides = positive_integer("kernel_size", kernel_size), positive_integer("strides", strides)
    pooling = positive_integer("pooling", pooling)
    if len(input_shape) not in (2, 3):
        raise ConfigError(
            "A convolutional autoencoder takes (height, width, channels) or (length, channels)."
            f" Received: input_shape={input_shape}."
        )
    if not filters:
        raise ConfigError("filters must name at least one convolution. Received an empty sequence.")
    if padding not in ("same", "valid"):
        raise ConfigError(f"padding must be 'same' or 'valid'. Received: padding={padding!r}.")
    if tied_weights and pooling > 1:
        raise ConfigError(f"Pooling has no weights to tie: set tied_weights or pooling. Received: pooling={pooling}.")
    activation, latent_activation = activation_name(activation), activation_name(latent_activation)
    output_activation = activation_name(output_activation)
    axes = len(input_shape) - 1

    def convolution(kind, count, size=kernel_size, strides=strides, padding=padding, **keywords):
        return _layer(kind, axes)(count, size, strides=strides, padding=padding, **keywords)

    x = image = keras.Input(input_shape, name="image")
    sizes, sources = [], []
    for depth, count in enumerate(filters, start=1):
        sizes.append(x.shape[1:-1])
        if padding == "valid" and min(sizes[-1]) < kernel_size:
            raise ConfigError(
                f"The input is too small: convolution {depth} of {len(filters)} sees {sizes[-1]} with kernel_size="
                f"{kernel_size} and padding='valid'. Use fewer filters, smaller strides or padding='same'."
            )
        spatial_latent = latent_dim is None and depth == len(filters)
        sources.append(convolution("Conv", count, name="features" if spatial_latent else f"convolution_{depth}"))
        x = block(x, sources[-1], latent_activation if spatial_latent else activation, batch_normalization)
    maps = x.shape[1:-1]
    if pooling > 1:
        if min(maps) < pooling:
            raise ConfigError(f"The maps are too small to pool: they are {maps}. Received: pooling={pooling}.")
        x = _layer("AveragePooling", axes)(pooling, name="pooling")(x)
    feature_maps = x.shape[1:]
    if latent_dim is not None:
        features = layers.Dense(positive_integer("latent_dim", latent_dim), name="features")
        x = layers.Flatten(data_format="channels_last", name="flatten")(x)
        x = block(x, features, latent_activation, batch_normalization)
    encoder = Encoder(image, x, name="encoder")

    x = latent = keras.Input(x.shape[1:], name="latent")
    if latent_dim is not None:
        units = math.prod(feature_maps)
        layer = TiedDense(features, name="expansion") if tied_weights else layers.Dense(units, name="expansion")
        x = layers.Reshape(feature_maps, name="reshape")(block(x, layer, activation, batch_normalization))
    if pooling > 1:
        layer = convolution("ConvTranspose", filters[-1], pooling, pooling, "valid", name="unpooling")
        x = _fit_to(block(x, layer, activation, batch_normalization), maps, 0)
    for depth, (count, size) in enumerate(zip(reversed(filters), reversed(sizes), strict=True), start=1):
        if tied_weights and depth == len(filters):
            x = TiedConvolution(sources.pop(), output_activation, name="output")(x)
        else:
            layer_name = f"transposed_{depth}"
            layer = (
                TiedConvolution(sources.pop(), name=layer_name)
                if tied_weights
                else convolution("ConvTranspose", count, name=layer_name)
            )
            x = block(x, layer, activation, batch_normalization)
        x = _fit_to(x, size, depth)
    if not tied_weights:
        x = convolution(
            "Conv", input_shape[-1], strides=1, padding="same", activation=output_activation, name="output"
        )(x)
    return Autoencoder(encoder, Decoder(latent, x, name="decoder"), name=name)


def _layer(kind, axes):
    """The Keras layer of this kind for one or two axes; channels come last, whatever Keras' global setting."""
    layer = getattr(layers, f"Conv{axes}DTranspose" if kind == "ConvTranspose" else f"{kind}{axes}D")
    # Cropping1D alone has no such argument: it always cuts the axis after the batch.
    return layer if layer is layers.Cropping1D else functools.partial(layer, data_format="channels_last")


def _fit_to(x, size, depth):
    """Crop what a strided transposed convolution made too large, pad with zeros what it left out, at the far end."""
    extra = [have - want for have, want in zip(x.shape[1:-1], size, strict=True)]
    for kind, name, sign in (("Cropping", "crop", 1), ("ZeroPadding", "pad", -1)):
        ends = [(0, max(sign * e, 0)) for e in extra]
        if any(end for _, end in ends):
            x = _layer(kind, len(size))(ends if len(size) > 1 else ends[0], name=f"{name}_{depth}")(x)
    return x
