"""A zip archive of images, ``split/class/*.jpg|png`` inside, read without unpacking it."""

import zipfile

import numpy as np

from zoo.core.errors import DataError, DataNotFoundError, unknown_name
from zoo.data.source import Source

_SUFFIXES = (".jpg", ".jpeg", ".png")
_SHOW_PROGRESS_FROM = 5000


def load_archive(path, split):
    """One split of an archive as a `Source`; the classes are the folders' names, sorted.

    Samples come ordered by file name, then class, so that every part of a split holds all classes.

    Args:
        path: pathlib.Path of the ``.zip`` file.
        split: "train", "test" or "all".

    Raises:
        DataNotFoundError: no such file, not a zip archive, or no images in it.
        DataError: images that differ in size.
    """
    layout = "expected a zip archive with <split>/<class>/*.jpg or *.png"
    try:
        archive = zipfile.ZipFile(path)
    except (OSError, zipfile.BadZipFile) as error:
        raise DataNotFoundError(f"Cannot read {str(path)!r} ({error}): {layout}.") from error
    with archive:
        members = [name.split("/") for name in archive.namelist() if name.lower().endswith(_SUFFIXES)]
        members = [member for member in members if len(member) == 3]
        if not members:
            raise DataNotFoundError(f"No images in {str(path)!r}: {layout}.")
        splits = {member[0] for member in members}
        if split not in ("all", *splits):
            raise unknown_name(f"split of {str(path)!r}", split, splits)
        class_names = tuple(sorted({member[1] for member in members}))
        chosen = sorted(
            (m for m in members if split in ("all", m[0])), key=lambda member: (member[0], member[2], member[1])
        )
        images = _read(archive, chosen, path)
    labels = np.array([class_names.index(member[1]) for member in chosen], "int64")
    return Source(images, labels, name=path.stem, split=split, class_names=class_names)


def _read(archive, members, path):
    from PIL import Image
    from tqdm import tqdm

    images = None
    quiet = True if len(members) < _SHOW_PROGRESS_FROM else None
    for i, member in enumerate(tqdm(members, desc=path.name, disable=quiet, leave=False)):
        with archive.open("/".join(member)) as file, Image.open(file) as picture:
            pixels = np.asarray(picture if picture.mode in ("L", "RGB") else picture.convert("RGB"))
        pixels = pixels[..., None] if pixels.ndim == 2 else pixels
        if images is None:
            images = np.empty((len(members), *pixels.shape), "uint8")
        if pixels.shape != images.shape[1:]:
            raise DataError(
                f"The images of {str(path)!r} differ in size ({images.shape[1:]}, {pixels.shape}, ...): unpack it and"
                " pass the folder with shape=(height, width, channels)."
            )
        images[i] = pixels
    return images
