"""The denoising family."""

from typing import Any

from zoo.autoencoder import Autoencoder
from zoo.core.errors import ConfigError
from zoo.families.family import as_backbone, check_inner, family
from zoo.layers import corruption as corruptions


@family
def denoising(
    backbone: Autoencoder | dict[str, Any],
    corruption: corruptions.Corruption | dict[str, Any] | list[corruptions.Corruption | dict[str, Any]],
) -> Autoencoder:
    """A denoising autoencoder: any backbone, trained to restore the clean input from a corrupted one.

    Minimises ⟨Δ(x, f(g(C(x))))⟩ with a fresh corruption C in every training step. Encoder and decoder are the
    backbone's own: outside training nothing is left of C.

    Args:
        backbone: an `Autoencoder` (or its config); its weights are shared, not copied.
        corruption: a `zoo.corruption` object (also one of a class of your own, see `zoo.corruption.Corruption`), its
            dictionary, or a list of either, applied in order.

    Returns:
        Autoencoder with the backbone's input and latent shapes.

    Raises:
        ConfigError: an invalid corruption, one that the backbone's input shape does not allow, or a backbone that
            corrupts already.
        UnknownNameError: an unknown corruption or argument.

    Example:
        >>> model = zoo.denoising(zoo.feed_forward((784,), 32), zoo.corruption.Gaussian(0.55))
        >>> model.fit(images)  # input: images + noise, target: images

    Source: Michelucci, arXiv 2201.03898, section "Denoising Autoencoders"; Vincent et al., JMLR 11 (2010).
    """
    backbone = as_backbone(backbone)
    if backbone.corruption:
        raise ConfigError("The backbone is a denoising autoencoder already: pass a list of corruptions instead.")
    check_inner(backbone, "denoising")
    layers = corruptions.get(corruption)
    for layer in layers:
        layer.check(backbone.input_shape)
    return Autoencoder(
        backbone.encoder, backbone.decoder, corruption=layers, sparsity=backbone.sparsity, name=backbone.name
    )
