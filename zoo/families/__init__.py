"""The families of autoencoders. Each is one function that returns an `Autoencoder`, in a file of its own."""

import importlib

from zoo.core.errors import ConfigError, unknown_name

_FAMILIES = ("convolutional", "denoising", "feed_forward", "sparse")


def list_families():
    """Names of the families, sorted: ``["convolutional", "denoising", "feed_forward", "sparse"]``."""
    return list(_FAMILIES)


def from_config(config):
    """Build an `Autoencoder` with fresh weights from its config.

    Args:
        config: dict, ``{"family": name, **arguments}`` as `Autoencoder.get_config` returns it and ``config.json``
            stores it; backbones are configs themselves.

    Returns:
        Autoencoder.

    Raises:
        UnknownNameError: an unknown family or argument; the nearest valid names are listed.
        ConfigError: a missing or invalid argument.

    Example:
        >>> model = zoo.from_config({"family": "feed_forward", "input_shape": [784], "latent_dim": 8})
        >>> model.latent_shape
        (8,)
    """
    if not isinstance(config, dict) or "family" not in config:
        raise ConfigError(f"A config is a dictionary with the key 'family'. Received: {config!r}.")
    arguments = dict(config)
    name = arguments.pop("family")
    if name not in _FAMILIES:
        raise unknown_name("family", name, _FAMILIES)
    return getattr(importlib.import_module(f"zoo.families.{name}"), name).from_arguments(arguments)
