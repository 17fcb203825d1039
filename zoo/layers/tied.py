"""Tied weights: a decoder layer that uses the transposed kernel of an encoder layer."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="zoo")
class TiedDense(keras.layers.Layer):
    """y = activation(x Wᵀ + b), where W is the very variable of the dense layer `source`, and b is its own.

    Args:
        source: a built `keras.layers.Dense` with kernel (inputs, units); this layer maps its outputs back:
            (batch, units) to (batch, inputs).
        activation: Keras activation name.
    """

    def __init__(self, source, activation=None, **keras_arguments):
        super().__init__(**keras_arguments)
        self.activation = keras.activations.get(activation)
        # The variable alone: tracking `source` would make its bias a weight of the decoder as well.
        self.kernel = source.kernel
        self.bias = self.add_weight(shape=(self.kernel.shape[0],), initializer="zeros", name="bias")
        self.built = True

    def call(self, x):
        return self.activation(ops.matmul(x, ops.transpose(self.kernel)) + self.bias)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.kernel.shape[0])

    # The kernel is stored once, with its owner.
    def save_own_variables(self, store):
        store["bias"] = self.bias

    def load_own_variables(self, store):
        self.bias.assign(store["bias"])

    def get_config(self):
        raise NotImplementedError(
            "A tied layer cannot be cloned on its own: its kernel belongs to the encoder."
            " Rebuild the whole autoencoder with zoo.from_config(model.get_config())."
        )
