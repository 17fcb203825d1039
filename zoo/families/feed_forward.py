"""The feed-forward family."""

import math
from collections.abc import Sequence

import keras
from keras import layers

from zoo.autoencoder import Autoencoder
from zoo.core.checks import positive_integer, positive_integers
from zoo.families.activations import activation_name
from zoo.families.blocks import block
from zoo.families.family import family
from zoo.layers.parts import Decoder, Encoder
from zoo.layers.tied import TiedDense


@family
def feed_forward(
    input_shape: Sequence[int],
    latent_dim: int,
    hidden_units: Sequence[int] = (),
    *,
    activation: str | None = "relu",
    latent_activation: str | None = "relu",
    output_activation: str | None = "sigmoid",
    tied_weights: bool = False,
    batch_normalization: bool = False,
    name: str | None = None,
) -> Autoencoder:
    """A feed-forward autoencoder (FFA): dense layers, symmetric about the latent layer that both halves share.

    h = g(x), x̃ = f(h); one hidden layer per half without `hidden_units`:
    h = latent_activation(W x + b), x̃ = output_activation(W' h + b').

    Args:
        input_shape: shape of one sample, for instance (784,) or (28, 28, 1); more than one axis is flattened.
        latent_dim: number of latent features q.
        hidden_units: units of the encoder's hidden layers from input to latent; the decoder mirrors them.
        activation: activation of the hidden layers, a Keras name.
        latent_activation: activation of the latent layer; the paper uses ReLU.
        output_activation: "sigmoid" for inputs in [0, 1], "relu" for non-negative, "linear" for any.
        tied_weights: decoder kernels are the encoder's, transposed (W' = Wᵀ): one variable each.
        batch_normalization: normalise before the activation of every hidden layer and of the latent layer.
        name: name of the model.

    Returns:
        Autoencoder: float32 (batch, *input_shape) to the same shape, latent features (batch, latent_dim).

    Raises:
        ConfigError: sizes that are not whole numbers of at least 1.
        UnknownNameError: an unknown activation.

    Example:
        >>> zoo.feed_forward((784,), 8).count_params()  # the paper's: 1569 q + 784
        13336

    Source: Michelucci, arXiv 2201.03898, section "Feed Forward Autoencoders".
    """
    input_shape = positive_integers("input_shape", input_shape)
    units = (*positive_integers("hidden_units", hidden_units), positive_integer("latent_dim", latent_dim))
    activation, latent_activation = activation_name(activation), activation_name(latent_activation)

    image = keras.Input(input_shape, name="image")
    x = layers.Flatten(data_format="channels_last", name="flatten")(image) if len(input_shape) > 1 else image
    sources = [layers.Dense(size, name=f"hidden_{depth}") for depth, size in enumerate(units[:-1], start=1)]
    for source in sources:
        x = block(x, source, activation, batch_normalization)
    sources.append(layers.Dense(units[-1], name="features"))
    x = block(x, sources[-1], latent_activation, batch_normalization)
    encoder = Encoder(image, x, name="encoder")

    def dense(size, name):
        return TiedDense(sources.pop(), name=name) if tied_weights else layers.Dense(size, name=name)

    x = latent = keras.Input((units[-1],), name="latent")
    for depth, size in enumerate(reversed(units[:-1]), start=1):
        x = block(x, dense(size, f"hidden_{depth}"), activation, batch_normalization)
    output = dense(math.prod(input_shape), "output")
    output.activation = keras.activations.get(activation_name(output_activation))
    x = output(x)
    if len(input_shape) > 1:
        x = layers.Reshape(input_shape, name="reshape")(x)
    return Autoencoder(encoder, Decoder(latent, x, name="decoder"), name=name)
