"""The digits that the page needs: to calibrate on, to fit the map on, and to show on it."""

import dataclasses

import numpy as np

import zoo
from zoo.core.errors import DataNotFoundError
from zoo.data.source import Source

SHAPE = (28, 28, 1)
_TRAIN, _CALIBRATION = 4000, 1000
_SHOWN_PER_CLASS = 50


@dataclasses.dataclass(frozen=True)
class Samples:
    """Digits in MNIST's size and framing.

    Attributes:
        train: up to 4,000 training digits, for the projection of the map.
        calibration: 1,000 of them, for int8.
        test: digits that no model was trained on, for the thresholds.
        shown: up to 50 test digits per class, in the order of the classes, for the map; the page holds them.
    """

    train: Source
    calibration: Source
    test: Source
    shown: Source


def load(dataset="auto"):
    """The digits of "mnist", or the embedded "digits"; "auto" takes the latter where MNIST is not available.

    Returns:
        Samples, with uint8 images (samples, 28, 28, 1).
    """
    if dataset == "auto":
        try:
            return load("mnist")
        except DataNotFoundError:
            return load("digits")
    train, test = (_source(dataset, split) for split in ("train", "test"))
    order = np.random.default_rng(0).permutation(len(train))[:_TRAIN]
    shown = np.concatenate([np.flatnonzero(test.labels == label)[:_SHOWN_PER_CLASS] for label in range(10)])
    return Samples(train.subset(order), train.subset(order[:_CALIBRATION]), test, test.subset(shown))


def _source(dataset, split):
    source = zoo.data.load(dataset, split)
    if dataset != "digits":
        return source
    # The embedded digits fill their image; MNIST's have a margin.
    pixels = zoo.data.resize(source.samples, SHAPE, margin=4 / 28)
    return dataclasses.replace(source, samples=np.rint(pixels * 255).astype("uint8"))
