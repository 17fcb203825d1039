"""Distances that a detector scores samples by."""

import math
from collections.abc import Sequence

import keras
import numpy as np
from keras import KerasTensor, ops

from zoo.core.errors import ConfigError, DataError

_MOST_ELEMENTS = 4096


@keras.saving.register_keras_serializable(package="zoo")
class Distance(keras.layers.Layer):
    """Squared Mahalanobis distance from the mean of normal samples, divided by the number of elements d.

    D²(v) = (v - μ)ᵀ Σ⁻¹ (v - μ) / d = ⟨((v - μ) W)²⟩, with W Wᵀ = Σ⁻¹; about 1 for normal samples. The covariance Σ is
    estimated with Ledoit and Wolf's shrinkage, so that fewer samples than elements will do.

    Args:
        of: "error" or "latent", what it is the distance of.
        size: number of elements d.

    Source: Mahalanobis, "On the generalised distance in statistics", 1936; Ledoit and Wolf, "A well-conditioned
    estimator for large-dimensional covariance matrices", Journal of Multivariate Analysis 88 (2004).
    """

    def __init__(self, of: str, size: int, name: str = "distance"):
        super().__init__(name=name, dtype="float32", trainable=False)
        self.of, self.size = of, size
        self.center = self.add_weight(shape=(size,), initializer="zeros", name="center", trainable=False)
        # Zero until it is fitted.
        self.whitening = self.add_weight(shape=(size, size), initializer="zeros", name="whitening", trainable=False)
        self.built = True

    @classmethod
    def of_elements(cls, of: str, shape: Sequence[int]) -> "Distance":
        """The distance of errors, or of latent features, of this shape; `ConfigError` if it has too many elements."""
        size = math.prod(shape)
        if size > _MOST_ELEMENTS:
            raise ConfigError(
                f"A Mahalanobis distance of {of} keeps a matrix of its elements: at most {_MOST_ELEMENTS:,} of them."
                f" Received {size:,}, of shape {tuple(shape)}: use score='mean_squared_error'."
            )
        return cls(of, size)

    def call(self, values: KerasTensor) -> KerasTensor:
        """Distances (batch,) of (batch, size)."""
        return ops.mean(ops.square(ops.matmul(values - self.center, self.whitening)), axis=-1)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return input_shape[:1]

    def get_config(self) -> dict:
        return {"of": self.of, "size": self.size, "name": self.name}

    def fit(self, values: np.ndarray, rounding: float = 0.0) -> None:
        """Set mean and whitening from values (samples, size) of normal samples; `rounding` is that of the values.

        Errors of reconstruction are small differences of samples, which are rounded by the size of the samples.
        """
        from sklearn.covariance import LedoitWolf

        if len(values) < 2:
            raise DataError(f"A distance is fitted on at least two normal samples. Received {len(values)}.")
        if np.ptp(values, axis=0).max() <= max(1e-6 * np.abs(values).max(), rounding):
            raise DataError(f"A distance cannot be fitted: the {len(values)} normal samples are all the same.")
        estimate = LedoitWolf().fit(values.astype("float64"))
        # Σ⁻¹ = W Wᵀ by the eigenvectors of Σ, which shrinkage keeps away from zero.
        variances, directions = np.linalg.eigh(estimate.covariance_)
        whitening = directions / np.sqrt(np.maximum(variances, variances[-1] * 1e-7))
        self.center.assign(estimate.location_.astype("float32"))
        self.whitening.assign(whitening.astype("float32"))

    def check_fitted(self) -> None:
        """Raise `ConfigError` if `fit` was not called and no weights were loaded."""
        if not ops.convert_to_numpy(self.whitening).any():
            raise ConfigError("The distance of this detector is not fitted: call model.fit_score(normal_samples).")
