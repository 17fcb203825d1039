"""Writing a recipe as TOML."""

import json
from typing import Any


def written(tables: dict[str, Any], comments: tuple[str, ...] = ()) -> str:
    """A recipe as text: plain values first, each dictionary as a table of its own, what is inside it in one line.

    Example:
        >>> written({"dataset": "photos", "training": {"epochs": 3}}, ("Written by hand.",))
        '# Written by hand.\\ndataset = "photos"\\n\\n[training]\\nepochs = 3\\n'
    """
    lines = [f"# {comment}" for comment in comments]
    lines += [f"{key} = {_value(value)}" for key, value in tables.items() if not isinstance(value, dict)]
    for name, table in tables.items():
        if isinstance(table, dict):
            lines += ["", f"[{name}]", *(f"{key} = {_value(value)}" for key, value in table.items())]
    return "\n".join(lines) + "\n"


def _value(value):
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_value(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_value, value)) + "]"
    return json.dumps(value, ensure_ascii=False).replace(
        "\x7f", "\\u007f"
    )  # of text, numbers and bools TOML's is the same
