"""Image files in a folder or zip archive, decoded in parallel while they are read."""

import collections
import concurrent.futures
import dataclasses
import functools
import itertools
import os
import pathlib
import random
import zipfile
from collections.abc import Callable

import numpy as np

from zoo.core import archives, reading
from zoo.core.errors import DataError, DataNotFoundError, unknown_name
from zoo.data import layouts
from zoo.data.folders import found_images
from zoo.data.images import AHEAD_BYTES, MAX_BYTES, SUFFIXES, is_image_file, read_image, unreadable

_FILES_PER_TASK = 16


@dataclasses.dataclass(frozen=True, eq=False)
class ImageFiles:
    """Image files in a fixed order, with their labels.

    Attributes:
        root: path of the folder or archive.
        names: list of the files' paths below it.
        read: function of such a path that returns the content of the file, or what `read_image` takes for it.
        labels: int64 array (files,), or None.
        how: images are brought to a shape, as of `zoo.data.resize`.
    """

    root: pathlib.Path
    names: list
    read: Callable
    labels: np.ndarray | None = None
    how: str = "stretch"

    shape = None  # the files' own sizes are not known before they are read

    def __len__(self):
        return len(self.names)

    def part(self, begin, end):
        """The files from number `begin` up to `end`."""
        labels = None if self.labels is None else self.labels[begin:end]
        return dataclasses.replace(self, names=self.names[begin:end], labels=labels)

    def examples(self, shape=None, seed=None, skip=0):
        """Iterator of (image, label or None), decoded ahead by as many threads as there are cores.

        Args:
            shape: (height, width, channels) to bring the images to; None keeps their own.
            seed: of a permutation of all files; None keeps their order.
            skip: examples to leave out at the beginning, which are not read.

        Raises:
            DataError: a file that cannot be read.
        """
        order = np.arange(len(self)) if seed is None else np.random.default_rng(seed).permutation(len(self))
        order, first, per_task, ahead = order[skip:], None, _FILES_PER_TASK, os.cpu_count()
        if shape is not None:  # who takes many at once and then computes finds many ready
            ahead = max(ahead, int(AHEAD_BYTES / (_FILES_PER_TASK * np.prod(shape))))
        elif len(order):  # the first is read alone: it says which shape all have, and how many of them to hold ready
            ((first, label),) = self._read(order[:1], None)
            yield first, label
            order = order[1:]
            per_task = max(1, min(_FILES_PER_TASK, int(AHEAD_BYTES // (ahead * first.size))))
        tasks = (order[i : i + per_task] for i in range(0, len(order), per_task))
        pending = collections.deque()
        pool = concurrent.futures.ThreadPoolExecutor(os.cpu_count())
        try:
            for task in tasks:
                pending.append(pool.submit(self._read, task, shape, first))
                if len(pending) > ahead:
                    yield from pending.popleft().result()
            while pending:
                yield from pending.popleft().result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def _read(self, task, shape, like=None):
        labels = itertools.repeat(None) if self.labels is None else self.labels[task]
        return [(self._image(index, shape, like), label) for index, label in zip(task, labels, strict=False)]

    def _image(self, index, shape, like):
        path = f"{self.root}/{self.names[index]}"
        with unreadable(path):
            return read_image(self.read(self.names[index]), path, shape, like, self.how)


def open_folder(root, split, follow_links=False):
    """The files of one split of a folder, not yet read; the classes are the subfolders that hold images, sorted.

    The order is fixed: sorted by class and name, then shuffled with the name of the split as the seed, as
    `tfds.ImageFolder` does; "all" is one split after the other.

    Args:
        root: pathlib.Path of the folder; how pictures may lie in it: `layouts.EXPECTED`.
        split: "train", "test", "validation" or "all"; of a folder without splits it is the whole for each of them.
        follow_links: as of `zoo.data.load`.

    Returns:
        ImageFiles, and the attributes of the `Source` that they become, as a dictionary.

    Raises:
        DataNotFoundError: no such folder, or no images in it.
        UnknownNameError: no such split.
        DataError: a folder that may not be read, a link that is not followed, or a table that does not fit.
    """
    if reading.kind(root) != "a folder":
        raise DataNotFoundError(f"No such folder: {str(root)!r}: {layouts.EXPECTED}.")
    table = None
    if reading.kind(root / layouts.TABLE):
        table = reading.read_bytes(root / layouts.TABLE, limit=layouts.TABLE_BYTES, follow_links=follow_links)
    members = layouts.arranged(repr(str(root)), functools.partial(found_images, root, follow_links), table)
    return _opened(root, root.name, _shuffled(members), split, lambda name: f"{root}/{name}")


def open_archive(path, split):
    """The same for a zip archive of such a folder, which is not unpacked.

    Of split/class/file the order is by name of the file, then of the class, so that every part of a split holds all
    classes; in other layouts it is that of a folder.
    """
    try:
        archive = archives.opened(path)
    except DataNotFoundError as error:
        raise DataNotFoundError(
            f"Cannot read {str(path)!r} as a zip archive (no such file): {layouts.EXPECTED}."
        ) from error
    except DataError as error:
        if isinstance(error.__cause__, zipfile.BadZipFile):
            raise DataNotFoundError(f"{error} Of a zip archive of images, {layouts.EXPECTED}.") from error
        raise
    names = archive.namelist()
    pictures = [parts for parts in (tuple(name.split("/")) for name in names) if is_image_file(parts)]
    table = archive.unpacked(layouts.TABLE, limit=layouts.TABLE_BYTES) if layouts.TABLE in names else None
    members = layouts.arranged(repr(str(path)), lambda depth: [p for p in pictures if depth in (None, len(p))], table)
    if table is None and len(members[0].parts) == 3:
        members.sort(key=lambda member: (member.split, member.parts[2], member.parts[1]))
    else:
        members = _shuffled(members)
    return _opened(path, path.stem, members, split, functools.partial(archive.unpacked, limit=MAX_BYTES))


def _shuffled(members):
    """The members, those of each split in an order that follows from its name."""
    by_split = collections.defaultdict(list)
    for member in members:
        by_split[member.split].append(member)
    for name, group in by_split.items():
        random.Random(name).shuffle(group)
    return list(itertools.chain.from_iterable(by_split.values()))


def _opened(root, name, members, split, read):
    """ImageFiles of the members of a split, and the attributes of their `Source`."""
    splits = {member.split for member in members} - {""}
    if split not in ("all", *splits) and splits:
        raise unknown_name(f"split of {str(root)!r}", split, splits)
    chosen = [member for member in members if split in ("all", member.split) or not splits]
    class_names = tuple(sorted({member.label for member in members if member.label is not None}))
    number = {label: i for i, label in enumerate(class_names)}
    labels = np.array([number[member.label] for member in chosen], "int64") if class_names else None
    files = ImageFiles(root, ["/".join(member.parts) for member in chosen], read, labels)
    return files, {"name": name, "split": split if splits else "all", "class_names": class_names}


def all_images(root, follow_links=False):
    """Every image below a folder, in any subfolder, sorted by path and without labels.

    Raises:
        DataNotFoundError: no such folder, or no images in it.
        DataError: a folder that may not be read, or a link that is not followed.
    """
    if reading.kind(root) != "a folder":
        raise DataNotFoundError(f"No such folder: {str(root)!r}.")
    names = ["/".join(member) for member in sorted(found_images(root, follow_links))]
    if not names:
        raise DataNotFoundError(
            f"No images in {str(root)!r}: expected files that end in {', '.join(SUFFIXES)}, in any subfolder."
        )
    return ImageFiles(root, names, lambda name: f"{root}/{name}")


def image_file(path):
    """One image, without a label."""
    return ImageFiles(path.parent, [path.name], lambda name: path)
