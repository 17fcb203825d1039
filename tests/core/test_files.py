import os
import pathlib
import re
import subprocess
import sys
import threading

import pytest

from zoo.core import files, manifest
from zoo.core.errors import OutputError


def _content(directory):
    return {p.name: p.read_text() for p in directory.iterdir() if p.is_file()}


def _write(directory, text, **options):
    with files.staged(directory, **options) as staging:
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


_KILLED = """
import os, pathlib, sys
sys.path.insert(0, {root!r})
from tests.core.test_files import _write
calls = []
def dying(function):
    def call(*arguments):
        calls.append(arguments)
        if len(calls) == {moment}:
            os._exit(9)
        return function(*arguments)
    return call
os.replace, os.rename = dying(os.replace), dying(os.rename)
_write(pathlib.Path({directory!r}), "new", sealed=True)
"""
_LIMITS = {"a.txt": 100, "folder/b.txt": 100}


@pytest.mark.parametrize("moment", range(1, 6))
def test_killed_at_any_replacement_readers_find_the_old_or_the_new_whole(tmp_path, moment):
    """The process is ended without warning at its n-th renaming: of the scratch folder, the manifest, the others."""
    _write(tmp_path, "old", sealed=True)
    root = str(pathlib.Path(__file__).parents[2])
    code = _KILLED.format(root=root, moment=moment, directory=str(tmp_path))
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == (9 if moment <= 4 else 0)
    before = sorted(path.as_posix() for path in tmp_path.rglob("*"))
    found = manifest.read(tmp_path, _LIMITS)
    expected = "old" if moment <= 2 else "new"
    assert found == {"a.txt": expected.encode(), "folder/b.txt": expected.encode()}
    assert sorted(path.as_posix() for path in tmp_path.rglob("*")) == before  # reading changes nothing
    with files.staged(tmp_path, sealed=True) as staging:
        (staging / "c.txt").write_text("later")
    assert _content(tmp_path).items() >= {"a.txt": expected, "c.txt": "later"}.items()
    assert _content(tmp_path / "folder") == {"b.txt": expected}
    assert {path.name for path in tmp_path.iterdir()} == {"a.txt", "c.txt", "folder", "manifest.json"}
    assert set(manifest.check(tmp_path)) == {"a.txt", "c.txt", "folder/b.txt"}


def test_a_later_writer_removes_what_killed_writers_left(tmp_path):
    code = _KILLED.format(root=str(pathlib.Path(__file__).parents[2]), moment=1, directory=str(tmp_path))
    subprocess.run([sys.executable, "-c", code], check=False)
    assert {path.name[:13] for path in tmp_path.iterdir()} == {".zoo-writing-", ".zoo-lock"}
    _write(tmp_path, "later")
    assert {path.name for path in tmp_path.iterdir()} == {"a.txt", "folder"}


def test_nothing_is_moved_or_removed_through_a_link(tmp_path):
    outside, directory = tmp_path / "outside", tmp_path / "directory"
    for folder in (outside, directory):
        folder.mkdir()
        (folder / "a.txt").write_text(folder.name)
    for name in (".zoo-pending", ".zoo-writing-1", ".zoo-lock"):
        (directory / name).symlink_to(outside)
    _write(directory, "new")
    assert _content(outside) == {"a.txt": "outside"}
    assert {path.name for path in directory.iterdir()} == {"a.txt", "folder"}
    (directory / "a.txt.part").symlink_to(outside / "a.txt")
    with files.replacing(directory / "a.txt") as file:
        file.write(b"newer")
    assert _content(outside) == {"a.txt": "outside"} and _content(directory) == {"a.txt": "newer"}


def test_a_pending_folder_of_another_origin_is_not_moved(tmp_path):
    _write(tmp_path, "old", sealed=True)
    (tmp_path / ".zoo-pending" / "mine").mkdir(parents=True)
    (tmp_path / ".zoo-pending" / "a.txt").write_text("hostile")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    assert manifest.read(tmp_path, _LIMITS)["a.txt"] == b"old"
    with files.staged(tmp_path):
        pass
    assert _content(tmp_path)["a.txt"] == "old" and _content(tmp_path / "mine") == {"letter.txt": "dear"}
    assert not (tmp_path / ".zoo-pending").exists()


def test_a_second_writer_is_refused_with_who_holds_the_folder(tmp_path):
    holder = f"process {os.getpid()} on '.*' since 20"
    refused = []

    def second():
        for writer in (lambda: _write(tmp_path, "second"), lambda: _replace(tmp_path / "b.txt")):
            with pytest.raises(OutputError, match="is being written by (.*). Wait until it ends") as error:
                writer()
            refused.append(str(error.value))

    with files.staged(tmp_path) as staging, files.replacing(tmp_path / "b.txt"):
        (staging / "a.txt").write_text("first")
        thread = threading.Thread(target=second)
        thread.start()
        thread.join()
        with files.held(tmp_path):  # the same thread may
            pass
    assert re.search(holder, refused[0]) and "another process" in refused[1]
    assert _content(tmp_path) == {"a.txt": "first", "b.txt": ""}


def _replace(path):
    with files.replacing(path):
        pass


def test_a_folder_is_not_replaced_by_a_file(tmp_path):
    _write(tmp_path, "old", sealed=True)
    message = "Cannot write the file '.*folder': a folder is in its place. Move it away."
    with pytest.raises(OutputError, match=message), files.staged(tmp_path, sealed=True) as staging:
        (staging / "a.txt").write_text("new")
        (staging / "folder").write_text("new")
    assert manifest.read(tmp_path, _LIMITS)["a.txt"] == b"old"
    assert {path.name for path in tmp_path.iterdir()} == {"a.txt", "folder", "manifest.json"}


def test_a_full_disk_leaves_what_was_there(tmp_path):
    """RLIMIT_FSIZE stands for the disk: writing beyond it fails as a full one does."""
    _write(tmp_path, "old", sealed=True)
    code = f"""
import pathlib, resource, sys
sys.path.insert(0, {str(pathlib.Path(__file__).parents[2])!r})
from tests.core.test_files import _write
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    _write(pathlib.Path({str(tmp_path)!r}), "new" * 1000, sealed=True)
except OSError as error:
    print(type(error).__name__, error)
"""
    printed = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert re.match("OutputError Cannot write to '.*': File too large. Make room there, or choose another", printed)
    assert manifest.read(tmp_path, _LIMITS)["a.txt"] == b"old"
    assert {path.name for path in tmp_path.iterdir()} == {"a.txt", "folder", "manifest.json"}


def test_stale_files_go_with_the_replacement(tmp_path):
    _write(tmp_path, "old", sealed=True)
    with files.staged(tmp_path, sealed=True, stale=["a.txt"]) as staging:
        (staging / "b.txt").write_text("new")
        assert (tmp_path / "a.txt").exists()
    assert set(manifest.check(tmp_path)) == {"b.txt", "folder/b.txt"} and not (tmp_path / "a.txt").exists()


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


def test_devices_pipes_and_folders_are_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "pipe", tmp_path / "folder", pathlib.Path("/dev/null")):
        with pytest.raises(OutputError, match="Cannot write the file '.*': in its place is a folder, a device or a"):
            _replace(path)
    assert not pathlib.Path("/dev/null").is_file()
