"""Zip archives of pictures that lead out of their folder, unpack to gigabytes, or contradict themselves."""

import io
import stat
import struct
import warnings
import zipfile

from hostile import pictures, raw


def archive(members, **options) -> bytes:
    """The bytes of a zip archive of (name or ZipInfo, content)."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", **{"compression": zipfile.ZIP_DEFLATED, **options}) as made:
        for name, content in members:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # names that come twice
                made.writestr(name, content)
    return buffer.getvalue()


def members() -> list:
    """What a proper archive of pictures holds."""
    names = [f"{split}/{kind}/{i}.png" for split in ("train", "test") for kind in ("cat", "dog") for i in range(3)]
    return [(name, pictures.picture(seed=i)) for i, name in enumerate(names)]


def _names(content, rng):
    name = rng.choice(
        (
            "../canary/x.png",
            "train/../../canary/x.png",
            "train/cat/../../../canary/secret.png",
            "/tmp/hostile/x.png",
            "train/cat/",
            "train\\cat\\x.png",
            "train/a\nb/x.png",
            "train/\x1b[31m/x.png",
            "train/cat/" + "x" * 5_000 + ".png",
            "train/../x.png",
            "train/./x.png",
            "train//x.png",
            "C:/train/x.png",
            "train/cat/con.png",
            "train/cat/0.png",
            "/".join(["a"] * 5_000) + "/x.png",
            "train/\ud800/x.png".encode("utf-8", "surrogatepass").decode("cp437"),
        )
    )
    return archive([*content, (name, pictures.picture())]), repr(name[:60])


def _link(content, rng):
    info = zipfile.ZipInfo(rng.choice(("train/cat/link.png", "train/cat", "train/link")))
    info.create_system, info.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    target = rng.choice(("../../canary/secret.txt", "/etc/passwd", "link.png"))
    return archive([*content, (info, target)]), f"{info.filename} to {target}"


def _bomb(content, rng):
    kind = rng.choice(("zeros", "picture", "many", "overlapping", "nested"))
    if kind == "zeros":
        more = [("train/cat/x.png", bytes(300_000_000))]
    elif kind == "picture":
        more = [("train/cat/x.png", pictures.MUTATIONS["bomb"](b"", rng)[0])]
    elif kind == "many":
        return archive([(f"train/cat/{i}.png", b"") for i in range(50_000)], compression=0), "50,000 empty pictures"
    elif kind == "nested":
        more = [("train/cat/inner.zip", archive([("x", bytes(10_000_000))] * 10))]
    else:
        return _overlapping(content), "overlapping"
    return archive([*content, *more]), kind


def _overlapping(content):
    """All entries of the directory lead to the same compressed bytes."""
    data = bytearray(archive([("train/cat/a.png", bytes(50_000_000)), *content]))
    begin = data.find(b"PK\1\2")
    entry = bytes(data[begin : data.find(b"PK\1\2", begin + 1)])
    entries = b"".join(entry.replace(b"a.png", b"%05d" % i) for i in range(2_000))
    end = struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, 2_000, 2_000, len(entries), begin, 0)
    return bytes(data[:begin]) + entries + end


def _lies(content, rng):
    """The directory says one thing, the entries another."""
    data = bytearray(archive(content))
    entries = raw.positions(bytes(data), b"PK\1\2")
    begin = rng.choice(entries)
    field, offset, form = rng.choice(
        (
            ("flags: encrypted", 8, "<H"),
            ("method", 10, "<H"),
            ("checksum", 16, "<I"),
            ("compressed size", 20, "<I"),
            ("size", 24, "<I"),
            ("length of the name", 28, "<H"),
            ("length of the extra field", 30, "<H"),
            ("disk", 34, "<H"),
            ("offset", 42, "<I"),
        )
    )
    values = (1,) if "flags" in field else (0, 1, 12, 14, 99, 1000, 65535) if form == "<H" else (0, 5, 2**31, 2**32 - 1)
    value = rng.choice(values)
    struct.pack_into(form, data, begin + offset, value)
    return bytes(data), f"{field} = {value}"


def _end(content, rng):
    data = bytearray(archive(content))
    begin = data.rfind(b"PK\5\6")
    offset, form = rng.choice(((4, "<H"), (8, "<H"), (10, "<H"), (12, "<I"), (16, "<I"), (20, "<H")))
    value = rng.choice((0, 1, 65535)) if form == "<H" else rng.choice((0, 1, 2**31, 2**32 - 1))
    struct.pack_into(form, data, begin + offset, value)
    return bytes(data), f"end of the directory, byte {offset} = {value}"


def _picture(content, rng):
    name, data = rng.choice(content)
    changed, detail = pictures.mutated(data, rng)
    return archive([(n, changed if n == name else d) for n, d in content]), f"{name}: {detail}"


def _method(content, rng):
    method = rng.choice((zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA, zipfile.ZIP_STORED))
    data = archive(content, compression=method)
    return (data, str(method)) if rng.random() < 0.3 else raw.mutated(data, rng)


def _bytes(content, rng):
    return raw.mutated(archive(content), rng)


def _directory(content, rng):
    data = archive(content)
    return raw.mutated_near(data, raw.positions(data, b"PK\1\2", b"PK\3\4", b"PK\5\6"), rng, 46)


def _empty(content, rng):
    name, data = rng.choice(
        (
            ("empty", archive([])),
            ("no pictures", archive([("a.txt", b"")])),
            ("prefix", b"#!/bin/sh\n" + archive(content)),
        )
    )
    return data, name


MUTATIONS = (_names, _names, _link, _bomb, _lies, _lies, _end, _picture, _picture, _method, _bytes, _directory, _empty)


def mutated(rng) -> tuple[bytes, str]:
    """The bytes of an archive after one mutation, and what was changed."""
    mutate = rng.choice(MUTATIONS)
    data, detail = mutate(members(), rng)
    return data, f"{mutate.__name__.strip('_')}: {detail}"
