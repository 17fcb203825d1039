"""Which of Keras' number formats models are built in."""

import keras

from zoo.core.errors import ConfigError

_VARIABLES = ("float32", "float64")


def check() -> None:
    """Raise `ConfigError` if Keras is set to keep variables or losses in half precision.

    Optimizers and losses of 16 bits underflow (Adam's epsilon of 1e-7 is 0 in float16). Mixed precision, which computes
    in 16 bits and keeps variables in float32, is what half precision is for.
    """
    policy = keras.config.dtype_policy()
    for setting, dtype in (("floatx", keras.config.floatx()), ("the dtype policy", policy.variable_dtype)):
        if dtype not in _VARIABLES:
            raise ConfigError(
                f"Models of the zoo keep their variables in float32 or float64; for {dtype} computations use"
                f" keras.config.set_dtype_policy('mixed_{dtype}') with keras.config.set_floatx('float32')."
                f" Received: {setting} = {dtype!r}."
            )
