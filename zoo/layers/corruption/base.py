"""The base class of corruptions."""

import math

import keras
from keras import ops

from zoo.core.errors import ConfigError
from zoo.layers import noise
from zoo.layers.configurable import Described


class Corruption(Described, keras.layers.Layer):
    """Base class: subclasses implement `corrupt(x)` and, where not every input shape will do, `check(input_shape)`."""

    def __init__(self, **arguments):
        super().__init__(name=type(self).__name__.lower())
        for name, value in arguments.items():
            setattr(self, name, value)
        self.random = keras.random.SeedGenerator()

    def call(self, x, training=False):
        """`x` of shape (batch, ...), corrupted if `training`, else unchanged."""
        return self.corrupt(x) if training else x

    def corrupt(self, x):
        """`x` of shape (batch, ...) with fresh noise, same shape and dtype."""
        raise NotImplementedError

    def check(self, input_shape):
        """Raise `ConfigError` if samples of this shape cannot be corrupted in this way."""

    def check_image(self, input_shape):
        """Raise `ConfigError` unless samples are images."""
        if len(input_shape) != 3:
            raise ConfigError(
                f"{type(self).__name__} corruption needs images of shape (height, width, channels)."
                f" Received a backbone with input_shape={tuple(input_shape)}."
            )

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {name: getattr(self, name) for name in self.argument_names()}

    def scaled(self, factor):
        """The same corruption, `factor` times as strong; shares stay at most 1."""
        limits = {"rate": 1.0, "amount": 1.0, "contrast": 1.0, "brightness": 1.0, "scale": 0.99}
        return type(self)(
            **{
                name: value if isinstance(value, int) else min(value * factor, limits.get(name, math.inf))
                for name, value in self.get_config().items()
            }
        )

    def uniform(self, shape, low=0.0, high=1.0):
        """Fresh uniform numbers in [low, high), float32."""
        return noise.uniform(shape, self.random, low, high)

    def keep(self, x, positions):
        """Uniform numbers of one per sample and position, shaped to broadcast over the channels of `x`."""
        return self.uniform((ops.shape(x)[0], *positions, *([1] if len(x.shape) > 2 else [])))
