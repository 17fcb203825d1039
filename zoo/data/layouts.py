"""How pictures lie in a folder or archive: what their split and class are."""

import csv
import io
from collections.abc import Callable
from typing import NamedTuple

from zoo.core.errors import DataError, DataNotFoundError

TABLE = "labels.csv"
TABLE_BYTES = 2**26
EXPECTED = (
    "expected <split>/<class>/*.jpg or *.png inside, such as train/cat/1.jpg and test/cat/2.jpg; <class>/*.jpg;"
    " *.jpg without classes; or *.jpg and a labels.csv with the columns file, label and, if any, split"
)
# What splits are called, and what they mean; any other name of an outer folder means itself.
_SPLITS = {"training": "train", "val": "validation", "valid": "validation", "dev": "validation", "testing": "test"}
_KNOWN = {"train", "test", "validation", *_SPLITS}
_COLUMNS = {
    "file": ("file", "filename", "file_name", "path", "image", "name"),
    "label": ("label", "class", "category", "target"),
    "split": ("split", "subset"),
}


class Member(NamedTuple):
    """A picture: its split, "" if there are none; its class, None if there are none; its parts below the root."""

    split: str
    label: str | None
    parts: tuple[str, ...]


def arranged(
    where: str, pictures: Callable[[int | None], list[tuple[str, ...]]], table: bytes | None = None
) -> list[Member]:
    """The pictures below a root, with what their places, or a table, say about them; sorted by their places.

    Args:
        where: what errors call the root.
        pictures: function of a depth that gives the parts of all pictures at it; of None, of all pictures.
        table: content of `TABLE`, if there is one.

    Raises:
        DataNotFoundError: no pictures.
        DataError: pictures beside the folders of classes, or a table that is none or names what is not there.
    """
    if table is not None:
        return _of_table(where, sorted(pictures(None)), table)
    for depth in (3, 2, 1):
        if found := sorted(pictures(depth)):
            break
    else:
        raise DataNotFoundError(f"No images in {where}: {EXPECTED}.")
    outer = {parts[0] for parts in found}
    if depth == 3:
        inside = len(outer) == 1 and not outer & _KNOWN  # one folder around those of the classes
        return [Member("" if inside else _split(parts[0]), parts[1], parts) for parts in found]
    if depth == 2:
        if beside := pictures(1):
            raise DataError(
                f"{len(beside)} pictures in {where} lie beside the folders of the classes, such as {beside[0][0]!r}:"
                f" expected all of them inside, or a {TABLE}."
            )
        if outer <= _KNOWN:
            return [Member(_split(parts[0]), None, parts) for parts in found]
        return [Member("", parts[0] if len(outer) > 1 else None, parts) for parts in found]
    return [Member("", None, parts) for parts in found]


def _split(name):
    return _SPLITS.get(name, name)


def _of_table(where, pictures, table):
    name = f"{TABLE} in {where}"
    try:
        rows = [row for row in csv.reader(io.StringIO(table.decode("utf-8-sig"), newline="")) if row]
    except (ValueError, csv.Error) as error:
        raise DataError(f"{name} is not a table of comma-separated values: {str(error)[:200]}.") from error
    titles = [title.strip().lower() for title in rows[0]] if rows else []
    columns = {
        meaning: next((titles.index(title) for title in known if title in titles), None)
        for meaning, known in _COLUMNS.items()
    }
    if columns["file"] is None or columns["label"] is None:
        raise DataError(
            f"{name} needs a first row with the columns file and label. Received: {rows[0] if rows else []}."
        )
    there = {"/".join(parts): parts for parts in pictures}
    members, missing = [], []
    for row in rows[1:]:
        cells = {m: row[c].strip() if c is not None and c < len(row) else "" for m, c in columns.items()}
        file = cells["file"].replace("\\", "/").removeprefix("./")
        if file not in there:
            missing.append(file)
        elif not cells["label"]:
            raise DataError(f"{name} has no label for {file!r}.")
        else:
            members.append(Member(_split(cells["split"]), cells["label"], there.pop(file)))
    if missing:
        raise DataError(
            f"{name} names {len(missing)} pictures that are not there, or twice, such as {missing[0]!r}: expected"
            " paths relative to it."
        )
    if there:
        raise DataError(f"{name} has no row for {len(there)} pictures, such as {next(iter(there))!r}.")
    if not members:
        raise DataNotFoundError(f"No images in {where}: {EXPECTED}.")
    return sorted(members, key=lambda member: member.parts)
