"""Bringing trained latent features to a known range without changing what the model computes."""

import keras
import numpy as np

from zoo.core.errors import ConfigError

_HOMOGENEOUS = ("relu", "linear")


def normalize_latent(model, images):
    """Scale the latent features so that their largest magnitude on `images` lies in (0.5, 1].

    ReLU and the identity are positively homogeneous: dividing the latent layer's kernel and bias (or the gamma and beta
    of its batch normalisation) by s > 0 and multiplying the decoder's first kernel by s changes no reconstruction. s is
    a power of two, so not even a rounding changes; distances between features change by one common factor, so nearest
    neighbours stay the same. What is gained: features of a known range, small absolute rounding errors in exported
    files, one scale to quantise.

    Args:
        model: Autoencoder with a dense latent layer and ReLU or linear latent activation; changed in place.
        images: float32 array (samples, *input_shape), or a Source.

    Returns:
        s, as float.

    Raises:
        ConfigError: another latent layer or activation, or tied weights.
    """
    encoder = model.behind_preprocessing()
    last = encoder.layers[-1]
    weighted = next((layer for layer in reversed(encoder.layers) if layer.weights), None)
    first = next((layer for layer in model.decoder.layers if layer.weights), None)
    activation = getattr(last, "activation", None)
    scalable = isinstance(weighted, (keras.layers.Dense, keras.layers.BatchNormalization))
    untied = scalable and isinstance(first, keras.layers.Dense)
    if not untied or activation is None or keras.activations.serialize(activation) not in _HOMOGENEOUS:
        raise ConfigError(
            "normalize_latent needs an untied dense latent layer with activation 'relu' or 'linear'."
            f" Received a latent layer {last.name!r} ({type(last).__name__}). Set normalize_latent = false."
        )
    largest = float(np.abs(model.encode(images)).max())
    if largest == 0:
        raise ConfigError("normalize_latent found every latent feature to be zero: the training has collapsed.")
    scale = 2.0 ** np.ceil(np.log2(largest))
    for weight in weighted.trainable_weights:  # kernel and bias, or gamma and beta
        weight.assign(weight / scale)
    first.kernel.assign(first.kernel * scale)
    return scale
