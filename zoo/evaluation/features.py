"""Latent features as what kNN, probes, clusters and distances read: (samples, features), also where they are maps."""

import math

import numpy as np

_MOST_FEATURES = 1024  # of a spatial latent, above which its maps are averaged


def feature_count(latent_shape):
    """How many features are read of a latent shape, such as (16,) or (24, 24, 32)."""
    if not is_averaged(latent_shape):
        return math.prod(latent_shape)
    return 2 ** (len(latent_shape) - 1) * latent_shape[-1]


def is_averaged(latent_shape):
    """Whether the latent has so many values that its maps are averaged: a spatial one of more than 1,024."""
    return len(latent_shape) > 1 and math.prod(latent_shape) > _MOST_FEATURES


def read(latent):
    """Latent features of any shape (samples, ...) as (samples, features).

    A spatial latent of more than 1,024 values is read as the mean of each map over the halves of each axis, so an image
    gives four features per map: Coates, Ng and Lee, "An Analysis of Single-Layer Networks in Unsupervised Feature
    Learning", AISTATS 2011, section 3.3. All others are flattened.
    """
    if is_averaged(latent.shape[1:]):
        for axis in range(1, latent.ndim - 1):
            halves = np.array_split(latent, 2, axis=axis)
            latent = np.concatenate([half.mean(axis=axis, keepdims=True) for half in halves], axis=axis)
    return flattened(latent)


def flattened(samples):
    """Samples of any shape as (samples, elements)."""
    return np.reshape(samples, (len(samples), -1))
