"""How well samples are reconstructed. Both measures are means over every element of every sample."""

import numpy as np

# Keras' own clipping, so that values agree with its BinaryCrossentropy.
_EPSILON = 1e-7


def mean_squared_error(x, reconstruction):
    """⟨(x - x̃)²⟩ as float; `x`, `reconstruction`: arrays of the same shape."""
    return float(np.mean(np.square(x.astype("float64") - reconstruction)))


def binary_cross_entropy(x, reconstruction):
    """-⟨x log x̃ + (1 - x) log(1 - x̃)⟩ in nats as float; `x`, `reconstruction`: arrays in [0, 1] of the same shape."""
    p = np.clip(reconstruction.astype("float64"), _EPSILON, 1 - _EPSILON)
    return float(-np.mean(x * np.log(p) + (1 - x) * np.log1p(-p)))
