"""How pictures may lie in a folder or archive: each layout gives the same samples, labels and splits from both."""

import zipfile

import numpy as np
import PIL.Image
import pytest

import zoo
from zoo.core.errors import DataError, DataNotFoundError, UnknownNameError


def _write(root, names):
    """Pictures of one grey value each: their number in the list."""
    for value, name in enumerate(names):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        PIL.Image.fromarray(np.full((4, 4), value, "uint8")).save(path)


def _both(root):
    """The folder, and a zip archive of it."""
    archive = root.with_suffix(".zip")
    with zipfile.ZipFile(archive, "w") as file:
        for path in sorted(root.rglob("*")):
            if path.is_file():
                file.write(path, path.relative_to(root).as_posix())
    return root, archive


def _read(data, split="all"):
    """Value of each picture to the name of its class."""
    source = zoo.data.load(data, split)
    names = [None] * len(source) if source.labels is None else [source.class_names[label] for label in source.labels]
    return {int(sample[0, 0, 0]): name for sample, name in zip(source.samples, names, strict=True)}


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["cat/1.png", "dog/2.png", "dog/3.png"], {0: "cat", 1: "dog", 2: "dog"}),
        (["photos/cat/1.png", "photos/dog/2.png", "photos/dog/3.png"], {0: "cat", 1: "dog", 2: "dog"}),
        (["1.png", "2.png", ".git/3.png", "__MACOSX/4.png"], {0: None, 1: None}),
        (["photos/1.png", "photos/2.png"], {0: None, 1: None}),
    ],
)
def test_without_splits(tmp_path, names, expected):
    _write(tmp_path / "root", names)
    for data in _both(tmp_path / "root"):
        for split in ("train", "test", "validation", "all"):
            assert _read(data, split) == expected
        assert zoo.data.load(data).split == "all"


@pytest.mark.parametrize("name", ["val", "valid", "validation", "dev"])
def test_splits(tmp_path, name):
    _write(tmp_path / "root", ["training/cat/1.png", "training/dog/2.png", f"{name}/dog/3.png"])
    for data in _both(tmp_path / "root"):
        assert _read(data, "train") == {0: "cat", 1: "dog"}
        assert _read(data, "validation") == {2: "dog"}
        assert len(_read(data)) == 3
        with pytest.raises(UnknownNameError, match="Unknown split of '.*root.*' 'test'.*train"):
            zoo.data.load(data, "test")


def test_splits_without_classes(tmp_path):
    _write(tmp_path / "root", ["train/1.png", "train/2.png", "test/3.png"])
    for data in _both(tmp_path / "root"):
        assert _read(data, "train") == {0: None, 1: None}
        assert _read(data, "test") == {2: None}


@pytest.mark.parametrize("titles", ["file,label", "Filename,extra,Class", "image,category"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_table(tmp_path, titles, encoding):
    _write(tmp_path / "root", ["1.png", "b/2.png", "b/c/3.png"])
    middle = "x," if "extra" in titles else ""
    rows = [titles, f"1.png,{middle}Löwe", f"./b/2.png,{middle}cat", rf"b\c\3.png,{middle}cat"]
    (tmp_path / "root" / "labels.csv").write_text("\r\n".join(rows), encoding=encoding)
    for data in _both(tmp_path / "root"):
        assert _read(data) == _read(data, "test") == {0: "Löwe", 1: "cat", 2: "cat"}


def test_table_with_splits(tmp_path):
    _write(tmp_path / "root", ["1.png", "2.png", "3.png"])
    table = "file,class,split\n1.png,a,train\n2.png,b,train\n3.png,b,val\n"
    (tmp_path / "root" / "labels.csv").write_text(table, encoding="utf-8")
    for data in _both(tmp_path / "root"):
        assert _read(data, "train") == {0: "a", 1: "b"}
        assert _read(data, "validation") == {2: "b"}
        assert zoo.data.load(data, "validation").class_names == ("a", "b")


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (
            "file,label\n1.png,a\n2.png,b\n9.png,c\n8.png,c\n",
            r"names 2 pictures that are not there, or twice, .*'9.png'",
        ),
        ("file,label\n1.png,a\n1.png,b\n2.png,b\n", r"names 1 pictures that are not there, or twice, .*'1.png'"),
        ("file,label\n1.png,a\n", r"has no row for 1 pictures, such as '2.png'"),
        ("file,label\n1.png,a\n2.png\n", r"has no label for '2.png'"),
        ("1.png,a\n2.png,b\n", r"needs a first row with the columns file and label. Received: \['1.png', 'a'\]"),
        ("", r"needs a first row with the columns file and label. Received: \[\]"),
        (b"file,label\n\xff", r"is not a table of comma-separated values"),
    ],
)
def test_table_that_does_not_fit(tmp_path, table, message):
    _write(tmp_path / "root", ["1.png", "2.png"])
    (tmp_path / "root" / "labels.csv").write_bytes(table if isinstance(table, bytes) else table.encode())
    for data in _both(tmp_path / "root"):
        with pytest.raises(DataError, match=rf"labels.csv in '.*root.*' {message}"):
            zoo.data.load(data)


def test_pictures_beside_their_classes(tmp_path):
    _write(tmp_path / "root", ["cat/1.png", "dog/2.png", "3.png"])
    for data in _both(tmp_path / "root"):
        with pytest.raises(DataError, match=r"1 pictures in '.*root.*' lie beside the folders of the classes.*'3.png'"):
            zoo.data.load(data)


def test_no_pictures(tmp_path):
    (tmp_path / "root" / "train").mkdir(parents=True)
    (tmp_path / "root" / "train" / "notes.txt").write_text("x", encoding="utf-8")
    for data in _both(tmp_path / "root"):
        with pytest.raises(DataNotFoundError, match="No images in '.*root.*': expected <split>/<class>/"):
            zoo.data.load(data)


def test_every_part_holds_all_classes(tmp_path):
    """Also of an archive: who takes the first samples of a stream takes some of each class."""
    _write(tmp_path / "root", [f"{label}/{label}_{i}.png" for label in "ab" for i in range(20)])
    for data in _both(tmp_path / "root"):
        labels = zoo.data.load(data).labels
        assert 3 < labels[:20].sum() < 17
        np.testing.assert_array_equal(labels, zoo.data.load(data).labels)
