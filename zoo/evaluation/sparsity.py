"""How sparse latent features are."""

import numpy as np

from zoo.evaluation.features import flattened

_ACTIVE = 0.01  # share of the largest activation of all units from which a unit counts as active


def activation_frequencies(latent):
    """Share of the samples in which each unit is active, float array (features,).

    A unit is active where its feature is larger in magnitude than 1 % of the largest feature of the dataset: sigmoid
    units, as the KL penalty needs them, are never exactly 0.

    Args:
        latent: float array (samples, features).
    """
    magnitudes = np.abs(latent)
    return (magnitudes > _ACTIVE * magnitudes.max()).mean(axis=0)


def usage(latent):
    """L0 (mean number of active units per sample), share of dead units, and the spread of activation frequencies.

    Args:
        latent: float array (samples, *latent shape); every value counts as a unit.
    """
    frequencies = activation_frequencies(flattened(latent))
    return {
        "active_units": float(frequencies.sum()),
        "dead_fraction": float(np.mean(frequencies == 0)),
        "activation_frequency_median": float(np.median(frequencies)),
        "activation_frequency_max": float(frequencies.max()),
    }
