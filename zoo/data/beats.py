"""Heart beats beside what came before them."""

import numpy as np

_USUAL = 60  # beats that a usual beat is the median of
_UPDATE = 10  # beats until it is computed again
_SHORTEST = 36  # values between two beats at least: 0.2 s at 180 Hz, within which a heart does not beat twice
_FEWEST = 8  # values that must be common to two windows
_CHUNK = 4096
CHANNELS = ("beat", "usual beat", "overlap")


def in_context(beats: np.ndarray, records: np.ndarray, mark: int) -> np.ndarray:
    """Each beat with its patient's usual beat and where its window overlaps that of the beat before.

    Nothing of it needs a label or a later beat, but for the first 60 of a record, which serve one another.

    Args:
        beats: int16 array (beats, length), the windows in the order of time within each record.
        records: array (beats,), which record each is of.
        mark: value of the third channel where the window holds values of the window before; 0 elsewhere.

    Returns:
        int16 (beats, length, 3): the beat; the median of the 60 beats before it, computed anew with every tenth; the
        overlap, from which follows how early the beat came.
    """
    result = np.zeros((*beats.shape, len(CHANNELS)), "int16")
    result[..., 0] = beats
    place = np.arange(beats.shape[1])
    for record in np.unique(records):
        own = np.flatnonzero(records == record)
        result[own, :, 1] = usual_beats(beats[own])
        result[own, :, 2] = mark * (place < overlaps(beats[own])[:, None])
    return result


def usual_beats(beats: np.ndarray) -> np.ndarray:
    """The usual beat of one record at the time of each of its beats, int16, of the shape of `beats`."""
    usual = np.empty_like(beats)
    for begin in range(0, len(beats), _UPDATE):
        end = max(begin, _USUAL)
        usual[begin : begin + _UPDATE] = np.rint(np.median(beats[end - _USUAL : end], axis=0))
    return usual


def overlaps(beats: np.ndarray) -> np.ndarray:
    """How many values each window of one record shares with the window before: int array (beats,), 0 if none."""
    length = beats.shape[1]
    found = np.zeros(len(beats), "int64")
    for begin in range(1, len(beats), _CHUNK):
        now = beats[begin : begin + _CHUNK]
        before = beats[begin - 1 : begin - 1 + len(now)]
        for common in range(_FEWEST, length - _SHORTEST + 1):  # the longest that fits stays
            same = (before[:, length - common :] == now[:, :common]).all(axis=1)
            found[begin : begin + _CHUNK][same] = common
    return found
