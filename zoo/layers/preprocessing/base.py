"""The base class of preprocessing layers."""

from collections.abc import Sequence
from typing import Any, Self

import keras
import numpy as np
from keras import KerasTensor

from zoo.core.errors import ConfigError
from zoo.layers.configurable import Configurable

PACKAGE = "zoo.preprocessing"  # under which Keras knows these classes, apart from models of the same name


class Preprocessing(Configurable, keras.layers.Layer):
    """Base class: a Keras layer without weights that stands in front of a model and travels with it.

    One of your own implements ``call(x)`` with `keras.ops` and keeps its constructor's arguments, JSON values, as
    attributes of the same names. If it changes the shape, it implements `compute_output_shape` as well; if it needs
    statistics of training data, `fitted` and `is_fitted`. It is known to Keras as soon as the class is defined, so that
    ``.keras`` files find it. Under every dtype policy it computes in float32.

    An object never changes: `fitted` makes a new one.

    Args:
        **arguments: the subclass's constructor arguments, to be kept as attributes.

    Raises (when an object is made):
        ConfigError: an argument that is not kept or no JSON value, or `call` not implemented.

    Example:
        >>> class Absolute(zoo.preprocessing.Preprocessing):
        ...     def call(self, x):
        ...         return keras.ops.abs(x)
        >>> Absolute()(np.array([[-1.0, 2.0]])).numpy()
        array([[1., 2.]], dtype=float32)
    """

    def __init__(self, **arguments: Any):
        super().__init__(dtype="float32")
        for name, value in arguments.items():
            setattr(self, name, value)

    def __init_subclass__(cls, **keywords):
        super().__init_subclass__(**keywords)
        keras.saving.register_keras_serializable(package=PACKAGE)(cls)

    @property
    def is_fitted(self) -> bool:
        """Whether the statistics of training data that it needs, if any, are there."""
        return True

    def fitted(self, x: np.ndarray) -> Self:
        """A new object of the same arguments with statistics of `x`; the object itself if it needs none.

        Args:
            x: training samples (samples, ...), as this layer's input.

        Raises:
            DataError: samples whose statistics cannot be used.
        """
        return self

    def check(self, input_shape: Sequence[int]) -> None:
        """Raise `ConfigError` if samples of this shape cannot be preprocessed in this way."""

    def check_definition(self) -> None:
        """Raise `ConfigError` unless the class says what it does."""
        if type(self).call is Preprocessing.call:
            raise ConfigError(f"Preprocessing {type(self).__name__!r} must implement call(self, x).")

    def build(self, input_shape: tuple) -> None:
        """Check what the layer is called with for the first time."""
        self.check(tuple(input_shape[1:]))
        if not self.is_fitted:
            name = type(self).__name__
            raise ConfigError(
                f"{name} has no statistics of training data yet. Fit it before the model is built:"
                f" {name.lower()} = {name.lower()}.fitted(samples); or put it in a recipe, and zoo.train fits it."
            )

    def call(self, x: KerasTensor) -> KerasTensor:
        """`x` of shape (batch, ...), preprocessed, float32."""
        raise NotImplementedError

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """Shape of the output, with the batch axis first, as in `input_shape`."""
        self.check(tuple(input_shape[1:]))
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, **self.arguments()}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        arguments = dict(config)
        name = arguments.pop("name", None)
        layer = cls(**arguments)
        layer.name = name or layer.name
        return layer
