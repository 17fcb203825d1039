"""What feed-forward and convolutional autoencoders share: one layer with its normalisation and activation."""

import keras
from keras import layers


def block(x: keras.KerasTensor, layer: layers.Layer, activation: str, batch_normalization: bool) -> keras.KerasTensor:
    """Apply `layer`, then, if asked for, batch normalisation, then the activation.

    Layers are named after their place, so that the same config always gives the same weight file.
    """
    if not batch_normalization:
        layer.activation = keras.activations.get(activation)
        return layer(x)
    x = layers.BatchNormalization(name=f"{layer.name}_normalization")(layer(x))
    return layers.Activation(activation, name=f"{layer.name}_activation")(x)
