import dataclasses
from typing import Annotated, Literal

import msgspec
import pytest

from zoo.core.errors import ConfigError, UnknownNameError
from zoo.core.schema import Count, Shape, Text, convert


@dataclasses.dataclass(frozen=True)
class Inner:
    shape: Shape
    share: Annotated[float, msgspec.Meta(ge=0, lt=1)] = 0.0


@dataclasses.dataclass(frozen=True)
class Outer:
    name: Text
    inner: Inner
    count: Count | None = None
    mode: Literal["constant", "cosine"] = "constant"
    compiled: bool | Literal["auto"] = "auto"
    format: Literal[1] = 1
    metrics: dict[str, float] = dataclasses.field(default_factory=dict)


GOOD = {"name": "a", "inner": {"shape": [8, 8, 1], "share": 0}}


def test_nested_values_are_typed():
    assert convert({**GOOD, "metrics": {"mse": 1}}, Outer, "it") == Outer("a", Inner((8, 8, 1)), metrics={"mse": 1.0})
    inner = Inner((3,), 0.5)
    assert convert({"name": "a", "inner": inner}, Outer, "it").inner is inner


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": 3}, "name in it must be str. Received: 3."),
        ({"name": ""}, "name in it must be str of length >= 1. Received: ''."),
        ({"count": "a"}, "count in it must be int | None. Received: 'a'."),
        ({"count": True}, "count in it must be int | None. Received: True."),
        ({"count": -3}, "count in it must be int >= 0. Received: -3."),
        ({"count": 2.0}, "count in it must be int | None. Received: 2.0."),
        ({"compiled": "no"}, "compiled in it must be bool or 'auto'. Received: 'no'."),
        ({"compiled": 1}, "compiled in it must be bool or 'auto'. Received: 1."),
        ({"format": "1"}, "format in it must be 1. Received: '1'."),
        ({"mode": 3}, "mode in it must be 'constant' or 'cosine'. Received: 3."),
        ({"metrics": {"mse": 1.0, "bce": "x"}}, "metrics.bce in it must be float. Received: 'x'."),
        ({"metrics": [1.0]}, "metrics in it must be dict. Received: [1.0]."),
        ({"inner": {"shape": [8, "x"]}}, "shape[1] in inner of it must be int. Received: [8, 'x']."),
        ({"inner": {"shape": [8], "share": 1.0}}, "share in inner of it must be float < 1.0. Received: 1.0."),
        ({"inner": {"shape": 8}}, "shape in inner of it must be list. Received: 8."),
        ({"inner": 5}, "inner of it must be a table with the keys ['shape', 'share']. Received: 5."),
        ({"inner": {"share": 0.5}}, "inner of it lacks 'shape'. Received keys ['share']."),
    ],
)
def test_what_does_not_fit_is_named(change, message):
    with pytest.raises(ConfigError) as error:
        convert({**GOOD, **change}, Outer, "it")
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"nmae": 1}, "Unknown key in it: 'nmae'. Did you mean 'name'"),
        ({"inner": {"shape": [8], "shar": 0}}, "Unknown key in inner of it: 'shar'. Did you mean 'share' or 'shape'?"),
        ({"mode": "cosinus"}, "Unknown mode 'cosinus'. Did you mean 'cosine'"),
    ],
)
def test_unknown_names_have_a_nearest_one(change, message):
    with pytest.raises(UnknownNameError) as error:
        convert({**GOOD, **change}, Outer, "it")
    assert str(error.value).startswith(message)
