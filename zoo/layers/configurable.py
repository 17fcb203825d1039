"""Objects that a JSON dictionary describes completely: ``{"type": "Gaussian", "stddev": 0.5}``."""

import inspect
from typing import Any, ClassVar, Self

from zoo.core.errors import ConfigError, unknown_name


def plain(value: Any, name: str) -> Any:
    """`value` in JSON types: NumPy scalars and arrays, tuples and configurable objects are converted.

    Raises:
        ConfigError: a value that JSON does not know, such as a function; `name` is what the message calls it.
    """
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, Configurable):
        return value.describe()
    if isinstance(value, (list, tuple)):
        return [plain(v, name) for v in value]
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {key: plain(v, name) for key, v in value.items()}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise ConfigError(
        f"{name} must be a JSON value (a number, string, boolean, None, or a list or dictionary of these), so that a"
        f" config can hold it. Received: {value!r}."
    )


class _Checked(type):
    """Metaclass: every new object has kept its constructor's arguments under their names."""

    def __call__(cls, *args, **kwargs):
        new = super().__call__(*args, **kwargs)
        bound = inspect.signature(cls.__init__).bind(new, *args, **kwargs)
        bound.apply_defaults()
        names, kind = cls.argument_names(), cls.kind()
        for name, given in list(bound.arguments.items())[1:]:
            if name not in names:
                if given:
                    raise ConfigError(
                        f"{kind.capitalize()} {cls.__name__!r} must name each of its arguments in __init__."
                        f" Received: {given!r} through {name!r}."
                    )
                continue
            given = plain(given, f"Argument {name!r} of {kind} {cls.__name__!r}")
            if not hasattr(new, name) or plain(getattr(new, name), f"{cls.__name__}.{name}") != given:
                raise ConfigError(
                    f"{kind.capitalize()} {cls.__name__!r} must keep its argument {name!r} unchanged as an attribute of"
                    f" the same name (self.{name} = {name}), so that a config can rebuild it."
                    f" Received: {name}={given!r}, kept: {getattr(new, name, 'nothing')!r}."
                )
        new.check_definition()
        return new


class Configurable(metaclass=_Checked):
    """Base of classes whose objects a JSON dictionary describes.

    The contract: each constructor argument is a JSON value that the object keeps, unchanged, under the same name. It is
    checked whenever an object is made. Each direct subclass (`Corruption`, `Sparsity`) is a kind of its own; all
    classes below it, at any depth, are found by their class name as soon as they are defined.

    Raises (when a class is defined):
        ConfigError: another module defines a class of this name.

    Example:
        >>> class Dim(zoo.corruption.Corruption):
        ...     def __init__(self, factor=0.5):
        ...         super().__init__(factor=factor)
        ...     def corrupt(self, x):
        ...         return self.factor * x
        >>> Dim(0.25).describe()
        {'type': 'Dim', 'factor': 0.25}
        >>> zoo.corruption.Corruption.from_description({"type": "Dim", "factor": 0.25}).factor
        0.25
    """

    _types: ClassVar[dict[str, Any]]  # class name: class

    def __init_subclass__(cls, **keywords):
        super().__init_subclass__(**keywords)
        if Configurable in cls.__bases__:
            cls._types = {}
            return
        known = cls._types.setdefault(cls.__name__, cls)
        if known.__module__ != cls.__module__:
            raise ConfigError(
                f"A {cls.kind()} named {cls.__name__!r} exists already, in module {known.__module__}: choose another"
                " class name, by which configs find it."
            )
        cls._types[cls.__name__] = cls  # the latest definition, as in a notebook

    @classmethod
    def kind(cls) -> str:
        """What these objects are called in configs and messages: "corruption", "sparsity"."""
        return next(base for base in cls.__mro__ if Configurable in base.__bases__).__name__.lower()

    @classmethod
    def is_foreign(cls, description: Any) -> bool:
        """Whether a dictionary names a class that is not the zoo's own, or is an object of one."""
        name = description.get("type") if isinstance(description, dict) else type(description).__name__
        return isinstance(name, str) and name in cls._types and not cls._types[name].__module__.startswith("zoo.")

    @classmethod
    def argument_names(cls) -> list[str]:
        """Names of the constructor's arguments, in order."""
        parameters = list(inspect.signature(cls.__init__).parameters.values())[1:]
        return [p.name for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]

    def check_definition(self) -> None:
        """Raise `ConfigError` if the class lacks something that its kind needs."""

    def arguments(self) -> dict[str, Any]:
        """The constructor's arguments in JSON types."""
        return {name: plain(getattr(self, name), name) for name in self.argument_names()}

    def describe(self) -> dict[str, Any]:
        """The JSON dictionary from which `from_description` rebuilds this object."""
        return {"type": type(self).__name__, **self.arguments()}

    @classmethod
    def from_description(cls, description: "dict[str, Any] | Configurable") -> Self:
        """An object from its dictionary; an object that already is one passes unchanged.

        Raises:
            UnknownNameError: an unknown ``type`` or argument.
            ConfigError: not a dictionary with a ``type``, or a missing argument.
        """
        if isinstance(description, cls):
            return description
        kind, types = cls.kind(), cls._types
        if not isinstance(description, dict) or "type" not in description:
            raise ConfigError(
                f"A {kind} is a zoo.{kind} object or a dictionary with a 'type' such as"
                f" {{'type': {next(iter(types))!r}, ...}}. Received: {description!r}."
            )
        arguments = dict(description)
        name = arguments.pop("type")
        if not isinstance(name, str) or name not in types:
            raise unknown_name(
                f"{kind} type", name, types, hint="The module of one of your own must be imported first."
            )
        for key in arguments:
            if key not in types[name].argument_names():
                raise unknown_name(f"argument of {kind} {name!r}", key, types[name].argument_names())
        try:
            inspect.signature(types[name].__init__).bind(None, **arguments)
        except TypeError as error:
            raise ConfigError(f"{kind.capitalize()} {name!r}: {error}. Received: {description!r}.") from error
        return types[name](**arguments)
