"""Sparsity: what a sparse autoencoder adds to its latent features z, of shape (batch, units...).

A penalty is added to the loss (`L1`, `L2`, `KL`); a constraint is part of the encoder (`TopK`). Like the
reconstruction loss, penalties are means over elements, so weights compare across latent sizes.

Sources: Michelucci, arXiv 2201.03898, section on regularisation, for L1 and L2; Ng, "Sparse autoencoder" (CS294A notes,
2011), section 3, for KL; Makhzani and Frey, "k-Sparse Autoencoders", arXiv 1312.5663, for TopK.
"""

import math
from typing import Any

import keras
from keras import KerasTensor, ops

from zoo.core.checks import in_range, positive_integer
from zoo.core.errors import ConfigError
from zoo.layers.configurable import Configurable


class Sparsity(Configurable):
    """Base class: a penalty and a constraint that do nothing.

    One of your own implements `penalty`, `constrain` or both, and keeps its constructor's arguments, JSON values, as
    attributes of the same names; `zoo.sparse`, `zoo.save` and `zoo.from_config` then take it as they take the built-in
    ones.

    Raises (when an object is made):
        ConfigError: an argument that is not kept, or no JSON value.

    Example:
        >>> class Variance(zoo.sparsity.Sparsity):
        ...     def __init__(self, weight=0.1):
        ...         self.weight = weight
        ...     def penalty(self, latent: KerasTensor) -> KerasTensor:
        ...         return self.weight * keras.ops.mean(keras.ops.var(latent, axis=0))
        >>> zoo.sparse(zoo.feed_forward((784,), 32), Variance(0.5)).get_config()["sparsity"]
        {'type': 'Variance', 'weight': 0.5}
    """

    def penalty(self, latent: KerasTensor) -> KerasTensor | None:
        """A scalar to add to the loss for latent features of shape (batch, ...), at least float32; or None."""
        return None

    def constrain(self, latent: KerasTensor) -> KerasTensor:
        """The encoder's latent KerasTensor as it shall leave the encoder, same shape; or `ConfigError` if it cannot."""
        return latent

    def loss(self, latent: KerasTensor) -> KerasTensor | None:
        """The penalty in the dtype of losses; it is computed in float32 where features have half the precision."""
        precise = keras.backend.result_type(latent.dtype, "float32")
        penalty = self.penalty(ops.cast(latent, precise))
        if penalty is None:
            return None
        penalty = ops.cast(penalty, keras.config.floatx())
        if len(penalty.shape):
            raise ConfigError(
                f"The penalty of sparsity {type(self).__name__!r} must be one number per batch, such as a mean."
                f" Received shape {tuple(penalty.shape)}."
            )
        return penalty


class L1(Sparsity):
    """Penalty weight · mean(|z|).

    Args:
        weight: factor of the penalty, at least 0.

    Example:
        >>> model = zoo.sparse(zoo.feed_forward((784,), 256), zoo.sparsity.L1(1e-3))
    """

    def __init__(self, weight: float):
        self.weight = in_range("weight", weight, 0, math.inf)

    def penalty(self, latent: KerasTensor) -> KerasTensor:
        return self.weight * ops.mean(ops.abs(latent))


class L2(Sparsity):
    """Penalty weight · mean(z²). It shrinks features; on its own it does not make them zero (erratum 9 of the paper).

    Args:
        weight: factor of the penalty, at least 0.
    """

    def __init__(self, weight: float):
        self.weight = in_range("weight", weight, 0, math.inf)

    def penalty(self, latent: KerasTensor) -> KerasTensor:
        return self.weight * ops.mean(ops.square(latent))


class KL(Sparsity):
    """Penalty weight · mean over units j of KL(target ‖ ρ_j), ρ_j being the mean of unit j over the batch.

    KL(ρ ‖ ρ_j) = ρ log(ρ / ρ_j) + (1 - ρ) log((1 - ρ) / (1 - ρ_j)). Build the backbone with
    ``latent_activation="sigmoid"``: ρ_j is a rate, and outside (0, 1) it is clipped and its gradient vanishes.

    Args:
        target: the wanted mean activation ρ of each unit, in (0, 1).
        weight: factor of the penalty, at least 0.

    Example:
        >>> backbone = zoo.feed_forward((784,), 256, latent_activation="sigmoid")
        >>> model = zoo.sparse(backbone, zoo.sparsity.KL(target=0.05, weight=0.1))
    """

    def __init__(self, target: float, weight: float):
        self.target = in_range("target", target, 0, 1, exclusive=True)
        self.weight = in_range("weight", weight, 0, math.inf)

    def penalty(self, latent: KerasTensor) -> KerasTensor:
        rate = ops.clip(ops.mean(latent, axis=0), keras.config.epsilon(), 1 - keras.config.epsilon())
        on, off = self.target, 1 - self.target
        divergence = on * (math.log(on) - ops.log(rate)) + off * (math.log(off) - ops.log(1 - rate))
        return self.weight * ops.mean(divergence)


class TopK(Sparsity):
    """Constraint: of each sample's latent units the k largest keep their value, all others become 0.

    Of equal values the first are kept, so that never more than k pass. A spatial latent counts as one row of units.

    Args:
        k: number of units to keep, from 1 to the number of units.

    Raises (at `zoo.sparse`):
        ConfigError: k larger than the number of latent units.

    Example:
        >>> model = zoo.sparse(zoo.feed_forward((784,), 1000, latent_activation="linear"), zoo.sparsity.TopK(25))
    """

    def __init__(self, k: int):
        self.k = positive_integer("k", k)

    def constrain(self, latent: KerasTensor) -> KerasTensor:
        units = math.prod(latent.shape[1:])
        if self.k > units:
            raise ConfigError(f"TopK cannot keep more units than there are: k={self.k}, latent units={units}.")
        return KeepLargest(self.k, name="top_k")(latent)


@keras.saving.register_keras_serializable(package="zoo")
class KeepLargest(keras.layers.Layer):
    """The layer behind `TopK`: (batch, units...) to the same shape with at most k values other than 0 per sample."""

    def __init__(self, k: int, **keras_arguments: Any):
        super().__init__(**keras_arguments)
        self.k = k

    def call(self, x: KerasTensor) -> KerasTensor:
        rows = ops.reshape(x, (-1, math.prod(x.shape[1:])))
        _, indices = ops.top_k(rows, self.k)
        # Positions, not a threshold on the value: a threshold would let ties through.
        mask = ops.sum(ops.one_hot(indices, rows.shape[1], dtype=x.dtype), axis=1)
        return ops.reshape(rows * mask, (-1, *x.shape[1:]))

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "k": self.k}


def get(sparsity: Sparsity | dict[str, Any]) -> Sparsity:
    """A `Sparsity` from one or from its dictionary."""
    return Sparsity.from_description(sparsity)
