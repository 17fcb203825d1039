"""A zoo data source: samples in memory, with their labels and where they come from."""

import dataclasses

import numpy as np

from zoo.core.errors import DataError


@dataclasses.dataclass(frozen=True, eq=False)
class Source:
    """Samples of one split of one dataset.

    Attributes:
        images: array (samples, *shape), uint8 pixels as they are stored or float32 in [0, 1].
        labels: int64 array (samples,), or None.
        name: name of the dataset, for instance "mnist".
        split: "train", "test" or "all".
        version: version of the dataset, "" if it has none.
        class_names: names of the classes, in the order of the labels.

    Example:
        >>> source = zoo.data.load("digits")
        >>> source.pixels().shape, source.labels.shape
        ((1438, 8, 8, 1), (1438,))
    """

    images: np.ndarray
    labels: np.ndarray | None = None
    name: str = "array"
    split: str = "all"
    version: str = ""
    class_names: tuple = ()

    def __post_init__(self):
        if len(self.images) == 0:
            raise DataError(f"Dataset {self.name!r} is empty: expected at least one sample.")
        if self.labels is not None and len(self.labels) != len(self.images):
            raise DataError(
                f"Dataset {self.name!r} needs one label per sample."
                f" Received {len(self.images)} samples and {len(self.labels)} labels."
            )

    def __len__(self):
        return len(self.images)

    @property
    def shape(self):
        """Shape of one sample."""
        return tuple(self.images.shape[1:])

    def pixels(self):
        """The samples as float32; 8-bit pixels are divided by 255."""
        if self.images.dtype == np.uint8:
            return self.images.astype("float32") / np.float32(255)
        return self.images.astype("float32", copy=False)

    def subset(self, indices):
        """The samples at `indices` (anything that indexes an array), as a Source."""
        labels = None if self.labels is None else self.labels[indices]
        return dataclasses.replace(self, images=self.images[indices], labels=labels)

    def part(self, begin, end):
        """The samples from number `begin` up to `end`, as a Source that shares their memory."""
        return self.subset(slice(begin, end))

    def resized(self, shape):
        """The samples brought to `shape` by `zoo.data.resize`; unchanged if they have it."""
        from zoo.data.resizing import resize

        if self.shape == tuple(shape):
            return self
        return dataclasses.replace(self, images=resize(self.images, shape))


def mixture(sources, name):
    """One Source of all samples of several, in an order drawn once, without labels.

    Args:
        sources: list of Source with samples of one shape.
        name: what the mixture is called.

    Raises:
        DataError: samples of different shapes.
    """
    shapes = {source.shape for source in sources}
    if len(shapes) > 1:
        raise DataError(
            f"The datasets of {name!r} have samples of different shapes: pass shape=(height, width, channels)."
            f" Received {sorted(shapes)}."
        )
    images = np.concatenate([source.images for source in sources])
    order = np.random.default_rng(0).permutation(len(images))
    version = "+".join(source.version for source in sources if source.version)
    return Source(images[order], None, name=name, split=sources[0].split, version=version)
