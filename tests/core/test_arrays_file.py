import io
import os
import resource
import struct
import subprocess
import sys
import time
import zipfile

import numpy as np
import pytest

from zoo.core import arrays_file
from zoo.core.errors import DataError, DataNotFoundError, IntegrityError


def _npy(array):
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def _with_header(header, data=b"", version=1):
    form = "<H" if version == 1 else "<I"
    return b"\x93NUMPY" + bytes([version, 0]) + struct.pack(form, len(header)) + header.encode("latin-1") + data


_ARRAYS = [
    np.arange(6).reshape(2, 3),
    np.asfortranarray(np.arange(12.0).reshape(3, 4)),
    np.array("text"),
    np.array(["ab", "ü", ""], ">U3"),
    np.array([b"ab", b""]),
    np.zeros((0, 3)),
    np.array([True, False]),
    np.arange(3, dtype=">i4"),
    np.array([1, np.nan, np.inf], "float16"),
    np.array(3.0),
    np.arange(30.0).reshape(5, 2, 3)[:, ::-1],
    np.arange(2, dtype="complex64"),
    np.zeros(2**24 + 1, "uint8"),  # more than is read at once
]


def _same(a, b):
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


@pytest.mark.parametrize("array", _ARRAYS, ids=lambda a: f"{a.dtype.str}{a.shape}")
def test_what_numpy_writes(tmp_path, array):
    np.save(tmp_path / "a.npy", array)
    for source in (tmp_path / "a.npy", str(tmp_path / "a.npy"), (tmp_path / "a.npy").read_bytes()):
        found = arrays_file.read_array(source)
        assert _same(found, np.load(tmp_path / "a.npy"))
        assert found.flags.writeable


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_archives(tmp_path, save):
    save(tmp_path / "a.npz", **{f"{i}/x": array for i, array in enumerate(_ARRAYS)})
    for source in (tmp_path / "a.npz", (tmp_path / "a.npz").read_bytes()):
        found = arrays_file.read_arrays(source)
        assert list(found) == [f"{i}/x" for i in range(len(_ARRAYS))]
        assert all(_same(a, b) for a, b in zip(found.values(), _ARRAYS, strict=True))


def test_other_writers():
    data = np.arange(6, dtype="<f4").tobytes()
    for header in (
        "{'descr': '<f4', 'fortran_order': False, 'shape': (6,)}",
        "{'shape':(2, 3),'fortran_order':True,'descr':'<f4'}\n",
        '{"descr": "<f4", "fortran_order": False, "shape": (3, 2), }',
    ):
        for version in (1, 2, 3):
            content = _with_header(header, data, version)
            assert _same(arrays_file.read_array(content), np.load(io.BytesIO(content)))


_BAD = {
    "empty": (b"", "does not begin as a .npy file"),
    "text": (b"hello, world", "does not begin as a .npy file"),
    "version 9": (b"\x93NUMPY\x09\0" + _npy(np.zeros(3))[8:], "does not begin as a .npy file"),
    "truncated": (
        _npy(np.zeros(3))[:-1],
        r"an array of shape \(3,\) and dtype float64 takes 24 bytes, the file has 23",
    ),
    "longer": (
        _npy(np.zeros(3)) + b"\0",
        r"an array of shape \(3,\) and dtype float64 takes 24 bytes, the file has 25",
    ),
    "objects": (_npy(np.array([{}], object)), "Python objects, which could run code when they are read"),
    "records": (_npy(np.zeros(3, [("a", "f4"), ("b", "f8")])), "records of several fields"),
    "dates": (_npy(np.array(["2026-01-01"], "M8[D]")), r"datetime64\[D\] is neither of numbers nor of text"),
    "void": (_npy(np.zeros(3, "V8")), "neither of numbers nor of text"),
    "no width": (_with_header("{'descr': '<U0', 'fortran_order': False, 'shape': (10000000000000,), }"), "neither of"),
    "no dtype": (_with_header("{'descr': 'zebra', 'fortran_order': False, 'shape': (1,), }", b"1"), "'zebra' does not"),
    "comma": (_with_header("{'descr': 'f4,f4', 'fortran_order': False, 'shape': (1,), }", bytes(8)), "neither of"),
    "subarray": (_with_header("{'descr': '(9,)f4', 'fortran_order': False, 'shape': (1,), }", bytes(36)), "neither of"),
    "absurd shape": (
        _with_header("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000, 1000000, 1000000), }", bytes(8)),
        "takes 8,000,000,000,000,000,000 bytes, the file has 8",
    ),
    "absurd dtype": (
        _with_header("{'descr': '<U500000000', 'fortran_order': False, 'shape': (1,), }", bytes(8)),
        "takes 2,000,000,000 bytes, the file has 8",
    ),
    "absurd digits": (
        _with_header("{'descr': '<f8', 'fortran_order': False, 'shape': (" + "9" * 5000 + ",), }", bytes(8)),
        "it is damaged .ValueError",
    ),
    "absurd and empty": (
        _with_header("{'descr': '<f8', 'fortran_order': False, 'shape': (0, " + "9" * 30 + "), }"),
        "it is damaged",
    ),
    "axes": (
        _with_header("{'descr': '<f8', 'fortran_order': False, 'shape': (" + "1," * 99 + "), }", bytes(8)),
        "damag",
    ),
    "negative": (_with_header("{'descr': '<f8', 'fortran_order': False, 'shape': (-1,), }", bytes(8)), "header is dam"),
    "deep": (_with_header("(" * 5000 + ")" * 4999), "its header is damaged"),
    "signs": (_with_header("-" * 9999), "its header is damaged"),
    "long header": (_with_header("{" * 60_000), "its header has 60,000 bytes, more than 10,000"),
    "longest header": (b"\x93NUMPY\2\0\xff\xff\xff\xff{", "its header has 4,294,967,295 bytes"),
    "no UTF-8": (_with_header("{'descr': '\xff'}", version=3), "it is damaged .UnicodeDecodeError"),
    "code": (
        _with_header("{'descr': __import__('os').abort(), 'fortran_order': False, 'shape': (1,), }", b"1"),
        "its header is damaged",
    ),
    "booleans": (_npy(np.array([0, 2], "uint8")).replace(b"|u1", b"|b1"), "booleans that are neither true nor false"),
    "characters": (_npy(np.array([0x110000], "<u4")).replace(b"<u4", b"<U1"), "characters that do not exist"),
}


@pytest.mark.parametrize("kind", _BAD)
def test_refused(tmp_path, kind):
    content, message = _BAD[kind]
    path = tmp_path / "a\n.npy"
    path.write_bytes(content)
    begin = time.process_time()
    with pytest.raises(IntegrityError, match=message) as caught:
        arrays_file.read_array(path, error=IntegrityError)
    assert str(caught.value).startswith(f"{str(path)!r} is not a plain NumPy file: ")
    assert "\n" not in str(caught.value)
    with pytest.raises(DataError, match="This file is not a plain NumPy file"):
        arrays_file.read_array(content)
    archive = tmp_path / "a.npz"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("x.npy", content)
    with pytest.raises(DataError, match=message) as caught:
        arrays_file.read_arrays(archive, where="The golden output")
    assert str(caught.value).startswith("The golden output is not a plain NumPy file: array 'x': ")
    assert time.process_time() - begin < 2


def test_not_a_regular_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "zero").symlink_to("/dev/zero")
    (tmp_path / "loop").symlink_to("loop")
    np.save(tmp_path / "a.npy", np.zeros(3))
    (tmp_path / "link").symlink_to("a.npy")
    for read in (arrays_file.read_array, arrays_file.read_arrays):
        for name, problem in {"pipe": "a named pipe", "folder": "a folder", "zero": "a device", "loop": "loop"}.items():
            with pytest.raises(DataError, match=f"{name}'.* {problem}"):
                read(tmp_path / name)
        with pytest.raises(DataNotFoundError, match="No such file: '.*absent'"):
            read(tmp_path / "absent")
        with pytest.raises(DataError, match="is a symbolic link"):
            read(tmp_path / "link", follow_links=False)
    assert arrays_file.read_array(tmp_path / "link").shape == (3,)


def test_bombs(tmp_path):
    """An archive of zeros, honest or not about their number, and an array of more than the free memory."""
    content = _npy(np.zeros(2**28 + 2**20, "uint8"))
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("x.npy", content)
    with pytest.raises(DataError, match="not a plain NumPy file: .*unpack to 26.*, as in a decompression bomb"):
        arrays_file.read_arrays(path)
    data = bytearray(path.read_bytes())
    at = data.rindex(b"PK\1\2")
    struct.pack_into("<I", data, at + 24, 200)
    path.write_bytes(data)
    with pytest.raises(DataError, match="array 'x': it is damaged .BadZipFile: Bad CRC-32"):
        arrays_file.read_arrays(path)
    with open(tmp_path / "sparse.npy", "wb") as file:
        file.write(_with_header("{'descr': '|u1', 'fortran_order': False, 'shape': (10000000000000,), }"))
        file.truncate(file.tell() + 10_000_000_000_000)
    begin = time.process_time()
    with pytest.raises(
        DataError, match=r"its 10,000,000,000,000 bytes do not fit into the [\d,]+ bytes of free memory"
    ):
        arrays_file.read_array(tmp_path / "sparse.npy")
    assert time.process_time() - begin < 1


def test_memory_that_the_system_does_not_give(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros(2**29, "uint8"))
    code = f"""
from zoo.core import arrays_file
from zoo.core.errors import DataError
import psutil
import resource
resource.setrlimit(resource.RLIMIT_AS, (psutil.Process().memory_info().vms + 2**28, resource.RLIM_INFINITY))
try:
    arrays_file.read_array({str(tmp_path / "a.npy")!r})
except DataError as error:
    print(error)
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert found == f"{str(tmp_path / 'a.npy')!r} does not fit into memory.\n"


def test_every_flipped_byte_and_every_cut_of_an_archive_is_read_or_refused(tmp_path):
    """Other numbers never pass: each array has a checksum."""
    arrays = {"x": np.arange(12.0).reshape(3, 4), "labels": np.array(["a", "b", "a"])}
    np.savez_compressed(tmp_path / "a.npz", **arrays)
    whole, refused = (tmp_path / "a.npz").read_bytes(), 0
    changed = [whole[:i] for i in range(len(whole))]
    changed += [whole[:i] + bytes([whole[i] ^ flip]) + whole[i + 1 :] for i in range(len(whole)) for flip in (1, 255)]
    for content in changed:
        try:
            found = arrays_file.read_arrays(content)
        except DataError as error:
            assert str(error).startswith("This file")
            refused += 1
        else:
            assert all(_same(found[name], arrays[name]) for name in set(found) & set(arrays))
    assert refused > len(whole)


def test_every_flipped_byte_of_a_header_is_read_or_refused():
    content = _npy(np.arange(12, dtype="<i4").reshape(3, 4))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for i in range(128):
        for flip in range(1, 256):
            changed = content[:i] + bytes([content[i] ^ flip]) + content[i + 1 :]
            try:
                assert arrays_file.read_array(changed).nbytes == 48
            except DataError as error:
                assert str(error).startswith("This file is not a plain NumPy file")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak < 50_000
