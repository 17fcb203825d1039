"""Weight files changed by the library that wrote them, and in the bytes of their structures."""

import h5py
import numpy as np

from hostile import raw

_STRUCTURES = (b"\x89HDF", b"TREE", b"HEAP", b"SNOD", b"OHDR", b"OCHK", b"FRHP", b"BTHD", b"GCOL")
_ABSURD = ((2**40,), (2**31, 2**31), (2**62,), (0,), (1,) * 32, (2**33, 0))
_DTYPES = ("<f8", ">f4", "<f2", "<i4", "<u1", "S5", "<c8", "V7", "f4,i4", "?")


def _datasets(file):
    found = []
    file.visititems(lambda name, item: found.append(name) if isinstance(item, h5py.Dataset) else None)
    return found


def _replace(file, name, **options):
    del file[name]
    return file.create_dataset(name, **options)


def _external_link(file, name, canary, rng):
    del file[name]
    target = rng.choice(
        (str(canary / "model.weights.h5"), "../canary/model.weights.h5", "/dev/zero", "model.weights.h5")
    )
    file[name] = h5py.ExternalLink(target, name)
    return target


def _external_group(file, name, canary, rng):
    group = name.rsplit("/", 1)[0]
    del file[group]
    file[group] = h5py.ExternalLink(str(canary / "model.weights.h5"), group)
    return group


def _external_storage(file, name, canary, rng):
    shape, size = file[name].shape, file[name].nbytes
    target = rng.choice((str(canary / "secret.txt"), "../canary/secret.txt", "/dev/zero", "/etc/hostname"))
    _replace(file, name, shape=shape, dtype="f4", external=[(target, 0, size)])
    return target


def _virtual(file, name, canary, rng):
    shape = file[name].shape
    layout = h5py.VirtualLayout(shape, "f4")
    layout[...] = h5py.VirtualSource(str(canary / "model.weights.h5"), name, shape)
    del file[name]
    file.create_virtual_dataset(name, layout)
    return "of another file"


def _soft_link(file, name, canary, rng):
    other = rng.choice(_datasets(file))
    del file[name]
    target = rng.choice((f"/{other}", f"/{name}", "/", "../..", "/nothing"))
    file[name] = h5py.SoftLink(target)
    return target


def _circle(file, name, canary, rng):
    group = file[name.rsplit("/", 1)[0]]
    group[rng.choice(("circle", "0", "vars", "layers"))[:6] + "_"] = file["/"]
    return group.name


def _swapped(file, name, canary, rng):
    other = rng.choice(_datasets(file))
    a, b = file[name][...], file[other][...]
    _replace(file, name, data=b)
    if other != name:
        _replace(file, other, data=a)
    return other


def _filtered(file, name, canary, rng):
    content = file[name][...]
    if not content.ndim:
        return _dtype(file, name, canary, rng)
    options = rng.choice(
        (
            {"compression": "gzip"},
            {"compression": "lzf"},
            {"compression": "gzip", "shuffle": True, "fletcher32": True},
            {"scaleoffset": 2},
            {"chunks": True, "fletcher32": True},
            {"chunks": True},
        )
    )
    _replace(file, name, data=content, **options)
    return str(options)


def _bomb(file, name, canary, rng):
    """Gigabytes of zeros in a few kilobytes."""
    shape = rng.choice(((2**14, 2**14), (2**15, 2**15), (2**20, 2**12)))
    dataset = _replace(file, name, shape=shape, dtype="f4", chunks=(2**10, 2**10), compression="gzip", fillvalue=1)
    dataset[: 2**10, : 2**10] = 0
    return str(shape)


def _shape(file, name, canary, rng):
    shape = rng.choice(_ABSURD)
    _replace(
        file, name, shape=shape, dtype="f4", chunks=tuple(max(1, min(s, 16)) for s in shape) if 0 not in shape else None
    )
    return str(shape)


def _reshaped(file, name, canary, rng):
    content = file[name][...]
    shape = rng.choice((content.T.shape, (content.size,), (1, *content.shape), (content.size, 1)))
    _replace(file, name, data=content.T.reshape(shape))
    return str(shape)


def _dtype(file, name, canary, rng):
    dtype, shape = rng.choice(_DTYPES), file[name].shape
    _replace(file, name, shape=shape, dtype=dtype)
    return dtype


def _strange_dtype(file, name, canary, rng):
    shape = file[name].shape
    dtype = rng.choice(
        (h5py.special_dtype(vlen=np.dtype("f4")), h5py.string_dtype(), h5py.ref_dtype, h5py.enum_dtype({"a": 1}))
    )
    _replace(file, name, shape=shape, dtype=dtype)
    return str(dtype)


def _values(file, name, canary, rng):
    value = rng.choice((np.nan, np.inf, -np.inf, 3e38, 1e-40, 0.0))
    file[name][...] = value
    return str(value)


def _deleted(file, name, canary, rng):
    name = rng.choice((name, name.rsplit("/", 1)[0], name.split("/")[0]))
    del file[name]
    return name


def _added(file, name, canary, rng):
    where = rng.choice(("extra", f"{name}_", f"{name.rsplit('/', 1)[0]}/1000", "layers/unknown/vars/0", "a/../b", " "))
    file.create_dataset(where, data=np.zeros(rng.choice((1, 100_000)), "f4"))
    return where


def _deep(file, name, canary, rng):
    depth = rng.choice((100, 2_000))
    group = file
    for _ in range(depth):
        group = group.create_group("a")
    group.create_dataset("0", data=[1.0])
    return str(depth)


def _many(file, name, canary, rng):
    for i in range(3_000):
        file.create_dataset(f"many/{i}", shape=(1,), dtype="f4")
    return "3,000"


def _attributes(file, name, canary, rng):
    item = file[rng.choice((name, name.rsplit("/", 1)[0], "/"))]
    value = rng.choice((1, "text", np.zeros(8_000, "f4"), h5py.Empty("f4"), item.ref))
    item.attrs[rng.choice(("name", "keras_version", "axis", "CLASS"))] = value
    return f"{item.name}: {type(value).__name__}"


def _named_type(file, name, canary, rng):
    file["type"] = np.dtype("f4")
    shape = file[name].shape
    _replace(file, name, shape=shape, dtype=file["type"])
    return "f4"


def _group_for_dataset(file, name, canary, rng):
    del file[name]
    file.create_group(name)
    return name


def _dataset_for_group(file, name, canary, rng):
    group = name.rsplit("/", 1)[0]
    del file[group]
    file.create_dataset(group, data=np.zeros(3, "f4"))
    return group


OBJECTS = {
    "external link": _external_link,
    "external group": _external_group,
    "external storage": _external_storage,
    "virtual dataset": _virtual,
    "soft link": _soft_link,
    "circle": _circle,
    "swapped": _swapped,
    "filters": _filtered,
    "bomb": _bomb,
    "absurd shape": _shape,
    "other shape": _reshaped,
    "dtype": _dtype,
    "strange dtype": _strange_dtype,
    "values": _values,
    "deleted": _deleted,
    "added": _added,
    "deep": _deep,
    "many": _many,
    "attribute": _attributes,
    "named type": _named_type,
    "group for a dataset": _group_for_dataset,
    "dataset for a group": _dataset_for_group,
}


def change_objects(path, canary, rng):
    """Change an .h5 file by h5py; returns what was changed."""
    kind = rng.choice(list(OBJECTS))
    options = rng.choice(({}, {}, {"libver": "latest"}))
    with h5py.File(path, "r+", **options) as file:
        name = rng.choice(_datasets(file))
        detail = OBJECTS[kind](file, name, canary, rng)
    return f"{kind} at {name}: {detail}"


def copy_otherwise(path, rng):
    """The same weights as another writer would store them; returns how."""
    kind = rng.choice(("latest", "v108", "user block", "tracked order", "chunked", "big-endian", "float64"))
    copy = path.with_name("copy.h5")
    options = {
        "latest": {"libver": "latest"},
        "v108": {"libver": ("v108", "v110")},
        "user block": {"userblock_size": 512},
        "tracked order": {"track_order": True},
    }.get(kind, {})
    with h5py.File(path, "r") as source, h5py.File(copy, "w", **options) as target:
        for name in _datasets(source):
            data = source[name][...]
            dtype = {"big-endian": ">f4", "float64": "f8"}.get(kind, "f4")
            target.create_dataset(
                name, data=data, dtype=dtype, chunks=True if kind == "chunked" and data.ndim else None
            )
    copy.replace(path)
    return f"copied, {kind}"


def change_structures(data, rng):
    """Bytes of an .h5 file, changed near one of its structures, and what was changed."""
    places = raw.positions(data, *_STRUCTURES)
    return raw.mutated_near(data, places or [0], rng, reach=rng.choice((16, 64, 300)))
