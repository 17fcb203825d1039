"""Every private name of Keras and TensorFlow that the package uses, one function each, with the reason why.

Exported files are read through this module as well, so Keras is imported by the functions that need it.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras
    import numpy as np


def all_layers(model: keras.Model) -> list[keras.layers.Layer]:
    """The layers of a model at any depth, also those that a subclassed model holds as attributes.

    `model.layers` is one level of them.
    """
    return list(model._flatten_layers(include_self=False))


def graph_nodes(model: keras.Model) -> list:
    """The calls of layers that a functional model consists of; a layer itself knows those of other graphs too."""
    return [node for nodes in getattr(model, "_functional", model)._nodes_by_depth.values() for node in nodes]


def run_graph(model: keras.Model, x: keras.KerasTensor, operation: Callable) -> Any:
    """The output of a functional model for `x`, with ``operation(layer)`` called in the place of each layer.

    `keras.models.clone_model` does this too, but keeps models in the model, and takes no part of them.
    """
    return getattr(model, "_functional", model)._run_through_graph(x, operation)


def set_values(variables: Iterable[keras.Variable], values: Iterable[np.ndarray]) -> None:
    """Give variables their values, whether they have some already or not, see `deferred_values`."""
    for variable, value in zip(variables, values, strict=True):
        if variable._value is None:
            _initialize(variable, lambda shape, dtype, value=value: value)
        else:
            variable.assign(value)


@contextlib.contextmanager
def deferred_values() -> Iterator[list[keras.Variable]]:
    """Models that are built inside have variables with shapes but without values; gives the list of these variables.

    `initialize` or `load_weights` gives them values; until then nothing is allocated. Keras defers values in any
    `keras.StatelessScope`, and draws all of them at its end, which cannot be stopped by a limit or by better values.
    """
    import keras
    from keras.src.backend.common import global_state

    waiting = "uninitialized_variables"  # Keras' list of them, which may hold some of an outer scope
    outer = global_state.get_global_attribute(waiting)
    variables: list[keras.Variable] = []
    global_state.set_global_attribute(waiting, variables)
    try:
        with keras.StatelessScope(initialize_variables=False):
            yield variables
    finally:
        global_state.set_global_attribute(waiting, outer)


def values_are_deferred() -> bool:
    """Whether variables made now have no values: inside `deferred_values`, or any other `keras.StatelessScope`."""
    from keras.src import backend

    return backend.in_stateless_scope()


def initialize(variables: Iterable[keras.Variable]) -> None:
    """Draw the initial values of the variables that have none yet."""
    for variable in variables:
        if variable._value is None:
            _initialize(variable, variable._initializer)


def size_bytes(tensor: keras.Variable | keras.KerasTensor) -> int:
    """Bytes of a variable, which needs no value yet, or of a tensor for one sample; unknown sizes count as 1."""
    import math

    import keras
    import numpy as np

    shape = tensor.shape[1:] if isinstance(tensor, keras.KerasTensor) else tensor.shape
    return math.prod(size or 1 for size in shape) * (1 if tensor.dtype == "string" else np.dtype(tensor.dtype).itemsize)


def orthogonal_shapes(variables: Iterable[keras.Variable]) -> Iterator[tuple[int, ...]]:
    """Shapes of the variables without a value whose initial ones are orthogonal: each takes a QR decomposition."""
    import keras

    for variable in variables:
        if isinstance(variable._initializer, keras.initializers.Orthogonal):
            yield tuple(variable.shape)


def _initialize(variable, initializer):
    import keras

    with contextlib.ExitStack() as scopes:
        for name in variable.path.split("/")[:-1]:  # TensorFlow's variable has the same name as if never deferred
            scopes.enter_context(keras.name_scope(name))
        variable._initializer = initializer
        variable._deferred_initialize()


def load_weights(model: keras.Model, arrays: dict[str, dict[str, np.ndarray]]) -> None:
    """Give the arrays of a weight file to a model, along the walk by which `save_weights` wrote them.

    Args:
        model: its variables may have values or not, see `deferred_values`. They change only if all arrays fit.
        arrays: path of each group in the file ("encoder/layers/dense/vars") to its arrays by name.

    Raises:
        ValueError: a layer without its arrays, arrays without their layer, or a wrong shape.
    """
    import keras
    from keras.src.saving import saving_lib

    unread = {(path, name) for path, group in arrays.items() for name in group}
    values: dict[int, tuple] = {}

    class Group(dict):
        def __init__(self, path):
            super().__init__(arrays.get(path, {}))
            self.path = path

        def __getitem__(self, name):
            unread.discard((self.path, name))
            return super().__getitem__(name)

    class Store(saving_lib.H5IOStore):
        def __init__(self):
            """There is no file to open."""

        def __bool__(self):
            return True

        def get(self, path):
            return Group(f"{path}/vars" if path else "vars")

        def has_path(self, path):
            return True  # of a group that is not there, Keras would only warn

    class Scope(keras.StatelessScope):
        def add_update(self, update):
            values[id(update[0])] = update
            super().add_update(update)

    class Failures(dict):
        def __setitem__(self, layer, error):  # Keras visits a layer that failed again elsewhere, and finds nothing
            self.setdefault(layer, error)

    failures = Failures()
    with Scope(initialize_variables=False):
        saving_lib._load_state(
            model, Store(), None, "", visited_saveables=set(), failed_saveables=set(), error_msgs=failures
        )
    for layer, error in failures.values():
        raise ValueError(f"{type(layer).__name__} {getattr(layer, 'name', '')!r}: {error}") from error
    if unread:
        path, name = min(unread)
        raise ValueError(f"no layer takes the array {name!r} of {path!r}, nor {len(unread) - 1} others")
    set_values(*zip(*values.values(), strict=True)) if values else None


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
