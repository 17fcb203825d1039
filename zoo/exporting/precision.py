"""The precision in which a model computes: a copy of it in another one, and what float32 can deliver."""

import contextlib
from collections.abc import Callable

import keras
import numpy as np

from zoo.autoencoder import Autoencoder
from zoo.core.errors import ExportError
from zoo.layers.parts import leaves

TOLERANCE = 1e-5  # of float32 sums in another order, on values of about 1
# Where a model is ill-conditioned, a file may be that many times as far from Keras as Keras is from the same network in
# float64. Two correct orders of the same sums are up to twice as far from each other; the rest is for the few samples
# and outputs that are looked at. The mean over all outputs is held to the same factor: a mistake shifts many of them.
FACTOR = 4
_FLOATS = ("float16", "bfloat16", "float64")
_COPIED = {"mixed_float16", "mixed_bfloat16", *_FLOATS}


def in_float32(model: keras.Model) -> tuple[keras.Model, str | None]:
    """A model that computes in float32, and the name of the dtype policy that it had: itself and None, or a copy.

    Raises:
        ExportError: a policy, or a layer, that cannot be copied into float32.
    """
    parts = (model.encoder, model.decoder) if isinstance(model, Autoencoder) else (model,)
    layers = [layer for part in parts for layer in leaves(part) if not isinstance(layer, keras.layers.InputLayer)]
    inputs = {part.inputs[0].dtype for part in parts}.intersection(_FLOATS)
    policy = min({layer.dtype_policy.name for layer in layers} - {"float32"} or inputs, default=None)
    if policy is None:
        return model, None
    if policy not in _COPIED:
        raise ExportError(
            f"zoo.export takes models in floats, and quantises them itself. Received a dtype policy {policy!r}."
        )
    try:
        return copied(model, "float32"), policy
    except (TypeError, ValueError) as error:
        raise ExportError(
            f"This model has the dtype policy {policy!r}. zoo.export copies such a model into float32, which failed:"
            f" {str(error).strip().splitlines()[0]} Build it under keras.config.set_dtype_policy('float32') instead."
        ) from error


def copied(model: keras.Model, dtype: str) -> keras.Model:
    """A copy of a model with a config, with the same weights, that computes in `dtype`; it takes float32 samples."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(dtype)
    try:
        copy = type(model).from_config(_with_dtype(model.get_config(), dtype))
    finally:
        keras.config.set_dtype_policy(before)
    copy.set_weights(model.get_weights())
    return copy


def _with_dtype(config, dtype):
    """A config in which every dtype policy is `dtype`, and inputs of other floats are float32."""
    if isinstance(config, (list, tuple)):
        return [_with_dtype(value, dtype) for value in config]
    if not isinstance(config, dict):
        return config
    if str(config.get("class_name")).endswith("DTypePolicy"):
        return {**config, "class_name": "DTypePolicy", "module": "keras", "config": {"name": dtype}}
    return {
        key: "float32" if key == "dtype" and value in _FLOATS else _with_dtype(value, dtype)
        for key, value in config.items()
    }


def tolerance(reference: np.ndarray, difference: np.ndarray, exact: Callable[[], np.ndarray]) -> tuple[float, str]:
    """How far from `reference` another float32 computation of the same outputs may be.

    Args:
        reference: outputs of the model in float32.
        difference: absolute differences of the other computation from them.
        exact: computes the same outputs in float64; called only if the differences are not small anyhow.

    Returns:
        (largest allowed difference, where it comes from): 1e-5 · max(1, largest |output|); or `FACTOR` times the
        largest distance of the reference from float64, if that is more and the mean differences fit too. A model that
        cannot be computed in float64, because a layer has no config or knows float32 only, has the first.
    """
    allowed = TOLERANCE * max(1.0, float(np.abs(reference).max()))
    if difference.max() > allowed:
        with contextlib.suppress(TypeError, ValueError, NotImplementedError):
            own = np.abs(exact().astype("float64") - reference)
            if FACTOR * own.max() > allowed and difference.mean() <= FACTOR * own.mean():
                return FACTOR * float(own.max()), f"{FACTOR} times Keras' own distance from float64"
    return allowed, "1e-5 of the largest output"
