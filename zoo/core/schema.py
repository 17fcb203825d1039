"""Typed dataclasses from parsed TOML or JSON; whatever does not fit is named by its key."""

import dataclasses
import functools
import typing
from typing import Annotated, Any, Literal

import msgspec

from zoo.core.errors import ConfigError, unknown_name

Text = Annotated[str, msgspec.Meta(min_length=1)]
# A file name: no path, no way out of a folder, nothing that a terminal would act upon.
Name = Annotated[str, msgspec.Meta(pattern=r"^(?!\.{1,2}$)[^/\\\x00-\x1f\x7f]{1,200}$")]
LONGEST_CLASS_NAME = 200
ClassName = Annotated[str, msgspec.Meta(pattern=rf"^[^\x00-\x1f\x7f]{{1,{LONGEST_CLASS_NAME}}}$")]
Count = Annotated[int, msgspec.Meta(ge=0)]
PositiveCount = Annotated[int, msgspec.Meta(ge=1)]
Shape = tuple[PositiveCount, ...]
Sha256 = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]


def convert(content: Any, cls: type, where: str):
    """An instance of the dataclass `cls`, whose fields may be dataclasses too, from a dictionary.

    Args:
        content: dictionary of field name to value; an instance of `cls` is returned as it is.
        cls: dataclass whose annotations say which types and ranges (`msgspec.Meta`) are valid.
        where: what to call the dictionary in an error.

    Raises:
        UnknownNameError: an unknown key, or an unknown value where only a few are valid; the nearest are listed.
        ConfigError: a key is missing, or a value has the wrong type or lies outside its range.

    Example:
        >>> convert({"epochs": "ten"}, Training, "[training]")
        ConfigError: epochs in [training] must be int. Received: 'ten'.
    """
    if isinstance(content, cls):
        return content
    fields = _fields(cls)
    if not isinstance(content, dict):
        raise ConfigError(f"{where} must be a table with the keys {sorted(fields)}. Received: {_shown(content)}.")
    for key in content:
        if key not in fields:
            raise unknown_name(f"key in {where}:", key, fields)
    missing = [key for key, (_, required) in fields.items() if required and key not in content]
    if missing:
        raise ConfigError(f"{where} lacks {', '.join(map(repr, missing))}. Received keys {sorted(content)}.")
    return cls(**{key: _value(value, fields[key][0], key, where) for key, value in content.items()})


@functools.cache
def _fields(cls):
    """Field name to (annotated type, whether it has no default)."""
    hints = typing.get_type_hints(cls, include_extras=True)
    missing = dataclasses.MISSING
    return {f.name: (hints[f.name], f.default is f.default_factory is missing) for f in dataclasses.fields(cls)}


def _value(value, kind, key, where):
    if dataclasses.is_dataclass(kind):
        return convert(value, kind, f"{key} of {where}")
    if isinstance(value, dict) and typing.get_origin(kind) is dict:
        names, items = typing.get_args(kind)
        if dataclasses.is_dataclass(items):
            return {
                _value(name, names, f"a key of {key}", where): convert(item, items, f"{key}.{name} of {where}")
                for name, item in value.items()
            }
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        if typing.get_origin(kind) is dict and isinstance(value, dict):
            for name, item in value.items():  # the one that does not fit raises with its name
                _value(item, typing.get_args(kind)[1], f"{key}.{name}", where)
        if typing.get_origin(kind) is Literal and all(
            isinstance(name, str) for name in (value, *typing.get_args(kind))
        ):
            raise unknown_name(key, value, typing.get_args(kind)) from None
        problem, _, place = str(error).partition(" - at `$")
        expected = _choices(kind) or _in_python(problem)
        raise ConfigError(
            f"{key}{place.strip('`')} in {where} must be {expected}. Received: {_shown(value)}."
        ) from None


def _shown(value):
    """A value in an error: whole, unless it would fill the screen."""
    try:
        text = repr(value)
    except ValueError:  # Python writes no number of more than 4,300 digits
        return "a huge number"
    return text if len(text) <= 500 else f"{text[:500]} ..."


def _in_python(problem):
    """What msgspec expected, such as "Expected `int | null`, got `str`", in Python's words: "int | None"."""
    if problem == "Number out of range":
        return "a number that float64 can hold"
    expected = problem.removeprefix("Expected ").split(", got ")[0].replace("`", "")
    for name, word in {"null": "None", "object": "dict", "array": "list"}.items():
        expected = expected.replace(name, word)
    return expected


def _choices(kind):
    """What is valid where that is one of a few values, in words, such as "bool or 'auto'"."""
    choices = (kind,) if typing.get_origin(kind) is Literal else typing.get_args(kind)
    if not any(typing.get_origin(choice) is Literal for choice in choices):
        return ""
    values = (typing.get_args(choice) for choice in choices)
    return " or ".join(" or ".join(map(repr, v)) if v else c.__name__ for c, v in zip(choices, values, strict=True))
