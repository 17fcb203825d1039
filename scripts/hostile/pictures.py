"""Pictures that are none, or more than they seem."""

import io
import struct
import zlib

import numpy as np
from PIL import Image

from hostile import raw

_FORMATS = ("png", "jpeg", "gif", "webp", "bmp", "tiff", "ppm", "ico", "tga")


def picture(form="png", shape=(8, 8, 3), seed=0) -> bytes:
    """The bytes of a picture of random pixels."""
    pixels = np.random.default_rng(seed).integers(0, 256, shape).astype("uint8")
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, form)
    return buffer.getvalue()


def _chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width, height, content, depth=8, color=0, more=b"", interlace=0) -> bytes:
    """The bytes of a .png file whose parts need not fit each other."""
    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, interlace)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + more + _chunk(b"IDAT", content) + _chunk(b"IEND", b"")


def _bomb(data, rng):
    side = rng.choice((10_000, 30_000, 60_000, 2**31 - 1))
    squeezed = zlib.compressobj(9)
    rows = bytes(10_001) * 100
    content = b"".join(squeezed.compress(rows) for _ in range(100)) + squeezed.flush()  # 100 MB of zeros
    return png(side, side, content), f"{side:,} pixels square"


def _text_bomb(data, rng):
    content = b"Comment\0\0" + zlib.compress(bytes(100_000_000), 9)
    return png(4, 4, zlib.compress(bytes(20)), more=_chunk(b"zTXt", content)), "100 MB of text"


def _many_chunks(data, rng):
    return png(4, 4, zlib.compress(bytes(20)), more=_chunk(b"tEXt", b"a\0b") * 100_000), "100,000 chunks"


def _sizes(data, rng):
    width, height = rng.choice(((0, 0), (1, 0), (1, 1), (1, 20_000), (2**32 - 1, 1), (7, 7)))
    return png(width, height, zlib.compress(bytes(300))), f"{width} x {height}"


def _kinds(data, rng):
    depth, color = rng.choice(((16, 0), (1, 0), (8, 3), (16, 6), (3, 0), (8, 9), (255, 255)))
    interlace = rng.choice((0, 1, 9))
    return png(4, 4, zlib.compress(bytes(200)), depth, color, interlace=interlace), f"depth {depth}, color {color}"


def _wrong_suffix(data, rng):
    form = rng.choice(_FORMATS)
    return picture(form), form


def _frames(data, rng):
    frames = [Image.fromarray(np.full((8, 8), i % 256, "uint8")) for i in range(1_000)]
    buffer = io.BytesIO()
    frames[0].save(buffer, "gif", save_all=True, append_images=frames[1:])
    return buffer.getvalue(), "1,000 frames"


def _no_picture(data, rng):
    name, content = rng.choice(
        (
            ("empty", b""),
            ("text", b"not a picture"),
            ("AppleDouble", b"\0\5\x16\7" + bytes(100)),
            ("SVG", b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>'),
            ("EPS", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n(/etc/passwd) (r) file\n"),
            ("zip", b"PK\5\6" + bytes(18)),
            ("zeros", bytes(1_000_000)),
        )
    )
    return content, name


def _exif(data, rng):
    exif = Image.Exif()
    exif[0x0112] = rng.choice((0, 3, 8, 9, 65535))
    buffer = io.BytesIO()
    Image.open(io.BytesIO(data)).convert("RGB").save(buffer, "jpeg", exif=exif)
    return (buffer.getvalue(), "orientation") if rng.random() < 0.3 else raw.mutated_near(buffer.getvalue(), [20], rng)


def _jpeg(data, rng):
    return raw.mutated(picture("jpeg"), rng)


def _jpeg_size(data, rng):
    content = picture("jpeg")
    begin = content.index(b"\xff\xc0") + 5
    size = rng.choice((b"\xff\xff\xff\xff", b"\0\0\0\0", b"\0\1\xff\xff"))
    return content[:begin] + size + content[begin + 4 :], f"size {size.hex()}"


MUTATIONS = {
    "bytes": raw.mutated,
    "bytes of a JPEG": _jpeg,
    "size of a JPEG": _jpeg_size,
    "bomb": _bomb,
    "text bomb": _text_bomb,
    "many chunks": _many_chunks,
    "sizes": _sizes,
    "kinds": _kinds,
    "wrong suffix": _wrong_suffix,
    "frames": _frames,
    "no picture": _no_picture,
    "EXIF": _exif,
}


def mutated(data: bytes, rng) -> tuple[bytes, str]:
    """A picture after one mutation, and what was changed."""
    name = rng.choice(list(MUTATIONS))
    changed, detail = MUTATIONS[name](data, rng)
    return changed, f"{name}: {detail}"
