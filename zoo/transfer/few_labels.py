"""Whether a pretrained encoder helps: learning classes from a few labelled samples, in several ways.

Each way is a function of float32 images in [0, 1] (samples, height, width, channels), int labels (samples,) and the
pretrained encoder, whose weights it leaves as they are; it returns (predict, model): `predict` gives the labels of
further images.
"""

import functools
from collections.abc import Callable

import keras
import numpy as np

from zoo.core.batches import forward
from zoo.evaluation import features as latents
from zoo.evaluation.features import flattened
from zoo.transfer.classifier import Classifier, classifier
from zoo.transfer.fine_tuning import equal_batches, fine_tune

EPOCHS = 60  # of a network from scratch

Learnt = tuple[Callable[[np.ndarray], np.ndarray], object]


def choose(labels: np.ndarray, per_class: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A random choice of labelled samples.

    Args:
        labels: int array (samples,).
        per_class: how many of each class.
        seed: of the choice.

    Returns:
        (indices of the chosen samples, indices of all others).
    """
    random = np.random.default_rng(seed)
    chosen = np.concatenate(
        [random.choice(np.flatnonzero(labels == c), per_class, replace=False) for c in np.unique(labels)]
    )
    return chosen, np.setdiff1d(np.arange(len(labels)), chosen)


def fine_tuned(images: np.ndarray, labels: np.ndarray, encoder: keras.Model, **arguments) -> Learnt:
    """`zoo.fine_tune` of a copy of the encoder; `arguments` go there."""
    copy = _fresh(encoder)
    copy.set_weights(encoder.get_weights())
    model = _classifier(copy, labels)
    fine_tune(model, images, labels, verbose=0, **arguments)
    return _argmax(model), model


def from_scratch(images: np.ndarray, labels: np.ndarray, encoder: keras.Model, epochs: int = EPOCHS) -> Learnt:
    """The same network with fresh weights, trained by plain `fit`."""
    model = _classifier(_fresh(encoder), labels)
    model.fit(images, labels, epochs=epochs, batch_size=equal_batches(len(images)), verbose=0)
    return _argmax(model), model


def frozen_features(images: np.ndarray, labels: np.ndarray, encoder: keras.Model) -> Learnt:
    """Logistic regression on standardised latent features."""
    return _on_features(images, labels, encoder)


def frozen_feature_maps(images: np.ndarray, labels: np.ndarray, encoder: keras.Model) -> Learnt:
    """The same on what enters the latent layer: the last hidden layer's activations, flattened."""
    latent = next(layer for layer in reversed(encoder.layers) if isinstance(layer, keras.layers.Dense))
    return _on_features(images, labels, keras.Model(encoder.input, latent.input))


def principal_components(images: np.ndarray, labels: np.ndarray, encoder: keras.Model | None = None) -> Learnt:
    """Logistic regression on the principal components that explain 95 % of the labelled images."""
    from sklearn.decomposition import PCA
    from sklearn.pipeline import make_pipeline

    regression = make_pipeline(PCA(0.95, svd_solver="full"), *_regression())
    regression.fit(flattened(images), labels)
    return lambda x: regression.predict(flattened(x)), regression


def raw_pixels(images: np.ndarray, labels: np.ndarray, encoder: keras.Model | None = None) -> Learnt:
    """Logistic regression on the pixels."""
    from sklearn.linear_model import LogisticRegression

    regression = LogisticRegression(max_iter=1000).fit(flattened(images), labels)
    return lambda x: regression.predict(flattened(x)), regression


discriminant = functools.partial(fine_tuned, head="discriminant", epochs=0)


def _fresh(encoder):
    """The same network, with the facts that it carries, and new weights."""
    return type(encoder).from_config(encoder.get_config())


def _regression():
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))


def _on_features(images, labels, model):
    regression = _regression()

    def features(x):
        return latents.read(forward(lambda batch: model(batch, training=False), x))

    regression.fit(features(images), labels)
    return lambda x: regression.predict(features(x)), regression


def _classifier(encoder, labels) -> Classifier:
    """Without XLA: the training is so short that compiling would take most of the time."""
    model = classifier(encoder, num_classes=int(labels.max()) + 1)
    model.compile(keras.optimizers.Adam(), model.loss, metrics=["accuracy"], jit_compile=False)
    return model


def _argmax(model):
    # Called, not `predict`: compiling takes longer than one pass over few images.
    return lambda x: forward(lambda batch: model(batch, training=False), x).argmax(axis=1)
