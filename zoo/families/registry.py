"""Which families there are: the built-in ones, and those that `zoo.family` was called for. Needs no Keras."""

import importlib
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from zoo.core.errors import ConfigError, unknown_name

if TYPE_CHECKING:
    from zoo.autoencoder import Autoencoder

# The modules of the built-in families, imported when one of them is asked for.
_MODULES = {name: f"zoo.families.{name}" for name in ("convolutional", "denoising", "feed_forward", "sparse")}
_MODULES["wrapped"] = "zoo.families.wrap"
_BUILDERS: dict[str, Callable[..., "Autoencoder"]] = {}


def register(builder: Callable[..., "Autoencoder"]) -> None:
    """Make `builder` the family of its own name; a module that runs again replaces what it registered.

    Raises:
        ConfigError: another module has a family of this name.
    """
    name, module = builder.__name__, builder.__module__
    taken = _BUILDERS[name].__module__ if name in _BUILDERS else _MODULES.get(name, module)
    if taken != module:
        raise ConfigError(f"A family named {name!r} exists already, in module {taken}: choose another function name.")
    _BUILDERS[name] = builder


def check_name(name: str) -> None:
    """Raise `UnknownNameError` unless there is a family of this name."""
    if name not in list_families():
        hint = "Import the module of a family of your own first: its @zoo.family registers it."
        raise unknown_name("family", name, list_families(), hint)


def list_families() -> list[str]:
    """Names of the families, sorted; those of your own once their modules are imported.

    Example:
        >>> zoo.list_families()
        ['convolutional', 'denoising', 'feed_forward', 'sparse', 'wrapped']
    """
    return sorted({*_MODULES, *_BUILDERS})


def from_config(config: dict[str, Any]) -> "Autoencoder":
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
    check_name(name)
    if name not in _BUILDERS:
        importlib.import_module(_MODULES[name])
    signature = inspect.signature(_BUILDERS[name])
    for key in arguments:
        if key not in signature.parameters:
            raise unknown_name(f"key in the config of family {name!r}", key, signature.parameters)
    try:
        signature.bind(**arguments)
    except TypeError as error:
        raise ConfigError(f"Config of family {name!r}: {error}.") from error
    return _BUILDERS[name](**arguments)
