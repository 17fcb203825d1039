"""The sparse family."""

import warnings
from typing import Any

import keras

from zoo.autoencoder import Autoencoder
from zoo.core.errors import ConfigError
from zoo.families.family import as_backbone, check_inner, family
from zoo.layers import sparsity as sparsities
from zoo.layers.parts import Encoder


@family
def sparse(backbone: Autoencoder | dict[str, Any], sparsity: sparsities.Sparsity | dict[str, Any]) -> Autoencoder:
    """A sparse autoencoder: any backbone, with few latent features active at a time.

    Minimises ⟨Δ(x, f(g(x)))⟩ + penalty(g(x)), or constrains g(x) itself (`zoo.sparsity.TopK`).

    Args:
        backbone: an `Autoencoder` (or its config); its weights are shared, not copied.
        sparsity: a `zoo.sparsity` object, also one of a class of your own (see `zoo.sparsity.Sparsity`), or its
            dictionary.

    Returns:
        Autoencoder with the backbone's input and latent shapes.

    Raises:
        ConfigError: an invalid sparsity, k larger than the number of units, or a backbone that is sparse already.
        UnknownNameError: an unknown sparsity or argument.

    Example:
        >>> model = zoo.sparse(zoo.feed_forward((784,), 1000), zoo.sparsity.TopK(25))
        >>> (model.encode(images) != 0).sum(axis=1).max()
        25

    Source: Michelucci, arXiv 2201.03898, section "Regularization in autoencoders".
    """
    backbone = as_backbone(backbone)
    if backbone.sparsity:
        raise ConfigError("The backbone is a sparse autoencoder already. Received two sparsities.")
    check_inner(backbone, "sparse")
    sparsity = sparsities.get(sparsity)
    encoder, latent = backbone.encoder, sparsity.constrain(backbone.encoder.output)
    if isinstance(sparsity, sparsities.KL) and not _ends_in_sigmoid(encoder):
        warnings.warn(
            "KL sparsity needs latent features in [0, 1]: build the backbone with latent_activation='sigmoid'."
            " Mean activations outside (0, 1) are clipped and get no gradient.",
            stacklevel=3,
        )
    if getattr(latent, "shape", None) != encoder.output.shape:
        raise ConfigError(
            f"constrain of sparsity {type(sparsity).__name__!r} must return a KerasTensor of the latent shape"
            f" {encoder.output.shape}. Received: {latent!r}."
        )
    if latent is not encoder.output:
        encoder = Encoder(encoder.input, latent, name="encoder")
    return Autoencoder(encoder, backbone.decoder, corruption=backbone.corruption, sparsity=sparsity, name=backbone.name)


def _ends_in_sigmoid(encoder):
    return getattr(encoder.layers[-1], "activation", None) in (
        keras.activations.sigmoid,
        keras.activations.hard_sigmoid,
    )
