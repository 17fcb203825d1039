"""One way to read an image file and one way to resize images, for every kind of data source."""

import contextlib
import importlib
import io
import os
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np

from zoo.core import checks, reading
from zoo.core.errors import DataError, ZooError, unknown_name

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")
HOW = ("stretch", "crop", "pad")
MAX_PIXELS = 2**26  # of one image, and of all that are decoded at a time: width × height
MAX_SIDE = 2**16  # of one image: width or height, as in a JPEG file
MAX_BYTES = 2**27  # of one image file

# What files with these suffixes turn out to hold: how they begin, and Pillow's name for it.
_FORMATS = {
    b"\xff\xd8\xff": "Jpeg",
    b"\x89PNG\r\n\x1a\n": "Png",
    b"RIFF": "WebP",
    b"GIF8": "Gif",
    b"BM": "Bmp",
    b"II*\0": "Tiff",
    b"MM\0*": "Tiff",
}
# A small file can keep a decoder busy for hours: a part costs a call of Python, a scan a pass over all pixels.
_MAX_PARTS = 2**18
_MAX_SCANS = 100
_SMALL_PIXELS = 2**20  # not counted among those that are decoded at a time
_BLOCK_PIXELS = 2**22  # resized in one call
_BLOCK_VALUES = 2**25  # of a single image, whose columns are resized in blocks: a copy of them costs time
AHEAD_BYTES = 64e6  # pixels that a reader may hold ready or shuffle
_LUMA = np.array([0.299, 0.587, 0.114], "float32")  # ITU-R BT.601, as JPEG and Pillow use it


def is_image_file(parts):
    """Whether a path, given as its parts below the root, is an image that a user put there.

    Hidden files and folders are not: `.ipynb_checkpoints`, and what macOS adds (`._photo.jpg`, `__MACOSX`).
    """
    return parts[-1].lower().endswith(SUFFIXES) and not any(map(is_hidden, parts))


def is_hidden(name):
    """Whether a file or folder of this name is left out."""
    return name.startswith(".") or name == "__MACOSX"


def read_image(file, name, shape=None, like=None, how="stretch"):
    """Pixels of an image file as a uint8 array (height, width, channels).

    Grey images have one channel, all others three: palettes and CMYK become RGB, transparent pixels are shown on white.
    16 bits per channel are reduced to the upper 8. Images are turned upright as their EXIF orientation says. Of several
    pictures in a file, such as those of an animation, it is the first.

    Args:
        file: path, binary file, or content.
        name: what errors call it.
        shape: (height, width, channels) to bring the image to, as `resize` does; None keeps its own.
        like: pixels of the image that this one is to equal in shape. One of another size is not decoded, but given as
            an array of its shape that takes no memory.
        how: as of `resize`.

    Raises:
        DataError: not an image, a damaged one, one of more than `MAX_PIXELS` pixels, `MAX_SIDE` on a side, or
            `MAX_BYTES` bytes.
    """
    from PIL import ImageOps

    with unreadable(name), _opened(_content(file), name) as image:
        height, width = image.height, image.width
        if width * height > MAX_PIXELS or max(width, height) > MAX_SIDE:
            raise DataError(
                f"{name!r} is too large: expected at most {MAX_PIXELS:,} pixels, and {MAX_SIDE:,} on a side."
                f" Received {width:,} × {height:,}."
            )
        if like is not None and {height, width} != set(like.shape[:2]):
            return np.broadcast_to(np.uint8(0), (height, width, 1 if _is_grey(image) else 3))
        with _decoding.pixels(width * height):
            ImageOps.exif_transpose(image, in_place=True)
            pixels = _pixels(image)
            return pixels if shape is None else resize(pixels[None], shape, how=how)[0]


class _Decoding:
    """Bounds the memory of threads that decode large images: together at most `MAX_PIXELS` pixels at a time."""

    def __init__(self):
        self._free, self._changed = MAX_PIXELS, threading.Condition()

    @contextlib.contextmanager
    def pixels(self, count):
        count = 0 if count <= _SMALL_PIXELS else count
        if count:
            with self._changed:
                self._changed.wait_for(lambda: self._free >= count)
                self._free -= count
        try:
            yield
        finally:
            if count:
                with self._changed:
                    self._free += count
                    self._changed.notify_all()


_decoding = _Decoding()


class _Content(io.BytesIO):
    """The content of a file, of which Pillow reads a limited number of parts."""

    parts = 0

    def read(self, size=-1):
        self.parts += 1
        if self.parts > _MAX_PARTS:
            raise ValueError(f"more than {_MAX_PARTS:,} parts")
        return super().read(size)


def _content(file):
    if isinstance(file, bytes):
        return file
    if isinstance(file, (str, os.PathLike)):
        # FileNotFoundError: a file that was listed, but went away, is one more that cannot be read.
        return reading.read_bytes(file, limit=MAX_BYTES, missing=FileNotFoundError)
    return file.read(MAX_BYTES + 1)


def _opened(content, name):
    """The image with its header read; which format it has is seen from its first bytes, whatever its name says.

    Unlike `PIL.Image.open`, this warns of nothing but damaged tags of a TIFF file, and looks for no further pictures in
    a JPEG file.
    """
    if len(content) > MAX_BYTES:
        raise DataError(f"{name!r} is too large: expected at most {MAX_BYTES:,} bytes.")
    kind = next((kind for start, kind in _FORMATS.items() if content.startswith(start)), None)
    if kind is None:
        raise ValueError(f"not {', '.join(dict.fromkeys(_FORMATS.values()))}" if content else "an empty file")
    if kind == "Jpeg" and content.count(b"\xff\xda") > _MAX_SCANS:
        raise ValueError(f"more than {_MAX_SCANS} scans")
    return getattr(importlib.import_module(f"PIL.{kind}ImagePlugin"), f"{kind}ImageFile")(_Content(content))


@contextlib.contextmanager
def unreadable(name):
    """Turn whatever happens while the image `name` is read into a `DataError` that names it."""
    try:
        yield
    except ZooError:
        raise
    except Exception as error:  # Pillow, zipfile and the disk raise errors of many kinds for damaged files
        reason = " ".join(ascii(str(error))[1:-1].split())[:200]
        raise DataError(
            f"{name!r} is not an image that can be read ({type(error).__name__}: {reason}). Remove or replace it."
        ) from error


def _is_grey(image):
    return image.mode in ("1", "L", "LA") or image.mode.startswith("I")


def _pixels(image):
    from PIL import Image

    if image.mode.startswith(("I", "F")):  # grey, 16 bits; of 16-bit colour Pillow itself keeps the upper 8
        pixels = np.asarray(image)
        if image.mode == "F" or pixels.min() < 0 or pixels.max() >= 2**16:
            raise ValueError("values of more than 16 bits: expected pixels of 8 or 16 bits")
        return (pixels >> 8).astype("uint8")[..., None]
    grey = _is_grey(image)
    if image.mode in ("LA", "RGBA") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    mode = "L" if grey else "RGB"
    pixels = np.asarray(image if image.mode == mode else image.convert(mode))
    return pixels[..., None] if grey else pixels


def resize(images: Any, shape: Sequence[int], *, margin: float = 0.0, how: str = "stretch") -> np.ndarray:
    """Resize a batch of images to `shape`, with antialiased bilinear interpolation.

    Each image is resized on its own, in float32 by Pillow: the result depends neither on the other images nor on the
    backend or image data format of Keras. 8-bit pixels are rounded once, at the end.

    Args:
        images: array (samples, height, width, channels), uint8 in [0, 255] or float in [0, 1].
        shape: (height, width, channels) to reach; channels may go from 3 to 1 (luma) or from 1 to any number (copies).
        margin: share of the height and width left black on every side, below 0.5. MNIST keeps 4 of 28 pixels around a
            digit's box: a digit that fills its image is brought to MNIST's framing with ``margin=4 / 28``.
        how: where height and width change by different factors: "stretch" the image; "crop" it, to the largest part
            around its centre that has the new proportions; or "pad" it with black, on both sides alike.

    Returns:
        array (samples, *shape): uint8 for uint8, otherwise float32.

    Raises:
        DataError: not a batch of images, or channels that cannot be converted.
        ConfigError: a shape or margin that is none.
        UnknownNameError: another way of resizing.

    Example:
        >>> zoo.data.resize(zoo.data.load("digits").pixels(), (28, 28, 1), margin=4 / 28).shape
        (1438, 28, 28, 1)
    """
    images, shape = np.asarray(images), checks.positive_integers("shape", shape)
    if images.ndim != 4 or len(shape) != 3 or 0 in images.shape[1:]:
        raise DataError(
            "Only images can be resized: expected (samples, height, width, channels) and a shape (height, width,"
            f" channels). Received {images.shape} and {shape}."
        )
    checks.check_dtype(images.dtype, unit_range=False, name="images")
    check_channels(images.shape[-1], shape[-1])
    if how not in HOW:
        raise unknown_name("way of resizing", how, HOW)
    height, width, _ = shape
    margin = checks.in_range("margin", margin, 0, 0.5)
    top, left = min(round(height * margin), (height - 1) // 2), min(round(width * margin), (width - 1) // 2)
    is_uint8 = images.dtype == np.uint8
    images = images if is_uint8 else images.astype("float32", copy=False)
    result = np.zeros((len(images), *shape), "uint8" if is_uint8 else "float32")
    inside = result[:, top : height - top, left : width - left]
    if how == "crop":
        images = _of_proportions(images, inside.shape)
    elif how == "pad":
        inside = _of_proportions(inside, images.shape)
    block = max(1, _BLOCK_PIXELS // images[:1].size) if len(images) else 1
    for begin in range(0, len(images), block):
        pixels = images[begin : begin + block]
        if pixels.shape[1:] != inside.shape[1:]:
            pixels = _resized(_in_grey(pixels, shape[-1]), inside.shape[1:3])
            pixels = np.clip(np.rint(pixels), 0, 255) if is_uint8 else pixels
        inside[begin : begin + block] = pixels
    return result


def _of_proportions(images, shape):
    """The largest part around the centre of images that has the height and width of `shape`, times some factor."""
    factor = min(images.shape[1] / shape[1], images.shape[2] / shape[2])
    height, width = (max(1, round(side * factor)) for side in shape[1:3])
    top, left = (images.shape[1] - height) // 2, (images.shape[2] - width) // 2
    return images[:, top : top + height, left : left + width]


def check_channels(have, wanted, what="Images"):
    """Raise `DataError` unless images with `have` channels can be brought to `wanted`."""
    if have not in (1, wanted) and (have, wanted) != (3, 1):
        raise DataError(
            f"{what} with {have} channels cannot be brought to {wanted}: pass images with {wanted} channels."
        )


def _in_grey(pixels, channels):
    """`pixels` in grey if that is wanted; the copies of a grey image are made after it is resized."""
    if pixels.shape[-1] != 3 or channels != 1:
        return pixels
    grey = pixels[..., :1] * _LUMA[0]
    for channel in (1, 2):  # without a copy of all channels as floats
        grey += pixels[..., channel : channel + 1] * _LUMA[channel]
    return grey


def _resized(pixels, size):
    """(samples, *size, channels): the height, then the width, of all images and channels in one call each."""
    samples, height, width, channels = pixels.shape
    if samples == 1 and height != size[0]:  # the same, without moving the axis of what may be a large photograph
        columns, block = pixels.reshape(height, width * channels), max(1, _BLOCK_VALUES // height)
        parts = [columns[:, begin : begin + block] for begin in range(0, width * channels, block)]
        parts = [_resized_picture(part, size[0], part.shape[1]) for part in parts]
        pixels = np.concatenate(parts, axis=1).reshape(1, size[0], width, channels)
    for axis, length in ((1, size[0]), (2, size[1])):
        if pixels.shape[axis] != length:
            rows = np.moveaxis(pixels, axis, -1)
            flat = rows.reshape(-1, rows.shape[-1])
            pixels = np.moveaxis(_resized_picture(flat, len(flat), length).reshape(*rows.shape[:-1], length), -1, axis)
    return pixels


def _resized_picture(pixels, height, width):
    from PIL import Image

    picture = Image.fromarray(np.ascontiguousarray(pixels)).convert("F")
    return np.asarray(picture.resize((width, height), Image.Resampling.BILINEAR))
