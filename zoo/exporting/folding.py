"""Folding what the TFLite converter leaves unfolded."""

import keras
import numpy as np
from keras import layers


def with_folded_latent(encoder):
    """The encoder with the batch normalisation of a linear dense latent layer folded into that layer's weights.

    TFLite's converter folds every normalisation, but this one, with nothing nonlinear after it, into whichever dense
    layer comes next: backwards where the graph ends, forwards where the decoder follows. Each signature would then have
    its own copy of the latent layer's kernel, the largest of a convolutional encoder.
    """
    chain = encoder.layers[-3:]
    kinds = (layers.Dense, layers.BatchNormalization, layers.Activation)
    if [type(layer) for layer in chain] != list(kinds):
        return encoder
    dense, normalization, activation = chain
    if {dense.activation, activation.activation} != {keras.activations.linear}:
        return encoder
    weights = normalization.get_weights()
    gamma = weights.pop(0) if normalization.scale else 1.0
    beta = weights.pop(0) if normalization.center else 0.0
    mean, variance = weights
    factor = gamma / np.sqrt(variance + normalization.epsilon)
    folded = layers.Dense(dense.units, name=dense.name)
    model = keras.Model(encoder.input, folded(dense.input), name=encoder.name)
    bias = dense.bias.numpy() if dense.use_bias else 0.0
    folded.set_weights([dense.kernel.numpy() * factor, (bias - mean) * factor + beta])
    return model
