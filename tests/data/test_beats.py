"""Heart beats in context, against a plain recomputation on a made-up recording."""

import numpy as np
import pytest

import zoo
from zoo.core.errors import DataError
from zoo.data import beats


def _recording(seed, intervals):
    """Windows of 128 values of one recording, the first 48 before each beat, as `mitbih_beats` has them."""
    peaks = 48 + np.concatenate([[0], np.cumsum(intervals)])
    values = np.random.default_rng(seed).integers(-900, 900, peaks[-1] + 80).astype("int16")
    return np.stack([values[peak - 48 : peak + 80] for peak in peaks])


def test_overlap_tells_the_interval():
    windows = _recording(0, [200, 36, 128, 100, 120, 121])
    # Below 36 values no heart beats; fewer than 8 common values may be chance.
    assert beats.overlaps(windows).tolist() == [0, 0, 92, 0, 28, 8, 0]


def test_usual_beats_are_of_the_past():
    windows = _recording(1, [150] * 94)
    usual = beats.usual_beats(windows)
    for number in (0, 9, 59, 60, 69, 70, 94):
        end = max(60, number // 10 * 10)
        np.testing.assert_array_equal(usual[number], np.rint(np.median(windows[end - 60 : end], axis=0)))
    later = windows.copy()
    later[80:] = 0
    np.testing.assert_array_equal(beats.usual_beats(later)[:81], usual[:81])
    assert beats.usual_beats(windows[:3])[2].tolist() == np.median(windows[:3], axis=0).tolist()


def test_records_are_apart():
    """In whatever order they come."""
    first, second = _recording(2, [100] * 4), _recording(3, [110] * 4)
    both = beats.in_context(np.stack([first, second], 1).reshape(10, 128), np.array([7, 3] * 5), mark=200)
    assert (both.shape, both.dtype) == ((10, 128, 3), "int16")
    for start, windows, common in ((0, first, 28), (1, second, 18)):
        own = both[start::2]
        np.testing.assert_array_equal(own[..., 0], windows)
        np.testing.assert_array_equal(own[..., 1], beats.usual_beats(windows))
        assert own[..., 2].sum(axis=1).tolist() == [0] + [200 * common] * 4
        assert (own[1:, :common, 2] == 200).all()


def test_dataset(tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_DATA_DIR", str(tmp_path))
    windows = _recording(4, [100] * 5)
    arrays = {f"x_{split}": windows for split in ("train", "test")}
    arrays |= {f"y_{split}": np.uint8([0, 0, 1, 0, 2, 0]) for split in ("train", "test")}
    np.savez(tmp_path / "mitbih_beats_180hz.npz", **arrays)
    with pytest.raises(DataError, match="expected arrays x_train, y_train, record_train, x_test, y_test, record_test"):
        zoo.data.load("mitbih_beats_in_context")
    records = {f"record_{split}": np.uint8([1] * 3 + [2] * 3) for split in ("train", "test")}
    np.savez(tmp_path / "mitbih_beats_180hz.npz", **arrays, **records)
    source = zoo.data.load("mitbih_beats_in_context", "test")
    assert (source.channels, source.scale, source.unit) == (("beat", "usual beat", "overlap"), 1 / 200, "mV")
    np.testing.assert_array_equal(source.samples, beats.in_context(windows, records["record_test"], 200))
    assert zoo.data.load("mitbih_beats_in_context:normal", "all").samples.shape == (8, 128, 3)
    # The name of the file means the beats as they are stored.
    assert zoo.data.load("mitbih_beats_180hz").name == "mitbih_beats"
