"""Limits of configs that somebody else may have made: known before time is spent or memory allocated."""

import math
from collections.abc import Iterable
from typing import Any

import keras
import numpy as np

from zoo.autoencoder import Autoencoder
from zoo.core.errors import ConfigError
from zoo.engine import keras_internals
from zoo.layers.sparsity import KeepLargest

# Of a config: each far above what any model needs that one would save.
_DEPTH, _VALUES, _ITEMS, _TEXT, _NUMBER = 100, 1_000_000, 500, 1_000, 2**63
_LONG = ("'mean'", "'variance'")  # of a Normalization layer: a number for each value of a sample
# QR decompositions by which orthogonal kernels are drawn: rows x columns^2 of all of them; ten seconds on one core.
_ORTHOGONAL = 3e10


def check(config: Any) -> None:
    """Raise `ConfigError` for a config of absurd size: nested too deeply, endless lists or texts, huge numbers."""
    pending, values = [(config, "the config", 0)], 0
    while pending:
        value, where, depth = pending.pop()
        values += 1
        if depth > _DEPTH or values > _VALUES:
            raise ConfigError(
                f"A config has at most {_VALUES:,} values, nested at most {_DEPTH} deep. This one has more, in {where}."
            )
        if isinstance(value, str):
            problem = len(value) > _TEXT and f"a text of {len(value):,} characters: at most {_TEXT:,} are allowed"
        elif isinstance(value, (int, float)):
            problem = not -_NUMBER < value < _NUMBER and "a number that is infinite, NaN or above 2^63"
        elif isinstance(value, (dict, list, tuple)):
            inner = list(value.items()) if isinstance(value, dict) else [(where, item) for item in value]
            problem = (
                len(inner) > _ITEMS and where not in _LONG and f"{len(inner):,} entries: at most {_ITEMS} are allowed"
            )
            for key, item in inner:
                if not isinstance(key, str) or len(key) > _TEXT:
                    problem = "a key that is no text, or a very long one"
                pending.append((item, f"{key!r}" if isinstance(value, dict) else where, depth + 1))
        else:
            problem = False
        if problem:
            raise ConfigError(f"A config cannot be built: {where[:80]} has {problem}.")


def check_memory(model: Autoencoder, limit: float | None) -> None:
    """Raise `ConfigError` for a model whose weights and activations of one sample take more than `limit` bytes.

    The weights need no values yet.
    """
    if limit is None:
        return
    weights = sum(_size(variable.shape, variable.dtype) for variable in model.variables)
    activations = sum(_activations(model.encoder)) + sum(_activations(model.decoder))
    if weights + activations > limit:
        raise ConfigError(
            f"The config describes a model of {weights:,} bytes of weights and {activations:,} bytes of activations per"
            f" sample, which is more than memory_limit={limit:,.0f}. If you trust where it comes from, pass a larger"
            " memory_limit."
        )


def check_initial_values(variables: Iterable[keras.Variable]) -> None:
    """Raise `ConfigError` if the initial values of variables would take minutes to draw."""
    work = 0
    for shape in keras_internals.orthogonal_shapes(variables):
        few, many = sorted((math.prod(shape[:-1]), shape[-1]))
        work += many * few**2
    if work > _ORTHOGONAL:
        raise ConfigError(
            "The config asks for orthogonal kernels so large that their initial values would take minutes to draw."
            " Choose another initializer, or fewer units."
        )


def _size(shape, dtype):
    return math.prod(size or 1 for size in shape) * np.dtype(dtype).itemsize


def _activations(model):
    """Bytes that each call of a layer takes for one sample, in all graphs inside a model."""
    if not getattr(model, "inputs", None):  # a subclassed model has no graph
        return
    for node in keras_internals.graph_nodes(model):
        layer = node.operation
        if isinstance(layer, keras.Model):
            yield from _activations(layer)
        for tensor in node.output_tensors:
            yield _size(tensor.shape[1:], tensor.dtype)
            if isinstance(layer, KeepLargest):
                yield layer.k * _size(tensor.shape[1:], tensor.dtype)
            elif isinstance(layer, keras.layers.MultiHeadAttention):
                queries, keys = (math.prod(size or 1 for size in x.shape[1:-1]) for x in node.input_tensors[:2])
                yield layer.num_heads * _size((queries, keys), tensor.dtype)
