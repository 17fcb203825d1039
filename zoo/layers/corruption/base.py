"""The base class of corruptions."""

import inspect
import math
from collections.abc import Sequence
from typing import Any, ClassVar, Self

import keras
from keras import KerasTensor, ops

from zoo.core.errors import ConfigError
from zoo.layers import noise
from zoo.layers.configurable import Configurable


class Corruption(Configurable, keras.layers.Layer):
    """Base class: a Keras layer that changes samples during training only.

    One of your own implements ``corrupt(x)`` (or ``call(x, training=False)``) and keeps its constructor's arguments,
    JSON values, as attributes of the same names; `zoo.denoising`, `zoo.save` and `zoo.from_config` then take it as they
    take the built-in ones. Samples arrive as float32 under every dtype policy.

    Args:
        **arguments: the subclass's constructor arguments, to be kept as attributes.

    Attributes:
        limits: largest value of an argument that `scaled` may reach, by its name.
        strengths: names of the arguments that `scaled` multiplies; None: every float.

    Raises (when an object is made):
        ConfigError: an argument that is not kept or no JSON value, or neither `corrupt` nor `call` implemented.

    Example:
        >>> class Dim(zoo.corruption.Corruption):
        ...     def __init__(self, factor=0.5):
        ...         super().__init__(factor=factor)
        ...     def corrupt(self, x):
        ...         return self.factor * x
        >>> model = zoo.denoising(zoo.feed_forward((784,), 32), Dim(0.3))
        >>> model.get_config()["corruption"]
        {'type': 'Dim', 'factor': 0.3}
    """

    limits: ClassVar[dict[str, float]] = {}
    strengths: ClassVar[tuple[str, ...] | None] = None

    def __init__(self, **arguments: Any):
        # Coordinates and random numbers need float32; a half-precision model converts what comes out.
        super().__init__(name=type(self).__name__.lower(), dtype="float32")
        for name, value in arguments.items():
            setattr(self, name, value)
        self.random = keras.random.SeedGenerator()

    def call(self, x: KerasTensor, training: bool = False) -> KerasTensor:
        """`x` of shape (batch, ...), corrupted if `training`, else unchanged."""
        return self.corrupt(x) if training else x

    def corrupt(self, x: KerasTensor) -> KerasTensor:
        """`x` of shape (batch, ...) with fresh noise, same shape and dtype."""
        raise NotImplementedError

    def check(self, input_shape: Sequence[int]) -> None:
        """Raise `ConfigError` if samples of this shape cannot be corrupted in this way."""

    def check_definition(self) -> None:
        """Raise `ConfigError` unless the class says what it does, in training only."""
        cls = type(self)
        if cls.corrupt is Corruption.corrupt and cls.call is Corruption.call:
            raise ConfigError(
                f"Corruption {cls.__name__!r} must implement corrupt(self, x) or call(self, x, training)."
            )
        if "training" not in inspect.signature(self.call).parameters:
            raise ConfigError(
                f"Corruption {cls.__name__!r} must take call(self, x, training=False) and return x unchanged outside of"
                " training, or implement corrupt(self, x) alone."
            )

    def check_image(self, input_shape: Sequence[int]) -> None:
        """Raise `ConfigError` unless samples are images."""
        if len(input_shape) != 3:
            raise ConfigError(
                f"{type(self).__name__} corruption needs images of shape (height, width, channels)."
                f" Received a backbone with input_shape={tuple(input_shape)}."
            )

    def check_signal(self, input_shape: Sequence[int]) -> None:
        """Raise `ConfigError` unless samples are signals."""
        if len(input_shape) not in (1, 2):
            raise ConfigError(
                f"{type(self).__name__} corruption needs signals of shape (length,) or (length, channels)."
                f" Received a backbone with input_shape={tuple(input_shape)}."
            )

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return self.arguments()

    def scaled(self, factor: float) -> Self:
        """The same corruption, `factor` times as strong: its `strengths` times `factor`, within `limits`.

        Without `strengths`, each float argument is one; whole numbers (which count something) and all else stay.
        Override it where that is not what makes the corruption stronger.
        """
        arguments = self.arguments()
        for name, value in arguments.items():
            if isinstance(value, float) if self.strengths is None else name in self.strengths:
                arguments[name] = min(value * factor, self.limits.get(name, math.inf))
        return type(self)(**arguments)

    def uniform(self, shape: Sequence, low: float = 0.0, high: float = 1.0) -> KerasTensor:
        """Fresh uniform numbers in [low, high), float32."""
        return noise.uniform(shape, self.random, low, high)

    def keep(self, x: KerasTensor, positions: Sequence[int]) -> KerasTensor:
        """Uniform numbers of one per sample and position, shaped to broadcast over the channels of `x`."""
        return self.uniform((ops.shape(x)[0], *positions, *([1] if len(x.shape) > 2 else [])))
