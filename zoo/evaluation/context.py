"""What is measured: a model on a dataset, with everything that several metrics need computed once."""

import functools

import numpy as np

from zoo import data
from zoo.evaluation import features as latents

_SAMPLES_OF_A_STREAM = 60_000
_CHUNK = 5_000  # samples that are encoded at a time


class Subject:
    """An Autoencoder and the dataset that it is measured on; arrays are computed at first use and kept.

    Attributes:
        model: Autoencoder.
        dataset: what `zoo.data.load` takes.
        anomalies: dataset whose samples count as anomalies, or None.
    """

    def __init__(self, model, dataset, anomalies=None):
        self.model = model
        self.dataset = dataset
        self.anomalies = anomalies

    @property
    def image_shape(self):
        """(height, width, channels) to bring images to; None for a model of other samples."""
        return self.model.input_shape if len(self.model.input_shape) == 3 else None

    @property
    def has_train_split(self):
        """Whether there are training samples apart from the test samples. Arrays and files have one split."""
        return isinstance(self.dataset, str) and self.test.split == "test"

    @functools.cached_property
    def test(self):
        """Source of the test split."""
        return _load(self.dataset, "test", self.image_shape)

    @functools.cached_property
    def train(self):
        """Source of the training split."""
        return _load(self.dataset, "train", self.image_shape)

    @functools.cached_property
    def pixels(self):
        """float32 (samples, *shape) of the test split."""
        return self.test.pixels()

    @functools.cached_property
    def reconstruction(self):
        """Reconstructions of `pixels`."""
        return self.model.reconstruct(self.pixels)

    @functools.cached_property
    def latent(self):
        """Latent features of the test split as metrics read them, (samples, features)."""
        return features(self.model, self.test)

    @functools.cached_property
    def train_latent(self):
        """Latent features of the training split as metrics read them, (samples, features)."""
        return features(self.model, self.train)

    def load(self, dataset):
        """The test split of another dataset, in the model's shape."""
        return _load(dataset, "test", self.image_shape)


def features(model, source):
    """Latent features of a `Source` as metrics read them, see `features.read`: float32 (samples, features)."""
    parts = [source.part(i, i + _CHUNK) for i in range(0, len(source), _CHUNK)]
    return np.concatenate([latents.read(model.encode(part)) for part in parts])


def _load(dataset, split, shape):
    source = data.load(dataset, split, shape=shape, stream="auto")
    return source.head(_SAMPLES_OF_A_STREAM) if isinstance(source, data.Stream) else source
