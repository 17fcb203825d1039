"""XLA compilation, asked for and verified."""

import contextlib
import warnings

from keras import layers

from zoo.engine import keras_internals

_CONVOLUTIONS = (layers.Conv1D, layers.Conv2D, layers.Conv1DTranspose, layers.Conv2DTranspose)


@contextlib.contextmanager
def verified(model, jit_compile):
    """Around ``model.compile(..., jit_compile=jit_compile)``: say which layer is in the way if Keras refuses XLA.

    Keras resolves "auto" to False on machines without a GPU, and for layers that XLA cannot compile falls back with a
    warning that names none; hence the explicit request and the check of its result.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Model doesn't support `jit_compile=True`")
        yield
    if jit_compile is True and not model.jit_compile:
        layers = [f"{x.name!r} ({type(x).__name__})" for x in keras_internals.all_layers(model) if not x.supports_jit]
        reason = f"by layer {', '.join(layers)}" if layers else "on this machine, or with op determinism enabled"
        warnings.warn(
            f"Model {model.name!r} trains without XLA: jit_compile=True is not supported {reason}."
            " Replace the layer, or pass jit_compile=False to silence this warning.",
            stacklevel=5,
        )


def choose(model, jit_compile):
    """`jit_compile` with "auto" resolved: True, but False on a CPU for a model with convolutions."""
    if jit_compile != "auto":
        return jit_compile
    if keras_internals.has_accelerator():
        return True
    return not any(isinstance(layer, _CONVOLUTIONS) for layer in keras_internals.all_layers(model))
