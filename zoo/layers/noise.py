"""Random numbers that cost next to nothing inside a compiled program.

Drawn by hashing a counter with integer multiplications, shifts and exclusive ors, which XLA runs on vectors; the
counter-based generator of the backend takes longer than the training step it is drawn for (on a CPU, 9 ms instead of
0.1 ms for 200,000 numbers). Good enough for noise (tests/layers/test_noise.py has the statistics), not for secrets.

Source: the hash is "lowbias32", C. Wellons, "Prospecting for Hash Functions" (2018), applied twice.
"""

import functools
from collections.abc import Sequence

import keras
import numpy as np
from keras import KerasTensor, ops
from scipy.special import ndtri

_QUANTILE_BITS = 16


def uniform(shape: Sequence, seed: keras.random.SeedGenerator, low: float = 0.0, high: float = 1.0) -> KerasTensor:
    """Uniform numbers in [low, high), float32.

    Args:
        shape: sequence of sizes; the first may be a tensor.
        seed: keras.random.SeedGenerator, advanced by one draw.
        low, high: bounds.
    """
    fraction = ops.cast(ops.cast(ops.right_shift(_bits(shape, seed), _word(8)), "int32"), "float32") * 2.0**-24
    return fraction if (low, high) == (0.0, 1.0) else low + (high - low) * fraction


def normal(shape: Sequence, seed: keras.random.SeedGenerator) -> KerasTensor:
    """Standard normal numbers, float32: the inverse distribution function, by linear interpolation in a table.

    Sixteen random bits choose one of 65,536 equally likely intervals, sixteen the place in it. The largest error of the
    distribution function is below 1e-5, the largest magnitude 4.58.
    """
    bits = _bits(shape, seed)
    interval = ops.cast(ops.right_shift(bits, _word(32 - _QUANTILE_BITS)), "int32")
    fraction = ops.cast(ops.cast(ops.bitwise_and(bits, _word(2**16 - 1)), "int32"), "float32") * 2.0**-16
    starts, widths = _quantiles()
    return ops.take(ops.convert_to_tensor(starts), interval) + fraction * ops.take(
        ops.convert_to_tensor(widths), interval
    )


def _bits(shape, seed):
    """32 random bits for each element of `shape`, uint32."""
    state = ops.cast(seed.next(), "uint32")
    # Two keys from (seed, number of the draw); windows of counters that overlap by chance part at the second one.
    key = _hash(ops.add(_hash(state[0]), state[1]))
    sizes = [ops.cast(size, "uint32") for size in shape]
    stride, counter = _word(1), key
    for axis in reversed(range(len(sizes))):
        index = ops.cast(ops.arange(shape[axis], dtype="int32"), "uint32")
        # In this order: Keras takes a second term of one axis for the bias of a first one that has as many channels.
        counter = ops.add(ops.reshape(ops.multiply(index, stride), (-1, *[1] * (len(sizes) - 1 - axis))), counter)
        stride = ops.multiply(stride, sizes[axis])
    return _hash(ops.bitwise_xor(_hash(counter), _hash(ops.add(key, _word(0x9E3779B9)))))


def _hash(x):
    x = ops.multiply(ops.bitwise_xor(x, ops.right_shift(x, _word(16))), _word(0x7FEB352D))
    x = ops.multiply(ops.bitwise_xor(x, ops.right_shift(x, _word(15))), _word(0x846CA68B))
    return ops.bitwise_xor(x, ops.right_shift(x, _word(16)))


def _word(value):
    return ops.convert_to_tensor(np.uint32(value))


@functools.cache
def _quantiles():
    """Starts and widths of the intervals between the quantiles; the outermost end where their variance is right."""
    probabilities = np.arange(2**_QUANTILE_BITS + 1) / 2**_QUANTILE_BITS
    edges = ndtri(probabilities)
    inner = edges[1:-1]
    missing = 2**_QUANTILE_BITS - np.sum(np.diff(inner) ** 2 / 12 + ((inner[1:] + inner[:-1]) / 2) ** 2)
    # (a² + a b + b²) / 3 is the mean square of a uniform number between a and b; two such intervals hold the rest.
    a = inner[-1]
    edges[-1] = (-a + np.sqrt(a * a - 4 * (a * a - 3 * missing / 2))) / 2
    edges[0] = -edges[-1]
    return edges[:-1].astype("float32"), np.diff(edges).astype("float32")
