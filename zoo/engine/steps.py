"""How many steps one call of a compiled program takes."""

import math

import keras

from zoo.engine import keras_internals

# A chunk should take about a quarter of a second on two CPU cores: long enough that calling it costs nothing, short
# enough for a progress bar and Ctrl-C. Counted in multiply-adds of the forward pass; see `forward_cost`.
_WORK_PER_CHUNK = 6e9
_WORK_PER_ACTIVATION = 20  # an element that is written and read again costs like so many multiply-adds


def observes_batches(callback):
    """Whether a callback does something at every batch; Keras' own do so only where their frequency says so."""
    batches = [f"on_{kind}batch_{when}" for kind in ("train_", "test_", "") for when in ("begin", "end")]
    for hook in batches:
        method = getattr(callback, hook)
        if hook in vars(callback):
            return True  # as `LambdaCallback` sets it
        if getattr(keras.callbacks.Callback, hook) is not method.__func__ and not _is_keras(method):
            return True
    frequency = getattr(callback, "save_freq", getattr(callback, "update_freq", "epoch"))
    return frequency != "epoch"


def _is_keras(method):
    return method.__module__.startswith(("keras.", "zoo."))  # `Checkpoint` of zoo saves at the end of any chunk


def steps_per_call(model, callbacks, batch_size, most):
    """As the user asked for, or one if a callback looks at every batch, or `chunk_length`; `most` at most."""
    asked = model.engine.steps_per_execution
    if asked is not None:
        return min(asked, most)
    return 1 if any(map(observes_batches, callbacks)) else chunk_length(model, batch_size, most)


def chunk_length(model, batch_size, steps):
    """Steps per chunk: about a quarter of a second's work, in chunks as equal as whole steps allow."""
    chunks = min(steps, math.ceil(steps * batch_size * forward_cost(model) / _WORK_PER_CHUNK))
    return math.ceil(steps / chunks)


def forward_cost(model):
    """Rough cost of the forward pass of one sample, in multiply-adds."""
    total = 0
    for layer in keras_internals.all_layers(model):
        if isinstance(layer, keras.Model) or not getattr(layer, "built", False):
            continue
        try:
            sizes = [_positions(layer.input.shape), _positions(layer.output.shape)]
            total += _WORK_PER_ACTIVATION * sizes[1] * layer.output.shape[-1]
        except (AttributeError, ValueError, TypeError):
            continue  # a layer outside of the functional models
        if getattr(layer, "kernel", None) is not None:
            total += min(sizes) * layer.kernel.shape.num_elements()
    return max(total, 1)


def _positions(shape):
    """Positions of a (batch, ..., channels) tensor."""
    positions = 1
    for size in shape[1:-1]:
        positions *= size or 1
    return positions


def whole_divisor(length, *step_counts):
    """The largest number of steps up to `length` that divides all given `step_counts`; Keras would overrun others."""
    return next(n for n in range(length, 0, -1) if not any(count % n for count in step_counts if count))
