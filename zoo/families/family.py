"""What makes a function a family: its arguments become the model's JSON config."""

import functools
import inspect
from collections.abc import Callable
from typing import Any, ParamSpec

from zoo.autoencoder import Autoencoder
from zoo.core.errors import ConfigError
from zoo.families import registry
from zoo.layers.configurable import plain
from zoo.layers.parts import signal_facts

_Arguments = ParamSpec("_Arguments")


def family(function: Callable[_Arguments, Autoencoder]) -> Callable[_Arguments, Autoencoder]:
    """Decorator: make a function that returns an `Autoencoder` a family of its own name.

    The arguments of every call, JSON values or models and objects of the zoo, become the model's config. From then on
    `zoo.from_config`, `zoo.save`, `zoo.load`, `zoo.list_families` and the families that take a backbone know it, as
    long as the module that defines it has been imported.

    Args:
        function: takes arguments that it names, ``(input_shape, latent_dim, *, depth=2)``, and returns an Autoencoder.

    Returns:
        The function, with the same signature.

    Raises:
        ConfigError: the name is taken, or `function` takes ``*args``, ``**kwargs``, positional-only arguments or one
            named "family"; at a call: an argument that JSON cannot hold, or a result that is no Autoencoder.

    Example:
        >>> @zoo.family
        ... def narrow(input_shape, units=4):
        ...     return zoo.feed_forward(input_shape, units, (2 * units,))
        >>> zoo.from_config({"family": "narrow", "input_shape": [784]}).latent_shape
        (4,)
    """
    name, signature = function.__name__, inspect.signature(function)
    for argument in signature.parameters.values():
        if argument.kind not in (argument.POSITIONAL_OR_KEYWORD, argument.KEYWORD_ONLY) or argument.name == "family":
            raise ConfigError(
                f"Family {name!r} must name each of its arguments, and none of them 'family', so that a config can hold"
                f" them. Received: {argument}."
            )

    @functools.wraps(function)
    def build(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> Autoencoder:
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        model = function(*args, **kwargs)
        if not isinstance(model, Autoencoder):
            raise ConfigError(f"Family {name!r} must return a zoo.Autoencoder. Received: {model!r}.")
        config = {key: _config_value(value, name, key) for key, value in bound.arguments.items()}
        model.set_config({"family": name, **config})
        for backbone in (value for value in bound.arguments.values() if isinstance(value, Autoencoder)):
            model.pretrained_loss = backbone.pretrained_loss  # shares its weights
        return model

    registry.register(build)
    return build


def as_backbone(backbone: Autoencoder | dict[str, Any]) -> Autoencoder:
    """`backbone` as an `Autoencoder`: one passes unchanged, a config is built."""
    if isinstance(backbone, Autoencoder):
        return backbone
    if isinstance(backbone, dict):
        return registry.from_config(backbone)
    raise ConfigError(f"backbone must be an Autoencoder or its config. Received: {backbone!r}.")


def check_inner(backbone: Autoencoder, name: str) -> None:
    """Raise `ConfigError` if a backbone has what the family `name` would lose: preprocessing, or a detector's score."""
    if backbone.is_detector:
        outer = "detector"
    elif backbone.preprocessing or signal_facts(backbone.encoder):
        outer = "preprocessed"
    else:
        return
    raise ConfigError(
        f"The backbone is of the family {outer!r}, which comes around zoo.{name} and not into it. Build it in this"
        f" order: zoo.{outer}(zoo.{name}(backbone, ...), ...)."
    )


def _config_value(value, family_name, argument):
    is_model = isinstance(value, Autoencoder)
    config = value.get_config() if is_model else plain(value, f"Argument {argument!r} of family {family_name!r}")
    # A detector around a detector is one around its backbone, with the new score.
    is_replaced = family_name == "detector" and isinstance(config, dict) and config.get("family") == "detector"
    return config["backbone"] if is_replaced else config
