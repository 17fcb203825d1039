"""What the experiments share: data, the paper's network, and rows of the report."""

import dataclasses
import functools

import keras
import numpy as np

import zoo


@dataclasses.dataclass(frozen=True)
class Row:
    """One number of the report.

    Attributes:
        experiment: "E1" ...
        quantity: what it is.
        paper: what the article prints, as text.
        author: what the author's code gives, as text.
        measured: our number.
        low, high: the band to land in.
        form: how to write `measured`.
    """

    experiment: str
    quantity: str
    paper: str
    author: str
    measured: float
    low: float
    high: float
    form: str = ".4f"

    @property
    def inside(self):
        """Whether the measured number lies in the band."""
        return self.low <= self.measured <= self.high

    def band(self):
        """The band as text."""
        if self.low == self.high:
            return f"{self.low:{self.form}}"
        if self.low == -np.inf:
            return f"≤ {self.high:{self.form}}"
        return f"{self.low:{self.form}} to {self.high:{self.form}}"


@functools.cache
def pixels(dataset, split):
    """float32 (samples, 784) in [0, 1], and labels."""
    source = zoo.data.load(dataset, split)
    return source.pixels().reshape(len(source), -1), source.labels


@functools.cache
def trained(dataset, latent_dim, loss="binary_crossentropy", epochs=30, seed=1):
    """The paper's network 784 → q (ReLU) → 784 (sigmoid), trained with Adam 1e-3 in batches of 256."""
    keras.utils.set_random_seed(seed)
    model = zoo.feed_forward((784,), latent_dim, latent_activation="relu")
    model.compile(keras.optimizers.Adam(1e-3), loss)
    model.fit(pixels(dataset, "train")[0], batch_size=256, epochs=epochs, verbose=0)
    return model


@functools.cache
def noisy(split, stddev=0.55):
    """MNIST with Gaussian noise, drawn once and not clipped, as the author's code has it."""
    clean, _ = pixels("mnist", split)
    generator = np.random.default_rng({"train": 0, "test": 1}[split])
    return clean + np.float32(stddev) * generator.standard_normal(clean.shape, dtype="float32")


def errors(model, dataset):
    """(mse, bce) on the test split."""
    from zoo.evaluation.reconstruction import binary_cross_entropy, mean_squared_error

    x, _ = pixels(dataset, "test")
    restored = model.reconstruct(x)
    return mean_squared_error(x, restored), binary_cross_entropy(x, restored)
