"""A long recording: values of one or several channels over time."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from zoo.core.errors import DataError
from zoo.data.source import positive


@dataclasses.dataclass(frozen=True, eq=False)
class Series:
    """A recording, whose windows are samples: see `zoo.data.windows`.

    Attributes:
        values: array (time, channels) of numbers as they are stored; given as (time,), it has one channel. NaN where a
            value is missing. Of a file that is read as it is needed, what is indexed and has shape and dtype like one.
        sampling_rate: in Hz; None if unknown.
        unit, scale: as of a `Source`.
        channels: names of the channels; () if they have none.
        labels: int64 array (time,), 0 for what is normal; None if there are none.
        breaks: the moments before which some are missing, ascending: a gap between two recordings that follow.
        name: what errors call it.

    Raises:
        DataError: no values, values that are not numbers, or names or labels that do not fit.

    Example:
        >>> series = zoo.data.Series(np.random.normal(size=(10_000, 3)), 100.0, "g", channels=("x", "y", "z"))
        >>> zoo.data.windows(series, length=128, hop=64, channels=("z", "x")).shape
        (128, 2)
    """

    values: Any
    sampling_rate: float | None = None
    unit: str = ""
    channels: tuple[str, ...] = ()
    name: str = "series"
    scale: float | None = None
    labels: np.ndarray | None = None
    breaks: tuple[int, ...] = ()

    def __post_init__(self):
        values = self.values if hasattr(self.values, "dtype") else np.asarray(self.values)
        if values.dtype.kind not in "fiub" or len(values.shape) not in (1, 2) or 0 in values.shape:
            raise DataError(
                f"{self.name}: expected numbers (time,) or (time, channels). Received dtype {values.dtype} and shape"
                f" {tuple(values.shape)}."
            )
        if len(values.shape) == 1:
            values = np.asarray(values)[:, None]
        labels = self.labels
        if labels is not None:
            labels = np.asarray(labels)
            if labels.shape != values.shape[:1] or labels.dtype.kind not in "iub":
                raise DataError(
                    f"{self.name}: expected labels, integers (time,), of {values.shape[0]:,} moments. Received dtype"
                    f" {labels.dtype} and shape {labels.shape}."
                )
            labels = labels.astype("int64", copy=False)
        channels = tuple(map(str, self.channels))
        if channels and (len(channels) != values.shape[1] or len(set(channels)) != len(channels)):
            raise DataError(
                f"{self.name}: expected {values.shape[1]} different names of channels. Received {channels}."
            )
        if self.scale is not None and values.dtype.kind not in "iu":
            raise DataError(f"{self.name}: a scale is of integers. Received scale={self.scale!r} and {values.dtype}.")
        checked = {
            "values": values,
            "labels": labels,
            "channels": channels,
            "scale": positive("scale", self.scale),
            "sampling_rate": positive("sampling_rate", self.sampling_rate),
            "breaks": tuple(map(int, self.breaks)),
        }
        for field, value in checked.items():
            object.__setattr__(self, field, value)

    def __len__(self) -> int:
        return self.values.shape[0]

    @property
    def in_memory(self) -> bool:
        """Whether `values` is an array."""
        return isinstance(self.values, np.ndarray)

    def moment(self, index: int) -> str:
        """An index in words, with its time where the sampling rate is known: "moment 1500 (15 s)"."""
        return f"moment {index}" + (f" ({index / self.sampling_rate:.6g} s)" if self.sampling_rate else "")

    def columns(self, channels: Sequence[str | int] | None) -> list[int] | None:
        """Numbers of the channels, given by name or number, in the given order; None for all as they are."""
        if channels is None:
            return None
        if isinstance(channels, (str, int)):
            channels = [channels]
        numbers = []
        for channel in channels:
            if isinstance(channel, str) and channel in self.channels:
                numbers.append(self.channels.index(channel))
            elif isinstance(channel, (int, np.integer)) and 0 <= channel < self.values.shape[1]:
                numbers.append(int(channel))
            else:
                has = f"the channels {list(self.channels)}" if self.channels else "no names of channels"
                raise DataError(
                    f"{self.name} has no channel {channel!r}: it has {has}, and {self.values.shape[1]} in all, counted"
                    " from 0."
                )
        if not numbers or len(set(numbers)) != len(numbers):
            raise DataError(f"channels must name at least one channel, and each once. Received {list(channels)}.")
        return numbers
