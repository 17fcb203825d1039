"""Bringing images to the size and framing that a model was trained on."""

import numpy as np

from zoo.core.errors import DataError

_LUMA = np.array([0.299, 0.587, 0.114], "float32")  # ITU-R BT.601, as JPEG and Pillow use it


def resize(images, shape, *, margin=0.0):
    """Resize a batch of images to `shape`, with antialiased bilinear interpolation.

    Args:
        images: array (samples, height, width, channels), uint8 in [0, 255] or float in [0, 1].
        shape: (height, width, channels) to reach; channels may go from 3 to 1 (luma) or from 1 to any number (copies).
        margin: share of the height and width left black on every side. MNIST keeps 4 of 28 pixels around a digit's
            box: a digit that fills its image is brought to MNIST's framing with ``margin=4 / 28``.

    Returns:
        array (samples, *shape) of the input's dtype.

    Raises:
        DataError: not a batch of images, or channels that cannot be converted.

    Example:
        >>> zoo.data.resize(zoo.data.load("digits").pixels(), (28, 28, 1), margin=4 / 28).shape
        (1438, 28, 28, 1)
    """
    from keras import ops

    images = np.asarray(images)
    if images.ndim != 4 or len(shape) != 3:
        raise DataError(
            "Only images can be resized: expected (samples, height, width, channels) and a shape (height, width,"
            f" channels). Received {images.shape} and {tuple(shape)}."
        )
    is_uint8 = images.dtype == np.uint8
    height, width, channels = shape
    pixels = _to_channels(images.astype("float32"), channels)
    top, left = round(height * margin), round(width * margin)
    inner = (height - 2 * top, width - 2 * left)
    if pixels.shape[1:3] != inner:
        blocks = [pixels[i : i + 1000] for i in range(0, len(pixels), 1000)]
        resized = (ops.image.resize(b, inner, interpolation="bilinear", antialias=True) for b in blocks)
        pixels = np.concatenate([ops.convert_to_numpy(block) for block in resized])
    pixels = np.pad(pixels, ((0, 0), (top, top), (left, left), (0, 0)))
    return np.clip(np.rint(pixels), 0, 255).astype("uint8") if is_uint8 else pixels


def _to_channels(pixels, channels):
    have = pixels.shape[-1]
    if have == channels:
        return pixels
    if have == 3 and channels == 1:
        return pixels @ _LUMA[:, None]
    if have == 1:
        return np.repeat(pixels, channels, axis=-1)
    raise DataError(
        f"Images with {have} channels cannot be brought to {channels}: pass images with {channels} channels."
    )
