"""Objects that a JSON dictionary describes completely: ``{"type": "Gaussian", "stddev": 0.5}``."""

import inspect

from zoo.core.errors import ConfigError, unknown_name


class Described:
    """Mix-in for classes whose constructor arguments are JSON values kept under the same attribute names.

    Each direct subclass (`Corruption`, `Sparsity`) is a kind of its own; its subclasses are found by their class name.
    """

    @classmethod
    def argument_names(cls):
        """Names of the constructor's arguments, in order."""
        return [name for name in inspect.signature(cls.__init__).parameters if name != "self"]

    def describe(self):
        """The JSON dictionary from which `from_description` rebuilds this object."""
        return {"type": type(self).__name__, **{name: getattr(self, name) for name in self.argument_names()}}

    @classmethod
    def from_description(cls, description):
        """An object from its dictionary; an object that already is one passes unchanged.

        Raises:
            UnknownNameError: an unknown ``type`` or argument.
            ConfigError: not a dictionary with a ``type``, or a missing argument.
        """
        if isinstance(description, cls):
            return description
        kind = cls.__name__.lower()
        if not isinstance(description, dict) or "type" not in description:
            raise ConfigError(
                f"A {kind} is a zoo.{kind} object or a dictionary with a 'type' such as"
                f" {{'type': {cls.__subclasses__()[0].__name__!r}, ...}}. Received: {description!r}."
            )
        types = {subclass.__name__: subclass for subclass in cls.__subclasses__()}
        arguments = dict(description)
        name = arguments.pop("type")
        if name not in types:
            raise unknown_name(f"{kind} type", name, types)
        for key in arguments:
            if key not in types[name].argument_names():
                raise unknown_name(f"argument of {kind} {name!r}", key, types[name].argument_names())
        try:
            return types[name](**arguments)
        except TypeError as error:
            raise ConfigError(f"{kind.capitalize()} {name!r}: {error}. Received: {description!r}.") from error
