"""Activations in configs are Keras names: they are JSON, and the same under every backend."""

import keras

from zoo.core.errors import ConfigError, unknown_name


def activation_name(value: str | None) -> str:
    """Return `value` if it names a Keras activation; None means "linear"."""
    if value is None:
        return "linear"
    if not isinstance(value, str):
        raise ConfigError(f"An activation must be a Keras name such as 'relu'. Received: {value!r}.")
    try:
        keras.activations.get(value)
    except ValueError:
        names = [n for n in dir(keras.activations) if n[0] != "_" and n not in ("get", "serialize", "deserialize")]
        raise unknown_name("activation", value, names) from None
    return value
