"""What is measured: a model on data, with everything that several metrics need computed once."""

import functools
import math

import numpy as np

from zoo.engine.inputs import collect
from zoo.evaluation import features as latents
from zoo.evaluation.baselines import Baselines
from zoo.evaluation.detection import allows_threshold
from zoo.evaluation.samples import in_memory, is_of_classes

_CHUNK = 5_000  # samples that are encoded at a time


class EvaluationContext:
    """An Autoencoder and the data that it is measured on; arrays are computed at first use and kept.

    Attributes:
        model: Autoencoder.
        test: Source of the samples that it is measured on.
        train: Source of the samples that it was trained on, or None.
        anomalies: Source of anomalies, or None.
        normal: tuple of the normal classes of the labels, by default what `test` says; empty if there are none.
        baselines: `Baselines` of `train` and `test`.
    """

    def __init__(self, model, test, train=None, anomalies=None, normal=None, baselines=None):
        self.model = model
        self.test, self.train, self.anomalies = map(in_memory, (test, train, anomalies))
        self.normal = _classes(normal) or _classes(self.test.normal_class)
        self.baselines = baselines or Baselines(self.train, self.test, model)

    def meets(self, requirement: str) -> bool:
        """Whether model and data meet a requirement, one of `zoo.evaluation.metrics.REQUIREMENTS`."""
        if requirement == "labels":
            return self.test.labels is not None
        if requirement == "train split":
            return self.train is not None
        if requirement == "classes":
            return self.train is not None and self.train.labels is not None and len(set(self.train.labels)) > 1
        if requirement == "anomalies":
            return self.anomalies is not None
        if requirement == "normal classes":
            return bool(self.normal) and self.test.labels is not None and len(set(self.test_normal)) == 2
        if requirement == "normal samples":
            return self.train_normals is not None and len(self.train_normals) > 1
        if requirement == "many normal samples":
            return self.train_normals is not None and allows_threshold(len(self.train_normals))
        if requirement == "threshold":
            return self.model.threshold is not None or self.meets("many normal samples")
        if requirement == "few features":
            return math.prod(self.model.latent_shape) < min(len(self.test), math.prod(self.model.target_shape))
        return model_meets(self.model, requirement)

    @functools.cached_property
    def pixels(self):
        """float32 (samples, *shape) of the test samples, checked as what the model takes."""
        return collect(self.model.contract, self.test, labels="dropped")[0]

    @functools.cached_property
    def targets(self):
        """What the model is to reconstruct of the test samples, float32 (samples, *target_shape)."""
        return self.model.target(self.pixels) if self.model.preprocessing else self.pixels

    @functools.cached_property
    def reconstruction(self):
        """Reconstructions of `pixels`."""
        return self.model.reconstruct(self.pixels)

    @functools.cached_property
    def scores(self):
        """Anomaly scores of the test samples, (samples,)."""
        if self.model.distance is not None:
            return self.model.score(self.pixels)
        return np.square(self.reconstruction - self.targets).reshape(len(self.pixels), -1).mean(axis=1)

    @functools.cached_property
    def test_normal(self):
        """Whether each test sample is of a normal class, bool (samples,)."""
        return is_of_classes(self.test, self.normal)

    @functools.cached_property
    def train_normals(self):
        """Source of the training samples of normal classes, or None; a train split without labels is all normal."""
        if not self.normal or self.train is None or self.train.labels is None:
            return self.train if self.normal else None
        return self.train.subset(np.flatnonzero(is_of_classes(self.train, self.normal)))

    @functools.cached_property
    def latent(self):
        """Latent features of the test samples as metrics read them, (samples, features)."""
        return features(self.model, self.test)

    @functools.cached_property
    def train_latent(self):
        """Latent features of the training samples as metrics read them, (samples, features)."""
        return features(self.model, self.train)


def model_meets(model, requirement):
    """Whether a model meets one of the requirements `zoo.evaluation.metrics.OF_THE_MODEL`."""
    is_image = len(model.target_shape) == 3 and not model.preprocessing
    return {
        "corruption": bool(model.corruption),
        "sparsity": bool(model.sparsity),
        "unit range": model.unit_range,
        "images": is_image,
        "unit values": is_image or model.unit_range,
        "signals": not (is_image or model.unit_range),
    }[requirement]


def features(model, source):
    """Latent features of a `Source` as metrics read them, see `features.read`: float32 (samples, features)."""
    parts = [source.part(i, i + _CHUNK) for i in range(0, len(source), _CHUNK)]
    return np.concatenate([latents.read(model.encode(part)) for part in parts])


def _classes(normal):
    """A class, several, or None as a tuple."""
    return (normal,) if isinstance(normal, (str, int, np.integer)) else tuple(() if normal is None else normal)
