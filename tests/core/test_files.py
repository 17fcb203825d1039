import pathlib
import subprocess
import sys

import pytest

from zoo.core import files
from zoo.core.errors import OutputError


def _content(directory):
    return {p.name: p.read_text() for p in directory.iterdir() if p.is_file()}


def _write(directory, text):
    with files.staged(directory) as staging:
        (staging / "a.txt").write_text(text)
        (staging / "folder").mkdir()
        (staging / "folder" / "b.txt").write_text(text)


def test_replaces_all_and_leaves_other_files_alone(tmp_path):
    _write(tmp_path, "old")
    (tmp_path / "mine.txt").write_text("mine")
    (tmp_path / "folder" / "stale.txt").write_text("stale")
    _write(tmp_path, "new")
    assert _content(tmp_path) == {"a.txt": "new", "mine.txt": "mine"}
    assert _content(tmp_path / "folder") == {"b.txt": "new"}
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.txt", "folder", "mine.txt"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_an_interrupted_write_leaves_what_was_there(tmp_path, error):
    _write(tmp_path, "old")
    with pytest.raises(error), files.staged(tmp_path) as staging:
        (staging / "a.txt").write_text("half")
        raise error
    assert _content(tmp_path) == {"a.txt": "old"}
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.txt", "folder"]


def test_an_interrupted_first_write_leaves_nothing(tmp_path):
    with pytest.raises(KeyboardInterrupt), files.staged(tmp_path / "new") as staging:
        (staging / "a.txt").write_text("half")
        raise KeyboardInterrupt
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("moment", range(1, 4))
def test_killed_at_any_replacement_the_next_reader_finishes_it(tmp_path, moment):
    """The process is ended without warning at its n-th os.replace; nothing old and new is ever mixed afterwards."""
    _write(tmp_path, "old")
    code = f"""
import os, sys
from zoo.core import files
original, calls = os.replace, []
def replace(source, target):
    calls.append(target)
    if len(calls) == {moment}:
        os._exit(9)
    original(source, target)
os.replace = replace
sys.path.insert(0, {str(pathlib.Path(__file__).parents[2])!r})
from tests.core.test_files import _write
import pathlib
_write(pathlib.Path({str(tmp_path)!r}), "new")
"""
    code = subprocess.run([sys.executable, "-c", code], check=False).returncode
    assert code == (9 if moment <= 2 else 0)
    files.recover(tmp_path)
    assert _content(tmp_path) == {"a.txt": "new"}
    assert _content(tmp_path / "folder") == {"b.txt": "new"}


def test_unwritable_directory(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="Cannot write to '.*file/inside': Not a directory. Choose a directory"):
        _write(tmp_path / "file" / "inside", "x")


def test_sha256_of_a_directory_sees_names_and_contents(tmp_path):
    digests = set()
    for name, text in (("a", "1"), ("a", "2"), ("b", "1")):
        directory = tmp_path / f"{name}{text}"
        directory.mkdir()
        (directory / name).write_text(text)
        digests.add(files.sha256(directory))
        assert files.size_bytes(directory) == 1
    assert len(digests) == 3


def test_a_replaced_file_is_whole_or_as_it_was(tmp_path):
    path = tmp_path / "a.json"
    for text in ("old", "new"):
        with files.replacing(path) as file:
            file.write(text.encode())
            assert not path.exists() or path.read_text() == "old"
    with pytest.raises(KeyboardInterrupt), files.replacing(path) as file:
        file.write(b"half")
        raise KeyboardInterrupt
    assert _content(tmp_path) == {"a.json": "new"}


def test_check_writable_leaves_nothing(tmp_path):
    files.check_writable(tmp_path / "new" / "directory")
    assert list((tmp_path / "new" / "directory").iterdir()) == []
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="Cannot write to"):
        files.check_writable(tmp_path / "file")
