"""Which families there are: the built-in ones, and those that `zoo.family` was called for. Needs no Keras."""

import contextlib
import importlib
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from zoo.core.errors import ConfigError, ZooError, reason, unknown_name

if TYPE_CHECKING:
    from zoo.autoencoder import Autoencoder

# Bytes of a model's weights and of the activations of one sample, unless an argument says otherwise.
MEMORY_LIMIT = 2e9
_NAMES = ("convolutional", "denoising", "detector", "feed_forward", "patch_coder", "preprocessed", "sparse")
# The modules of the built-in families, imported when one of them is asked for.
_MODULES = {name: f"zoo.families.{name}" for name in _NAMES}
_MODULES["wrapped"] = "zoo.families.wrap"
_MODULES["patch_memory"] = "zoo.families.patch_detector"
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
        ['convolutional', 'denoising', 'detector', 'feed_forward', 'patch_coder', 'patch_memory', 'preprocessed',
         'sparse', 'wrapped']
    """
    return sorted({*_MODULES, *_BUILDERS})


def from_config(config: dict[str, Any], *, memory_limit: float | None = MEMORY_LIMIT) -> "Autoencoder":
    """Build an `Autoencoder` with fresh weights from its config.

    Args:
        config: dict, ``{"family": name, **arguments}`` as `Autoencoder.get_config` returns it and ``config.json``
            stores it; backbones are configs themselves.
        memory_limit: largest number of bytes of the weights and of the activations of one sample, known before any
            memory is allocated; None for no limits of size at all.

    Returns:
        Autoencoder.

    Raises:
        UnknownNameError: an unknown family or argument; the nearest valid names are listed.
        ConfigError: a missing or invalid argument, or a model beyond the limit.

    Example:
        >>> model = zoo.from_config({"family": "feed_forward", "input_shape": [784], "latent_dim": 8})
        >>> model.latent_shape
        (8,)
    """
    from zoo.engine import keras_internals
    from zoo.families import limits

    model, variables = without_values(config, memory_limit=memory_limit)
    if variables:
        if memory_limit is not None:
            limits.check_initial_values(variables)
        with _as_config_errors(config):
            keras_internals.initialize(variables)
    return model


def without_values(config: dict[str, Any], *, memory_limit: float | None) -> "tuple[Autoencoder, list]":
    """As `from_config`, but with weights that have no values yet, and the list of these variables.

    `keras_internals.initialize` or `load_weights` gives them values. The list is empty where a part of the config is
    not the zoo's own: the code behind it may need values.
    """
    from zoo.engine import keras_internals
    from zoo.families import limits

    limits.check(config)
    if keras_internals.values_are_deferred():  # a backbone's config inside another one
        return _built(config), []
    with contextlib.ExitStack() as scopes:
        variables = []
        if not _is_foreign(config):
            scopes.enter_context(_as_config_errors(config))
            variables = scopes.enter_context(keras_internals.deferred_values())
        model = _built(config)
        limits.check_memory(model, memory_limit)
    return model, variables


def _built(config):
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


def _is_foreign(config):
    """Whether a config has a family or a layer of the user's own, or a model in place of a config."""
    from zoo.layers import corruption, preprocessing, sparsity

    if not isinstance(config, dict):
        return config is not None and not isinstance(config, (str, int, float, list))
    if isinstance(name := config.get("family"), str) and name in _BUILDERS and name not in _MODULES:
        return True
    kinds = {
        "preprocessing": preprocessing.Preprocessing,
        "corruption": corruption.Corruption,
        "sparsity": sparsity.Sparsity,
    }
    for key, kind in kinds.items():
        several = config.get(key) if isinstance(config.get(key), (list, tuple)) else [config.get(key)]
        if any(map(kind.is_foreign, several)):
            return True
    return _is_foreign(config.get("backbone"))


@contextlib.contextmanager
def _as_config_errors(config):
    """What Keras and its backends raise about sizes and arguments that make no sense, as a `ConfigError`."""
    try:
        yield
    except ZooError:
        raise
    except Exception as error:
        family = config.get("family") if isinstance(config, dict) else None
        raise ConfigError(f"The config of family {family!r} describes no model: {reason(error)}") from error
