"""Limits of configs that somebody else may have made: known before time is spent or memory allocated."""

import math
from collections.abc import Iterable
from typing import Any

import keras

from zoo.autoencoder import Autoencoder
from zoo.core.errors import ConfigError
from zoo.engine import keras_internals
from zoo.layers.sparsity import KeepLargest

# Of a config: each far above what any model needs that one would save.
_DEPTH, _VALUES, _ITEMS, _TEXT, _NUMBER = 100, 1_000_000, 500, 1_000, 2**63
_LONG = ("mean", "variance", "deviation")  # of Normalization and Standardize: a number for each value of a sample
# QR decompositions by which orthogonal kernels are drawn: rows x columns^2 of all of them; ten seconds on one core.
_ORTHOGONAL = 3e10


def check(config: Any) -> None:
    """Raise `ConfigError` for a config of absurd size: nested too deeply, endless lists or texts, huge numbers."""
    pending, values = [(config, "it", 0)], 0
    while pending:
        value, where, depth = pending.pop()
        size = len(value) if isinstance(value, (str, dict, list, tuple)) else 1
        numbers = not isinstance(value, (str, dict)) and all(map(_is_number, value if size > 1 else [value]))
        values += size if numbers else 1
        problem = ""
        if depth > _DEPTH or values + len(pending) > _VALUES:
            problem = f"more than {_VALUES:,} values, or is nested more than {_DEPTH} deep"
        elif size > _ITEMS and not isinstance(value, str) and where not in _LONG:
            problem = f"{size:,} entries: at most {_ITEMS} are allowed"
        elif numbers:
            if not all(map(_is_bounded, value if size > 1 else [value])):
                problem = "a number that is infinite, NaN or a whole one above 2^63"
        elif isinstance(value, str):
            problem = f"a text of {size:,} characters: at most {_TEXT:,} are allowed" if size > _TEXT else ""
        elif isinstance(value, (dict, list, tuple)):
            items = value.items() if isinstance(value, dict) else [(where, item) for item in value]
            if not all(isinstance(key, str) and len(key) <= _TEXT for key, _ in items):
                problem = "a key that is no text, or a very long one"
            else:
                pending += [(item, key, depth + 1) for key, item in items]
        if problem:
            raise ConfigError(f"The config of a model is refused: {where[:80]!r} has {problem}.")


def _is_number(value):
    return isinstance(value, (int, float))


def _is_bounded(number):
    return math.isfinite(number) if isinstance(number, float) else abs(number) < _NUMBER


def check_memory(model: Autoencoder, limit: float | None) -> None:
    """Raise `ConfigError` for a model whose weights and activations of one sample take more than `limit` bytes.

    The weights need no values yet.
    """
    if limit is None:
        return
    weights = sum(map(keras_internals.size_bytes, model.variables))
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
            " Choose another initializer or fewer units, or pass memory_limit=None."
        )


def _activations(model):
    """Bytes that each call of a layer takes for one sample, in all graphs inside a model."""
    if not getattr(model, "inputs", None):  # a subclassed model has no graph
        return
    for node in keras_internals.graph_nodes(model):
        layer = node.operation
        if isinstance(layer, keras.Model):
            yield from _activations(layer)
        for tensor in node.output_tensors:
            size = keras_internals.size_bytes(tensor)
            if isinstance(layer, KeepLargest):
                size *= 1 + layer.k
            yield size
        if isinstance(layer, keras.layers.MultiHeadAttention):
            queries, keys = (math.prod(size or 1 for size in x.shape[1:-1]) for x in node.input_tensors[:2])
            yield 4 * layer.num_heads * queries * keys
