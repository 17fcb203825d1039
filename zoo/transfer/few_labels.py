"""Whether a pretrained encoder helps: learning classes from a few labelled samples, in several ways."""

import functools

import keras
import numpy as np

from zoo.catalog.load import load, load_encoder
from zoo.data import Source
from zoo.evaluation.context import features
from zoo.evaluation.features import flattened
from zoo.transfer.classifier import classifier
from zoo.transfer.fine_tuning import equal_batches, fine_tune

EPOCHS = 60  # of a network from scratch


def choose(labels, per_class, seed):
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


def fine_tuned(images, labels, encoder, **arguments):
    """`zoo.fine_tune` of a pretrained set's encoder; `arguments` go there. Returns (predict, classifier)."""
    model = classifier(load_encoder(encoder), num_classes=_classes(labels))
    _without_xla(model)
    fine_tune(model, images, labels, verbose=0, **arguments)
    return _argmax(model), model


def from_scratch(images, labels, encoder, epochs=EPOCHS):
    """The same network with fresh weights, trained by plain `fit`. Returns (predict, classifier)."""
    model = classifier(load(encoder, weights=False).encoder, num_classes=_classes(labels))
    _without_xla(model)
    model.fit(images, labels, epochs=epochs, batch_size=equal_batches(len(images)), verbose=0)
    return _argmax(model), model


def frozen_features(images, labels, encoder):
    """Logistic regression on standardised latent features. Returns (predict, regression)."""
    regression, model = _regression(), load(encoder)

    regression.fit(features(model, Source(images)), labels)
    return lambda x: regression.predict(features(model, Source(x))), regression


def frozen_feature_maps(images, labels, encoder):
    """The same on what enters the latent layer: the last hidden layer's activations, flattened. Returns as above."""
    regression, trained = _regression(), load_encoder(encoder)
    before = next(layer for layer in reversed(trained.layers) if isinstance(layer, keras.layers.Dense)).input
    model = keras.Model(trained.input, before)

    def maps(samples):
        return np.concatenate([model(samples[i : i + 500], training=False) for i in range(0, len(samples), 500)])

    regression.fit(maps(images), labels)
    return lambda x: regression.predict(maps(x)), regression


def principal_components(images, labels, encoder):
    """Logistic regression on the principal components that explain 95 % of the labelled images. Returns as above."""
    from sklearn.decomposition import PCA
    from sklearn.pipeline import make_pipeline

    regression = make_pipeline(PCA(0.95, svd_solver="full"), *_regression())
    regression.fit(flattened(images), labels)
    return lambda x: regression.predict(flattened(x)), regression


def raw_pixels(images, labels, encoder):
    """Logistic regression on the pixels. Returns (predict, regression)."""
    from sklearn.linear_model import LogisticRegression

    regression = LogisticRegression(max_iter=1000).fit(flattened(images), labels)
    return lambda x: regression.predict(flattened(x)), regression


def _regression():
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))


def _classes(labels):
    return int(labels.max()) + 1


def _without_xla(model):
    """Compile anew for trainings so short that compiling would take most of the time."""
    config = model.get_compile_config()
    config["jit_compile"] = False
    model.compile(**keras.saving.deserialize_keras_object(config))


def _argmax(model):
    # Called, not `predict`: compiling takes longer than one pass over few images.
    def predict(x):
        return np.concatenate([model(x[i : i + 500], training=False) for i in range(0, len(x), 500)]).argmax(axis=1)

    return predict


discriminant = functools.partial(fine_tuned, head="discriminant", epochs=0)
