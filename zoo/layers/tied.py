"""Tied weights: decoder layers that use the transposed kernel of an encoder layer."""

from typing import Any

import keras
from keras import KerasTensor, ops


class _Tied(keras.layers.Layer):
    """activation(transposed(x) + b), where the kernel is the very variable of the layer `source`, and b is its own.

    Args:
        source: a built layer of the encoder with a kernel (..., inputs, units); this layer maps its outputs back.
        activation: Keras activation name.
    """

    def __init__(self, source: keras.layers.Layer, activation: str | None = None, **keras_arguments: Any):
        super().__init__(**keras_arguments)
        self.activation = keras.activations.get(activation)
        # The variable alone: tracking `source` would make its bias a weight of the decoder as well.
        self.kernel = source.kernel
        self.bias = self.add_weight(shape=(self.kernel.shape[-2],), initializer="zeros", name="bias")
        self.built = True

    def call(self, x: KerasTensor) -> KerasTensor:
        return self.activation(self.transposed(x) + self.bias)

    def transposed(self, x: KerasTensor) -> KerasTensor:
        """What the adjoint of the source's linear part makes of `x`."""
        raise NotImplementedError

    # The kernel is stored once, with its owner.
    def save_own_variables(self, store):
        store["bias"] = self.bias

    def load_own_variables(self, store):
        self.bias.assign(store["bias"])

    def get_config(self) -> dict[str, Any]:
        raise NotImplementedError(
            "A tied layer cannot be cloned on its own: its kernel belongs to the encoder."
            " Rebuild the whole autoencoder with zoo.from_config(model.get_config())."
        )


@keras.saving.register_keras_serializable(package="zoo")
class TiedDense(_Tied):
    """The transpose of a `keras.layers.Dense`, x Wᵀ: (batch, units) to (batch, inputs)."""

    def transposed(self, x: KerasTensor) -> KerasTensor:
        return ops.matmul(x, ops.transpose(self.kernel))

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return (*input_shape[:-1], self.kernel.shape[0])


@keras.saving.register_keras_serializable(package="zoo")
class TiedConvolution(_Tied):
    """The transpose of a `keras.layers.Conv1D` or `Conv2D`: (batch, ..., filters) to (batch, ..., channels).

    Places are as many as a transposed convolution of the same kernel size, strides and padding gives.
    """

    def __init__(self, source: keras.layers.Layer, activation: str | None = None, **keras_arguments: Any):
        super().__init__(source, activation, **keras_arguments)
        self.strides, self.padding = source.strides, source.padding

    def transposed(self, x: KerasTensor) -> KerasTensor:
        return ops.conv_transpose(
            x, self.kernel, strides=self.strides, padding=self.padding, data_format="channels_last"
        )
