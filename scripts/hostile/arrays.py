"""NumPy files with headers and contents that no writer means."""

import io
import struct
import zipfile

import numpy as np

from hostile import raw

_HEADERS = (
    "{'descr': '|O', 'fortran_order': False, 'shape': (2,), }",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904,), }",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (-1, 4), }",
    "{'descr': '<f4', 'fortran_order': True, 'shape': (1000000, 1000000), }",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (10**10, 4), }",
    "{'descr': '<f4', 'fortran_order': False, 'shape': [2, 4], }",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (True, 4), }",
    "{'descr': '<f4', 'fortran_order': 1, 'shape': (2, 4), }",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (2.0, 4), }",
    "{'descr': [('a', '<f4'), ('b', '|O')], 'fortran_order': False, 'shape': (2,), }",
    "{'descr': '<U1000000000', 'fortran_order': False, 'shape': (2,), }",
    "{'descr': '|V0', 'fortran_order': False, 'shape': (2,), }",
    "{'descr': '<M8[D]', 'fortran_order': False, 'shape': (2,), }",
    "{'descr': '<f99', 'fortran_order': False, 'shape': (2,), }",
    "{'descr': '<f4', 'shape': (2, 4), }",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 4), 'more': 1}",
    "__import__('os').system('true')",
    "[" * 5_000 + "]" * 5_000,
    "{'descr': " + "(" * 3_000 + ")" * 3_000 + ", 'fortran_order': False, 'shape': (2,), }",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (" + "1," * 40 + "), }",
    "\0" * 100,
    "",
)


def npy(array: np.ndarray) -> bytes:
    """The bytes of a .npy file."""
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=True)
    return buffer.getvalue()


def _header(data, rng):
    text = rng.choice(_HEADERS).encode()
    version = rng.choice(((1, 0), (1, 0), (2, 0), (3, 0), (9, 9), (0, 0)))
    length = struct.pack("<H", len(text) % 65536) if version[0] == 1 else struct.pack("<I", len(text))
    if rng.random() < 0.1:
        length = b"\xff" * len(length)
    return b"\x93NUMPY" + bytes(version) + length + text + data[128:], f"header {version}: {text[:60]!r}"


class _Harmful:
    def __reduce__(self):
        return (open, ("written-by-a-pickle", "w"))


def _pickle(data, rng):
    return npy(np.array([_Harmful(), 1], dtype=object)), "pickled objects"


def _values(data, rng):
    value = rng.choice((np.nan, np.inf, -1.0, 1e30))
    return npy(np.full((2, 4, 4, 1), value, "f4")), f"all {value}"


def _dtypes(data, rng):
    dtype = rng.choice(("S4", "U4", "c8", "M8[D]", "?", "f2", "i8", "f4,i4", "V8"))
    return npy(np.zeros((2, 4), dtype)), dtype


def _shapes(data, rng):
    shape = rng.choice(((), (0,), (0, 4, 4, 1), (2,), (1,) * 32, (2, 0, 4, 1)))
    return npy(np.zeros(shape, "f4")), str(shape)


def mutated_npy(data: bytes, rng) -> tuple[bytes, str]:
    """A .npy file after one mutation, and what was changed."""
    return rng.choices((_header, _pickle, _values, _dtypes, _shapes, raw.mutated), (5, 1, 1, 1, 1, 2))[0](data, rng)


def mutated_npz(data: bytes, rng) -> tuple[bytes, str]:
    """A .npz file after one mutation of an array, a name or an entry, and what was changed."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = rng.choice(list(members))
    kind = rng.choice(("array", "array", "array", "missing", "renamed", "twice", "bomb", "extra", "no suffix"))
    detail, options, double = kind, {"compression": zipfile.ZIP_DEFLATED}, False
    if kind == "array":
        members[name], detail = mutated_npy(members[name], rng)
    elif kind == "missing":
        del members[name]
    elif kind == "renamed":
        new = rng.choice(("../../x.npy", "/x.npy", "other.npy", "file.npy", "a\nb.npy"))
        members[new] = members.pop(name)
    elif kind == "bomb":
        members[name] = npy(np.zeros((1, 20_000, 5_000), "f4"))
    elif kind == "extra":
        members["more.npy"] = npy(np.zeros(5))
    elif kind == "no suffix":
        members[name.removesuffix(".npy")] = members.pop(name)
    double = kind == "twice"
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", **options) as archive:
        for key, content in members.items():
            archive.writestr(key, content)
        if double:
            import warnings

            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                archive.writestr(name, npy(np.ones((2, 3), "f4")))
    return buffer.getvalue(), f"{detail} ({name})"
