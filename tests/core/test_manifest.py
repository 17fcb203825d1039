import json
import os
import threading

import pytest

from zoo.core import files, manifest
from zoo.core.errors import IntegrityError, UnknownNameError

_LIMITS = {"a": 100, "b": 100}


@pytest.fixture
def directory(tmp_path):
    with files.staged(tmp_path / "model", sealed=True) as staging:
        (staging / "a").write_bytes(b"aaa")
        (staging / "b").write_bytes(b"bbb")
    return tmp_path / "model"


def _listed(directory, name, **changes):
    path = directory / "manifest.json"
    content = json.loads(path.read_text())
    content["files"][name].update(changes)
    path.write_text(json.dumps(content))


def _change_size(directory):
    (directory / "a").write_bytes(b"aaaa")


def _change_content(directory):
    (directory / "a").write_bytes(b"aab")


def _remove(directory):
    (directory / "a").unlink()


def _link(directory):
    (directory / "a").rename(directory.parent / "a")
    (directory / "a").symlink_to(directory.parent / "a")


def _pipe(directory):
    (directory / "a").unlink()
    os.mkfifo(directory / "a")


def _folder(directory):
    (directory / "a").unlink()
    (directory / "a").mkdir()


def _not_listed(directory):
    path = directory / "manifest.json"
    content = json.loads(path.read_text())
    del content["files"]["a"]
    path.write_text(json.dumps(content))


def _text(content):
    return lambda directory: (directory / "manifest.json").write_bytes(content)


def _no_manifest(directory):
    (directory / "manifest.json").unlink()


def _linked_manifest(directory):
    (directory / "manifest.json").rename(directory / "c")
    (directory / "manifest.json").symlink_to(directory / "c")


@pytest.mark.parametrize(
    "damage, message",
    [
        (_change_size, "a in '.*model' was changed or damaged: expected 3 bytes, received 4. Restore the file"),
        (
            _change_content,
            "a in '.*' was changed or damaged: expected SHA-256 9834876dcfb0.*, received [0-9a-f]{64}. Restore",
        ),
        (_remove, "'.*model' is incomplete: a is missing."),
        (_link, "'.*model/a' is a symbolic link, or part of a loop of links: put the file itself in its place."),
        (_pipe, "Expected a regular file at '.*model/a'. Received a named pipe."),
        (_folder, "Expected a regular file at '.*model/a'. Received a folder."),
        (_not_listed, "The model in '.*' is incomplete: manifest.json does not list a."),
        (_no_manifest, "'.*model' has no manifest.json, .* zoo seal DIRECTORY. .* pass trust='unsealed'."),
        (_linked_manifest, "'.*manifest.json' is a symbolic link"),
        (_text(b"[" * 100_000), "manifest.json in '.*' is not valid JSON: it is nested too deeply."),
        (_text(b'{"format": 2, "files": {}}'), "damaged manifest.json in '.*': format in .* must be 1. Received: 2."),
        (_text(b'{"format": 1, "files": {"../a": {}}}'), "manifest.json lists '../a', which is no path inside"),
        (_text(b'{"format": 1, "files": {"/a": {}}}'), "manifest.json lists '/a', which is no path inside"),
        (_text(b'{"format": 1, "files": {"a": {"size_bytes": true}}}'), "lacks 'sha256'"),
        (lambda d: _listed(d, "a", size_bytes=True), "size_bytes in 'a' of manifest.json must be int"),
        (
            lambda d: _listed(d, "a", size_bytes=10**12),
            "a in '.*' is too large: expected at most 100 bytes. Received 1,0",
        ),
        (lambda d: _listed(d, "a", sha256="x"), "sha256 in 'a' of manifest.json must be"),
    ],
)
def test_what_is_not_as_the_manifest_says(directory, damage, message):
    damage(directory)
    with pytest.raises(IntegrityError, match=message):
        manifest.read(directory, _LIMITS)


def test_unsealed_reads_a_folder_without_a_manifest_only(directory):
    _change_content(directory)
    with pytest.raises(IntegrityError, match="was changed"):
        manifest.read(directory, _LIMITS, trust="unsealed")
    _no_manifest(directory)
    assert manifest.read(directory, _LIMITS, trust="unsealed") == {"a": b"aab", "b": b"bbb"}
    assert manifest.read(directory, {**_LIMITS, "c": 1}, trust="unsealed", optional=["c"]).keys() == {"a", "b"}
    with pytest.raises(UnknownNameError, match="Unknown trust 'all'. .*Valid: 'sealed', 'unsealed'"):
        manifest.read(directory, _LIMITS, trust="all")


def test_a_link_in_a_path_is_refused(directory):
    with files.staged(directory, sealed=True) as staging:
        (staging / "folder").mkdir()
        (staging / "folder" / "c").write_bytes(b"c")
    assert set(manifest.check(directory)) == {"a", "b", "folder/c"}
    (directory / "folder").rename(directory.parent / "elsewhere")
    (directory / "folder").symlink_to(directory.parent / "elsewhere")
    with pytest.raises(IntegrityError, match="'.*/folder' is a symbolic link: put the folder itself in its place."):
        manifest.check(directory)


def test_readers_beside_a_writer_find_the_old_or_the_new_whole(directory):
    seen, stop = set(), threading.Event()

    def reading():
        while not stop.is_set():
            seen.add(tuple(manifest.read(directory, _LIMITS).values()))

    readers = [threading.Thread(target=reading) for _ in range(2)]
    for reader in readers:
        reader.start()
    for i in range(30):
        with files.staged(directory, sealed=True) as staging:
            for name in "ab":
                (staging / name).write_bytes(b"%d" % i)
    stop.set()
    for reader in readers:
        reader.join()
    assert len(seen) > 1 and all(a == b for a, b in seen if a != b"aaa")


def test_a_file_that_has_not_arrived_is_read_where_it_waits(directory):
    (directory / ".zoo-pending").mkdir()
    assert manifest.arriving(directory / "a") is None
    (directory / ".zoo-pending" / "a").write_bytes(b"new")
    assert manifest.arriving(directory / "a") is None  # not what the manifest lists
    listed = manifest.entries(directory)
    (directory / "manifest.json").write_text(manifest.written({**listed, "a": manifest.entry(b"new")}))
    assert manifest.arriving(directory / "a") == b"new" and manifest.arriving(directory / "b") is None
    assert manifest.read(directory, _LIMITS) == {"a": b"new", "b": b"bbb"}
    (directory / ".zoo-pending").rename(directory.parent / "elsewhere")
    (directory / ".zoo-pending").symlink_to(directory.parent / "elsewhere")
    assert manifest.arriving(directory / "a") is None
