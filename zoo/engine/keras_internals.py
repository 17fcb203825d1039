"""Every private name of Keras and TensorFlow that the package uses, one function each, with the reason why.

Exported files are read through this module as well, so Keras is imported by the functions that need it.
"""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras


def all_layers(model: keras.Model) -> list[keras.layers.Layer]:
    """The layers of a model at any depth, also those that a subclassed model holds as attributes.

    `model.layers` is one level of them.
    """
    return list(model._flatten_layers(include_self=False))


def graph_nodes(model: keras.Model) -> list:
    """The calls of layers that a functional model consists of; a layer itself knows those of other graphs too."""
    return [node for nodes in getattr(model, "_functional", model)._nodes_by_depth.values() for node in nodes]


def is_distributed(model: keras.Model) -> bool:
    """Whether TensorFlow distributes a model: it was made inside a strategy, or runs on several replicas.

    The public `distribute_strategy` is TensorFlow's default strategy for a model that was made inside of none.
    """
    return model._distribute_strategy is not None or model.distribute_strategy.num_replicas_in_sync > 1


def has_accelerator() -> bool:
    """Whether the backend computes on more than a CPU. (No private name: the question has one answer per backend.)"""
    import keras

    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return bool(tf.config.list_logical_devices("GPU"))
    return bool(keras.distribution.list_devices("gpu")) if keras.backend.backend() == "jax" else False


def tensorflow_has_started() -> bool:
    """Whether TensorFlow's runtime, with its threads, exists in this process. TensorFlow is not imported for it."""
    module = sys.modules.get("tensorflow.python.eager.context")
    return module is not None and module.context()._context_handle is not None


def compile_arguments(model: keras.Model) -> dict[str, Any]:
    """The very objects that `compile` was given: losses, metrics, settings; without the optimizer.

    `get_compile_config` gives them serialised, and a loss or metric of the user's own does not come back from that.
    """
    arguments = dict(model._compile_config.config)
    del arguments["optimizer"]
    return arguments


def learning_rate(optimizer: keras.optimizers.Optimizer):
    """The schedule or function that an optimizer takes its learning rate from, or None where it has a constant one.

    The public attribute is the rate of this moment.
    """
    import keras

    rate = optimizer._learning_rate
    return None if isinstance(rate, keras.Variable) else rate


def optimizer_of_variable(optimizer: keras.optimizers.MultiOptimizer):
    """The `OptimizerMap`, or the function, by which a `MultiOptimizer` chooses; it has no public attribute."""
    return optimizer._optimizer_map


@contextlib.contextmanager
def constant_learning_rate(optimizer: keras.optimizers.Optimizer):
    """Around `get_config` of an optimizer whose schedule or function may not be serialisable."""
    rate = learning_rate(optimizer)
    if rate is not None:
        optimizer._learning_rate = 0.0
    try:
        yield
    finally:
        if rate is not None:
            optimizer._learning_rate = rate


def copy_weight_decay(optimizer: keras.optimizers.Optimizer, copy: keras.optimizers.Optimizer):
    """What `exclude_from_weight_decay` was called with is in no config."""
    for name in ("_exclude_from_weight_decay", "_exclude_from_weight_decay_pattern"):
        if hasattr(optimizer, name):
            setattr(copy, name, getattr(optimizer, name))


def forget_resumed_epoch(model: keras.Model, begin: int) -> None:
    """Let `fit` begin at `begin` at the earliest: Keras keeps for ever where `BackupAndRestore` resumed a training."""
    if model._initial_epoch is not None and model._initial_epoch <= begin:
        model._initial_epoch = None


def tflite_schema():
    """The classes that a .tflite file consists of. TensorFlow has no public way to edit a file that it converted."""
    from tensorflow.lite.python import schema_py_generated

    return schema_py_generated


def tflite_objects(content: bytes):
    """A .tflite file as objects of these classes."""
    from tensorflow.lite.tools import flatbuffer_utils

    return flatbuffer_utils.convert_bytearray_to_object(content)


def tflite_calibrated(converter) -> bytes:
    """A converted file with the ranges of its activations, not yet quantised: `convert` alone does both at once."""
    converter._experimental_calibrate_only = True
    return converter.convert()


def tflite_quantized(content: bytes, **options) -> bytes:
    """A calibrated file, quantised. Only this function leaves operators out, and single scales for dense layers."""
    from tensorflow.lite.python import convert

    return convert.mlir_quantize(content, **options)


def tflite_deduplicated(content: bytes) -> bytes:
    """A file in which equal buffers are stored once, as `convert` does at its end."""
    from tensorflow.lite.python import convert

    return convert.deduplicate_readonly_buffers(content)
