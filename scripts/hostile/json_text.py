"""JSON changed with its structure in mind: types, extremes, depth, duplicate keys, and texts that are hardly JSON."""

import copy
import json

_DEPTH = 100_000
# Texts of values, some of which no JSON writer would write.
_VALUES = {
    "null": "null",
    "true": "true",
    "empty list": "[]",
    "empty table": "{}",
    "empty text": '""',
    "zero": "0",
    "minus one": "-1",
    "minus zero": "-0.0",
    "fraction": "1.5",
    "large": "1000000",
    "2**31": "2147483648",
    "2**63": "9223372036854775808",
    "400 digits": "1" + "0" * 400,
    "100,000 digits": "1" + "0" * 100_000,
    "1e308": "1e308",
    "1e400": "1e400",
    "tiny": "1e-300",
    "NaN": "NaN",
    "Infinity": "Infinity",
    "text NaN": '"NaN"',
    "long text": '"' + "x" * 1_000_000 + '"',
    "null character": '"a\\u0000b"',
    "lone surrogate": '"\\ud800"',
    "path upwards": '"../canary/secret.txt"',
    "absolute path": '"/etc/hostname"',
    "deep list": "[" * _DEPTH + "]" * _DEPTH,
    "deep table": '{"a":' * _DEPTH + "1" + "}" * _DEPTH,
    "rather deep list": "[" * 900 + "]" * 900,
    "many numbers": "[" + ",".join(["1"] * 100_000) + "]",
    "lambda": '{"class_name": "__lambda__", "config": {"value": "4wEA"}}',
    "module": '{"module": "os", "class_name": "system", "config": "true", "registered_name": null}',
}
_MARK = "@here@"


def _paths(value, path=()):
    """The paths of all values in a JSON value, its own first."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from _paths(inner, (*path, key))


def _get(value, path):
    for key in path:
        value = value[key]
    return value


def _with(value, path, new):
    if not path:
        return new
    value = copy.deepcopy(value)
    _get(value, path[:-1])[path[-1]] = new
    return value


def _extreme(value, rng):
    path, name = rng.choice(list(_paths(value))), rng.choice(list(_VALUES))
    return json.dumps(_with(value, path, _MARK)).replace(f'"{_MARK}"', _VALUES[name]), f"{name} at {_name(path)}"


def _neighbour(value, rng):
    """A value that would be valid in itself: another number, text of the same file, type or order."""
    paths = list(_paths(value))
    path = rng.choice(paths)
    old = _get(value, path)
    if isinstance(old, bool):
        new = not old
    elif isinstance(old, int | float):
        new = rng.choice((old + 1, old - 1, old * 2, -old, float(old), str(old), [old], old * 1000))
    elif isinstance(old, str):
        texts = [v for p in paths if isinstance(v := _get(value, p), str)]
        new = rng.choice((*texts, old + " ", old.upper(), old[:-1], [old], "selu", "tanh", "linear", "relu", 3))
    elif isinstance(old, list) and old:
        new = rng.choice((old[:-1], old + old[-1:], old[::-1], old * 100, {str(i): x for i, x in enumerate(old)}))
    elif isinstance(old, dict) and old:
        key = rng.choice(list(old))
        rest = {k: v for k, v in old.items() if k != key}
        new = rng.choice((rest, {**rest, f"{key}_": old[key]}, {**old, "unknown": 1}, list(old.values()), [old]))
    else:
        new = rng.choice((0, 1, "relu", [1], {"type": "gaussian", "stddev": 0.5}, True))
    return json.dumps(_with(value, path, new)), f"{json.dumps(new)[:60]} at {_name(path)}"


def _swapped(value, rng):
    paths = [path for path in _paths(value) if path]
    if len(paths) < 2:
        return _extreme(value, rng)
    a, b = rng.sample(paths, 2)
    if a[: len(b)] == b or b[: len(a)] == a:
        return _neighbour(value, rng)
    changed = _with(_with(value, a, _get(value, b)), b, _get(value, a))
    return json.dumps(changed), f"{_name(a)} and {_name(b)} swapped"


def _duplicate(value, rng):
    """A key twice in one table; readers disagree on which counts."""
    tables = [path for path in _paths(value) if isinstance(_get(value, path), dict) and _get(value, path)]
    if not tables:
        return _extreme(value, rng)
    path = rng.choice(tables)
    table = _get(value, path)
    key = rng.choice(list(table))
    other = rng.choice(list(_VALUES.values())[:12])
    double = "{" + f"{json.dumps(key)}: {other}, " + json.dumps(table)[1:]
    return json.dumps(_with(value, path, _MARK)).replace(f'"{_MARK}"', double), f"{key!r} twice at {_name(path)}"


def _nested(value, rng):
    """A table inside itself, many times."""
    depth = rng.choice((10, 100, 900, 5_000))
    tables = [path for path in _paths(value) if isinstance(_get(value, path), dict)]
    if not tables:
        return _extreme(value, rng)
    table = _get(value, rng.choice(tables))
    key = rng.choice(("backbone", "config", "layers", *table))
    text = json.dumps({**table, key: _MARK})
    head, tail = text.split(f'"{_MARK}"', 1)
    return head * depth + json.dumps(value) + tail * depth, f"{depth} levels of {key!r}"


def _digit(value, rng):
    """One digit becomes another one: the text keeps its length, and is as valid as before."""
    text = json.dumps(value, indent=2)
    places = [i for i, character in enumerate(text) if character.isdigit()]
    if not places:
        return _neighbour(value, rng)
    place = rng.choice(places)
    digit = rng.choice([d for d in "123456789" if d != text[place]])
    return f"{text[:place]}{digit}{text[place + 1 :]}\n", f"digit at {place}"


def _encoded(value, rng):
    text = json.dumps(value, indent=2)
    name, content = rng.choice(
        (
            ("byte order mark", b"\xef\xbb\xbf" + text.encode()),
            ("UTF-16", text.encode("utf-16")),
            ("not UTF-8", text.encode().replace(b'"', b'"\xff', 1)),
            ("two values", text.encode() * 2),
            ("comment", b"// comment\n" + text.encode()),
            ("trailing comma", text.encode().replace(b"\n}", b",\n}")),
            ("single quotes", text.replace('"', "'").encode()),
            ("40 MB of blanks", b" " * 40_000_000 + text.encode()),
            ("null character", text.encode() + b"\0"),
        )
    )
    return content, name


_MUTATIONS = {_extreme: 5, _neighbour: 6, _digit: 4, _swapped: 1, _duplicate: 1, _nested: 1, _encoded: 1}


def mutated(data: bytes, rng) -> tuple[bytes, str]:
    """A JSON text after one mutation, which differs in content, and what was changed."""
    value = json.loads(data)
    while True:
        changed, detail = rng.choices(list(_MUTATIONS), list(_MUTATIONS.values()))[0](value, rng)
        changed = changed.encode() if isinstance(changed, str) else changed
        if changed != json.dumps(value).encode():
            return changed, detail


def _name(path):
    return "/".join(map(str, path)) or "the top"
