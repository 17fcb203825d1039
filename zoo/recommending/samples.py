"""The user's samples, brought to what a comparison needs: a bounded number, every class present, several sizes."""

import dataclasses

import numpy as np

from zoo.core.errors import DataError
from zoo.data.source import Source, of_one_channel

MINIMUM_PER_CLASS = 2  # one to learn from and one to test on


class Samples:
    """Some of the samples of a `Source`, and what they are at other sizes, computed once.

    Attributes:
        source: Source of at most as many samples as asked for; of each class its share, and two at least.
        total: number of samples that there were.
    """

    def __init__(self, source: Source, most: int, seed: int, *, by_class: bool):
        self.total = len(source)
        self.source = source if self.total <= most else source.subset(_chosen(source, most, seed, by_class))
        self._values: dict[tuple[int, ...], np.ndarray] = {}

    def __len__(self) -> int:
        return len(self.source)

    @property
    def is_image(self) -> bool:
        """Whether the samples are pictures of one or three channels, which can be resized."""
        return is_image(self.source.shape) and self.source.sampling_rate is None

    def at(self, shape: tuple[int, ...]) -> np.ndarray:
        """The samples as float32 (samples, *shape): pictures are resized, signals of one channel gain or lose its axis.

        The last size asked for is kept, so that encoders of one size share it.
        """
        if shape not in self._values:
            resized = self.source.resized(shape) if self.is_image else of_one_channel(self.source, shape)
            self._values = {shape: resized.values()}
        return self._values[shape]


def is_image(shape) -> bool:
    """Whether samples of this shape are pictures: (height, width, 1 or 3), no side below 4 pixels."""
    return len(shape) == 3 and shape[-1] in (1, 3) and min(shape[:2]) >= 4


def _chosen(source, most, seed, by_class):
    """Sorted indices of `most` samples, drawn once; of every class about its share, and two at least."""
    random = np.random.default_rng(seed)
    if not by_class:
        return np.sort(random.choice(len(source), most, replace=False))
    chosen = []
    for label in np.unique(source.labels):
        members = np.flatnonzero(source.labels == label)
        count = max(MINIMUM_PER_CLASS, round(most * len(members) / len(source)))
        chosen.append(random.choice(members, min(count, len(members)), replace=False))
    return np.sort(np.concatenate(chosen))


def checked(source: Source, *, labelled: bool) -> Source:
    """`source` if something can be learnt from it, its labels numbered from 0.

    Raises:
        DataError: all samples are equal; of labelled ones, a single class, or a class with one sample.
    """
    if len(source) > 1 and (source.samples == source.samples[:1]).all():
        raise DataError(f"All {len(source):,} samples of {source.name!r} are equal: there is nothing to tell apart.")
    if not labelled:
        return source
    labels, numbers, counts = np.unique(np.asarray(source.labels), return_inverse=True, return_counts=True)
    names = [source.class_names[label] if source.class_names else str(label) for label in labels]
    if len(labels) < 2:
        raise DataError(
            f"Encoders are compared by how well classes are told apart: expected labels of at least two classes."
            f" Received {len(source):,} samples of {names[0]!r} alone. For normal samples alone pass no labels, and"
            " anomalies= where you have some."
        )
    if counts.min() < MINIMUM_PER_CLASS:
        rare = [name for name, count in zip(names, counts, strict=True) if count < MINIMUM_PER_CLASS]
        raise DataError(
            f"Each class needs at least {MINIMUM_PER_CLASS} labelled samples, one to learn from and one to test on;"
            f" 5 or more give a usable comparison. Received one of {', '.join(map(repr, rare[:5]))}"
            + (f" and {len(rare) - 5} further classes." if len(rare) > 5 else ".")
        )
    return dataclasses.replace(source, labels=numbers.astype("int64"), class_names=tuple(names))
