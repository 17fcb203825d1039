"""Distances of local features to those of normal pictures, and the score of a picture that follows from them."""

from collections.abc import Sequence

import keras
import numpy as np
from keras import KerasTensor, ops

from zoo.core.errors import ConfigError

# Weight of the mean variance in the covariance of a place: few pictures, as many directions.
_SHRINKAGE = 0.1


class PatchDistance(keras.layers.Layer):
    """Base of the squared distances of local features, divided by their number d: (batch, h, w, d) to (batch, h, w).

    Weights are zero until `assign`.
    """

    of = "patches"

    def __init__(self, shape: Sequence[int], name: str = "distance", **arguments: int):
        # In float32 under every policy but that by which an export is judged.
        super().__init__(name=name, dtype=_precision())
        self.shape, self.arguments = tuple(shape), arguments
        self.trainable = False

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return tuple(input_shape[:-1])

    def get_config(self) -> dict:
        return {"shape": list(self.shape), "name": self.name, **self.arguments}

    def check_fitted(self) -> None:
        """Raise `ConfigError` if neither `assign` was called nor weights were loaded."""
        if not ops.convert_to_numpy(self.weights[-1]).any():
            raise ConfigError("This patch detector has seen no normal pictures: build it with zoo.patch_detector.")


@keras.saving.register_keras_serializable(package="zoo")
class NearestPatch(PatchDistance):
    """min over m of ⟨(a - b_m)²⟩: the distance to the nearest of the remembered features b.

    Args:
        shape: (h, w, d) of the features.
        size: number of remembered features.

    Source: Roth et al., "Towards Total Recall in Industrial Anomaly Detection", CVPR 2022.
    """

    def __init__(self, shape: Sequence[int], size: int, name: str = "distance"):
        super().__init__(shape, name, size=size)
        self.memory = self.add_weight(shape=(size, self.shape[-1]), initializer="zeros", name="memory")
        self.built = True

    def call(self, features: KerasTensor) -> KerasTensor:
        # |a|² - 2ab + |b|², one matrix product instead of all differences; by a maximum, which TFLite Micro has.
        features = ops.cast(features, self.compute_dtype)
        height, width, size = self.shape
        a = ops.reshape(features, (-1, size))
        likeness = 2 * ops.matmul(a, ops.transpose(self.memory)) - ops.sum(ops.square(self.memory), axis=1)
        distances = ops.maximum(ops.sum(ops.square(a), axis=1) - ops.max(likeness, axis=1), 0) / size
        return ops.reshape(distances, (-1, height, width))

    def assign(self, features: np.ndarray) -> None:
        """Remember features (size, d)."""
        self.memory.assign(features)


@keras.saving.register_keras_serializable(package="zoo")
class PatchGaussian(PatchDistance):
    """(a - μ)ᵀ Σ⁻¹ (a - μ) / d, with mean and covariance of the normal features at each place; about 1 for normal ones.

    For parts that always lie in the same way.

    Args:
        shape: (h, w, d) of the features.

    Source: Defard et al., "PaDiM: a Patch Distribution Modeling Framework", ICPR 2020 workshops, arXiv 2011.08785.
    """

    def __init__(self, shape: Sequence[int], name: str = "distance"):
        super().__init__(shape, name)
        height, width, size = self.shape
        places = height * width
        self.center = self.add_weight(shape=(places, 1, size), initializer="zeros", name="center")
        self.whitening = self.add_weight(shape=(places, size, size), initializer="zeros", name="whitening")
        self.built = True

    def call(self, features: KerasTensor) -> KerasTensor:
        height, width, size = self.shape
        a = ops.reshape(ops.cast(features, self.compute_dtype), (-1, height * width, 1, size))
        white = ops.reshape(ops.matmul(a - self.center, self.whitening), (-1, height, width, size))
        return ops.mean(ops.square(white), axis=-1)

    def assign(self, mean: np.ndarray, covariance: np.ndarray) -> None:
        """Set means (h, w, d) and covariances (h, w, d, d), which are averaged with those of neighbours and shrunk."""
        size = self.shape[-1]
        covariance = _smoothed(covariance)
        variance = np.trace(covariance, axis1=2, axis2=3)[..., None, None] / size
        floor = 1e-6 * variance.mean()  # where a place is always the same
        covariance = (1 - _SHRINKAGE) * covariance + (_SHRINKAGE * variance + floor) * np.eye(size)
        variances, directions = np.linalg.eigh(covariance)
        whitening = directions / np.sqrt(variances)[..., None, :]
        self.center.assign(mean.reshape(-1, 1, size).astype("float32"))
        self.whitening.assign(whitening.reshape(-1, size, size).astype("float32"))


@keras.saving.register_keras_serializable(package="zoo")
class PatchScore(keras.layers.Layer):
    """Score (batch,) of distances (batch, h, w): the largest one.

    Args:
        relative: divide by the square of the mean root: how far the worst place stands out of its own picture. A
            picture that is a little unusual everywhere (light, another batch of material) is then no defect.
    """

    def __init__(self, relative: bool = False, name: str = "score"):
        super().__init__(name=name, dtype=_precision())
        self.relative = relative

    def call(self, distances: KerasTensor) -> KerasTensor:
        highest = ops.max(distances, axis=(1, 2))
        if not self.relative:
            return highest
        usual = ops.square(ops.mean(ops.sqrt(distances), axis=(1, 2)))
        return highest / ops.maximum(usual, 1e-12)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return tuple(input_shape[:1])

    def get_config(self) -> dict:
        return {"relative": self.relative, "name": self.name}


@keras.saving.register_keras_serializable(package="zoo")
class HeatMap(keras.layers.Layer):
    """Distances (batch, h, w), enlarged to the size of the picture: (batch, height, width).

    Args:
        size: (height, width).
    """

    def __init__(self, size: Sequence[int], name: str = "heat_map"):
        super().__init__(name=name, dtype=_precision())
        self.size = tuple(size)

    def call(self, distances: KerasTensor) -> KerasTensor:
        enlarged = ops.image.resize(distances[..., None], self.size, "bilinear", data_format="channels_last")
        return ops.reshape(enlarged, (-1, *self.size))

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return (input_shape[0], *self.size)

    def get_config(self) -> dict:
        return {"size": list(self.size), "name": self.name}


def _precision():
    """float32 under every policy but float64, in which an export is judged."""
    return "float64" if keras.config.dtype_policy().name == "float64" else "float32"


def _smoothed(maps):
    """Mean over the 3 x 3 neighbours of the first two axes, those at the border repeated."""
    for axis in (0, 1):
        last = maps.shape[axis] - 1
        places = np.arange(last + 1)
        maps = sum(maps.take(np.clip(places + step, 0, last), axis) for step in (-1, 0, 1)) / 3
    return maps
