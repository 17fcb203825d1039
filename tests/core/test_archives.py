import io
import os
import stat
import struct
import threading
import time
import tracemalloc
import zipfile

import psutil
import pytest

from zoo.core import archives
from zoo.core.errors import ConfigError, DataError, DataNotFoundError


def _zip(path, members, **options):
    with zipfile.ZipFile(path, "w", **options) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return path


def _patched(path, name, offset, form, value):
    """Change a field of the directory entry of `name`; offsets as in the specification of the format (4.3.12)."""
    data = bytearray(path.read_bytes())
    at = data.rindex(name.encode()) - 46
    assert data[at : at + 4] == b"PK\1\2"
    struct.pack_into(form, data, at + offset, value)
    path.write_bytes(data)
    return path


def test_what_it_reads(tmp_path):
    content = bytes(range(256)) * 100
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("folder/", b"")
        file.writestr("folder/stored\n.bin", content)
        file.writestr("ünï.bin", content, zipfile.ZIP_DEFLATED)
        file.writestr("empty", b"", zipfile.ZIP_DEFLATED)
    with archives.opened(path, limit=2 * len(content)) as archive:
        assert archive.read("folder/stored\n.bin") == archive.read("ünï.bin", limit=len(content)) == content
        assert archive.read("empty") == b""
        with pytest.raises(DataError, match=r"a.zip': member 'ünï.bin' is damaged \(more than 25,599 bytes\)"):
            archive.read("ünï.bin", limit=len(content) - 1)
        file = archive.fp
    assert file.closed
    (tmp_path / "link.zip").symlink_to(path)
    path.write_bytes(b"MZ program" + path.read_bytes())  # a self-extracting archive
    with archives.opened(tmp_path / "link.zip") as archive:
        assert archive.read("ünï.bin") == content


def test_threads_read_together(tmp_path):
    path = _zip(tmp_path / "a.zip", {str(i): bytes([i]) * 10_000 for i in range(200)})
    with archives.opened(path) as archive:
        found = {}
        threads = [
            threading.Thread(target=lambda k=k: found.update({i: archive.read(str(i)) for i in range(k, 200, 8)}))
            for k in range(8)
        ]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
    assert found == {i: bytes([i]) * 10_000 for i in range(200)}


@pytest.mark.parametrize(
    "name", ["/etc/x", "../x", "a/../../x", "a/..", "C:/x", "c:x", "a\\b", "..\\x", "x\ny/../z", "\\\\server\\x"]
)
def test_names_that_lead_out(tmp_path, name):
    path = _zip(tmp_path / "a.zip", {"fine": b"", name: b"x"})
    with pytest.raises(DataError) as caught:
        archives.opened(path)
    assert f"a.zip' is refused: member {name!r} has a path that may lead out of a folder" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_names_that_do_not(tmp_path):
    names = ["..a/b..", "a/...", "x\n\x1b[2J", "ab:c", "ﬁ\u202e.png", "con"]
    with archives.opened(_zip(tmp_path / "a.zip", dict.fromkeys(names, b"1"))) as archive:
        assert archive.namelist() == names
    with archives.opened(_zip(tmp_path / "empty.zip", {})) as archive:
        assert archive.namelist() == []


def _null(path):
    _zip(path, {"a.png_evil": b"x"})
    path.write_bytes(path.read_bytes().replace(b"a.png_evil", b"a.png\0evil"))


def _duplicate(path):
    with zipfile.ZipFile(path, "w") as file, pytest.warns(UserWarning, match="Duplicate"):
        file.writestr("twice", b"1")
        file.writestr("twice", b"2")


def _link(path):
    entry = zipfile.ZipInfo("link.png")
    entry.create_system, entry.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(entry, "/etc/passwd")


def _device(path):
    entry = zipfile.ZipInfo("zero")
    entry.external_attr = (stat.S_IFCHR | 0o666) << 16
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(entry, b"")


def _overlapping(path):
    """Two entries of the directory for one piece of data, as in Fifield's bomb."""
    _zip(path, {"one": b"x" * 100, "two": b"x" * 100})
    _patched(path, "two", 42, "<I", 0)


def _beyond_the_directory(path):
    _zip(path, {"one": b"x" * 100})
    _patched(path, "one", 20, "<I", 150)
    _patched(path, "one", 24, "<I", 150)


_REFUSED = {
    "null": (_null, r"member 'a.png\\x00evil' has a path that may lead out"),
    "duplicate": (_duplicate, "two members have the name 'twice'"),
    "encrypted": (
        lambda path: _patched(_zip(path, {"secret": b"x"}), "secret", 8, "<H", 1),
        "member 'secret' is encrypted",
    ),
    "link": (_link, "member 'link.png' is a link or a device, not a file"),
    "device": (_device, "member 'zero' is a link or a device, not a file"),
    "lzma": (
        lambda path: _zip(path, {"a": b"x"}, compression=zipfile.ZIP_LZMA),
        "member 'a' is compressed by another method than deflate",
    ),
    "two sizes": (lambda path: _patched(_zip(path, {"one": b"x"}), "one", 24, "<I", 7), "'one' has two different siz"),
    "overlapping": (_overlapping, "member 'one' overlaps with another one|member 'two' overlaps with another one"),
    "beyond": (_beyond_the_directory, "member 'one' overlaps with another one"),
    "bomb": (
        lambda path: _zip(path, {"zeros": bytes(2**28 + 1)}, compression=zipfile.ZIP_DEFLATED),
        r"its 26\d,\d{3} bytes unpack to 268,435,457, as in a decompression bomb",
    ),
    "many": (lambda path: _zip(path, dict.fromkeys(map(str, range(12)), b"")), "damaged or not .*more than 10 members"),
    "empty": (lambda path: path.write_bytes(b""), "damaged or not a zip archive .File is not a zip file"),
    "text": (lambda path: path.write_bytes(b"no zip"), "damaged or not a zip archive .File is not a zip file"),
    "no UTF-8": (
        lambda path: path.write_bytes(_zip(path, {"ü": b""}).read_bytes().replace("ü".encode(), b"\xff\xff")),
        "damaged or not a zip archive .'utf-8' codec can't decode",
    ),
    "newer": (
        lambda path: _patched(_zip(path, {"one": b""}), "one", 6, "<H", 99),
        "damaged or not a zip archive .zip file version 9.9",
    ),
}


@pytest.mark.parametrize("kind", _REFUSED)
def test_refused(tmp_path, kind):
    write, message = _REFUSED[kind]
    path = tmp_path / "a.zip"
    write(path)
    before = psutil.Process().num_fds()
    with pytest.raises(ConfigError, match=f"a.zip' is .*({message})"):
        archives.opened(path, members=10, error=ConfigError)
    assert psutil.Process().num_fds() == before


def test_limit_of_all_members(tmp_path):
    path = _zip(tmp_path / "a.zip", {"a": bytes(60), "b": bytes(60)})
    with pytest.raises(DataError, match="members unpack to 120 bytes, more than 100"):
        archives.opened(path, limit=100)
    archives.opened(path, limit=120).close()


def test_not_a_regular_file(tmp_path):
    os.mkfifo(tmp_path / "pipe.zip")
    (tmp_path / "folder.zip").mkdir()
    (tmp_path / "zero.zip").symlink_to("/dev/zero")
    (tmp_path / "loop.zip").symlink_to("loop.zip")
    for name, message in {"pipe": "a named pipe", "folder": "a folder", "zero": "a device", "loop": "loop of"}.items():
        with pytest.raises(DataError, match=f"{name}.zip' ?.*{message}"):
            archives.opened(tmp_path / f"{name}.zip")
    with pytest.raises(DataNotFoundError, match="No such file: '.*absent.zip'"):
        archives.opened(tmp_path / "absent.zip")


@pytest.mark.parametrize(("field", "form", "value"), [(16, "<I", 1), (24, "<I", 5), (24, "<I", 2000), (20, "<I", 3)])
def test_a_member_that_is_not_as_stated(tmp_path, field, form, value):
    """Another checksum; longer or shorter than stated; cut off."""
    path = _zip(tmp_path / "a.zip", {"one": b"0123456789" * 100}, compression=zipfile.ZIP_DEFLATED)
    with (
        archives.opened(_patched(path, "one", field, form, value)) as archive,
        pytest.raises(DataError, match="a.zip': member 'one' is damaged"),
    ):
        archive.read("one")


def test_a_member_longer_than_stated_is_not_unpacked(tmp_path):
    path = _zip(tmp_path / "a.zip", {"one": bytes(2**27)}, compression=zipfile.ZIP_DEFLATED)
    archive = archives.opened(_patched(path, "one", 24, "<I", 100))
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match="member 'one' is damaged"):
            archive.read("one")
        assert tracemalloc.get_traced_memory()[1] < 2e6
    finally:
        tracemalloc.stop()


def test_a_directory_of_many_entries_is_not_built(tmp_path):
    """64 MB of directory entries would become more than a GB of objects."""
    entry = b"PK\1\2" + bytes(24) + struct.pack("<H", 1) + bytes(16) + b"x"
    directory = entry * 1_400_000
    end = b"PK\5\6" + struct.pack("<4H2IH", 0, 0, 65535, 65535, len(directory), 0, 0)
    path = tmp_path / "a.zip"
    path.write_bytes(directory + end)
    del directory
    begin = time.process_time()
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match="damaged or not a zip archive .more than 1,048,576 members"):
            archives.opened(path)
        assert tracemalloc.get_traced_memory()[1] < 2e8
    finally:
        tracemalloc.stop()
    assert time.process_time() - begin < 5


def test_every_flipped_byte_and_every_cut_is_read_or_refused(tmp_path):
    members = {"train/a/0.png": b"0123456789" * 20, "x": b"abc", "empty": b""}
    whole = _zip(tmp_path / "whole.zip", members, compression=zipfile.ZIP_DEFLATED).read_bytes()
    path, refused = tmp_path / "a.zip", 0
    changed = [whole[:i] for i in range(len(whole))]
    changed += [whole[:i] + bytes([whole[i] ^ flip]) + whole[i + 1 :] for i in range(len(whole)) for flip in (1, 255)]
    for content in changed:
        path.write_bytes(content)
        try:
            with archives.opened(path) as archive:
                for entry in archive.infolist():
                    if entry.orig_filename in members:
                        assert archive.read(entry) == members[entry.orig_filename]
        except DataError as error:
            assert str(error).startswith(f"{str(path)!r}")
            refused += 1
    assert refused > len(whole)


def test_what_numpy_writes(tmp_path):
    import numpy as np

    with open(tmp_path / "a.npz", "wb") as file:
        np.savez_compressed(file, x=np.arange(1000))
    with archives.opened(tmp_path / "a.npz") as archive:
        np.testing.assert_array_equal(np.load(io.BytesIO(archive.read("x.npy"))), np.arange(1000))
