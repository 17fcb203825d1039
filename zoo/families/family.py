"""What makes a function a family: its arguments become the model's JSON config."""

import functools
import inspect

from zoo.autoencoder import Autoencoder
from zoo.core.errors import ConfigError, unknown_name
from zoo.layers.configurable import Described


def family(function):
    """Decorator: record the arguments of every call in the model's config, and build again from such arguments."""
    signature = inspect.signature(function)

    @functools.wraps(function)
    def build(*args, **kwargs):
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        model = function(*args, **kwargs)
        model.set_config({"family": function.__name__, **{k: _plain(v) for k, v in bound.arguments.items()}})
        return model

    def from_arguments(arguments):
        for key in arguments:
            if key not in signature.parameters:
                raise unknown_name(f"key in the config of family {function.__name__!r}", key, signature.parameters)
        try:
            return build(**arguments)
        except TypeError as error:
            raise ConfigError(f"Config of family {function.__name__!r}: {error}.") from error

    build.from_arguments = from_arguments
    return build


def as_backbone(backbone):
    """`backbone` as an `Autoencoder`: one passes unchanged, a config is built."""
    from zoo.families import from_config

    if isinstance(backbone, Autoencoder):
        return backbone
    if isinstance(backbone, dict):
        return from_config(backbone)
    raise ConfigError(f"backbone must be an Autoencoder or its config. Received: {backbone!r}.")


def _plain(value):
    """`value` in JSON types."""
    if isinstance(value, Autoencoder):
        return value.get_config()
    if isinstance(value, Described):
        return value.describe()
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if hasattr(value, "item") and not isinstance(value, (str, bytes)):
        return value.item()
    return value
