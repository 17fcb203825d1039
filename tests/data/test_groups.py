"""Who samples are of, and which share values: through parts of a Source, and in what is held out."""

import dataclasses
import os
import pathlib

import numpy as np
import pytest

import zoo
from zoo.core.errors import DataError
from zoo.data import Source, windows
from zoo.engine import inputs
from zoo.engine.contract import Contract
from zoo.recipes.fit import _split

SERIES = np.random.default_rng(0).normal(size=100).astype("float32")
DATA = pathlib.Path(os.environ.get("ZOO_DATA_DIR", "absent"))


def test_groups_go_with_their_samples():
    x = np.arange(12.0).reshape(6, 2)
    source = Source(x, [0, 1, 0, 1, 0, 1], groups=["b", "a", "b", "c", "c", "a"], normal_class=0)
    assert source.groups.tolist() == ["b", "a", "b", "c", "c", "a"]
    assert source.subset([5, 0]).groups.tolist() == ["a", "b"]
    assert source.part(1, 3).groups.tolist() == ["a", "b"]
    assert source.normals().groups.tolist() == ["b", "b", "c"]
    assert Source(x).subset([0]).groups is None
    assert dataclasses.replace(source, groups=np.arange(6)).subset([2]).groups.tolist() == [2]
    for wrong in ([1, 2], np.zeros(6), np.zeros((6, 1), int)):
        with pytest.raises(DataError, match="needs one group per sample.* Received 6 samples and groups of dtype"):
            Source(x, groups=wrong)


def test_windows_of_several_recordings_know_which():
    source = windows([SERIES[:50], SERIES[50:]], 10, 5)
    assert source.groups.tolist() == [0] * 9 + [1] * 9
    assert windows(SERIES, 10).groups is None


@pytest.mark.parametrize(
    ("file", "name", "groups"),
    [("fsdd_8khz_1s.npz", "fsdd", "speaker"), ("mitbih_beats_180hz.npz", "mitbih_beats", "record")],
)
def test_speakers_and_records(file, name, groups):
    if not (DATA / file).is_file():
        pytest.skip(f"{file} is not in ZOO_DATA_DIR")
    source = zoo.data.load(name, "test")
    with np.load(DATA / file) as content:
        expected = content[f"{groups}_test"]
        expected = content["speakers"][expected] if name == "fsdd" else expected
        np.testing.assert_array_equal(source.groups, expected)
    if name == "fsdd":
        assert sorted(set(source.groups)) == ["george", "jackson", "lucas", "nicolas", "theo", "yweweler"]
        both = zoo.data.load(name, "all").groups
        assert len(both) == 3000 and both[-300:].tolist() == source.groups.tolist()
    else:
        train = zoo.data.load(name, "train")
        assert len(set(source.groups)) == 22 and not set(source.groups) & set(train.groups)


@pytest.mark.parametrize(("length", "hop", "overlap"), [(10, 10, 0), (10, 20, 0), (10, 5, 1), (10, 3, 3), (10, 1, 9)])
def test_what_is_held_out_shares_no_moment_with_the_rest(length, hop, overlap):
    times = np.arange(100, dtype="float32") + SERIES * 0
    for stream in (False, True):
        source = windows(times, length, hop, flat=True, stream=stream)
        assert source.overlap == overlap
        contract = Contract((length,), unit_range=False)
        samples = inputs.take(contract, source)
        for train, held_out in (_split(source, 0.25), [part.x for part in samples.split(0.25)]):
            train, held_out = (
                part if isinstance(part, np.ndarray) else part.head(99).samples if stream else part.samples
                for part in (train, held_out)
            )
            assert len(train) + overlap + len(held_out) == len(source)
            assert train.max() < held_out.min()
            assert train.max() + hop > held_out.min() - hop  # no more is left out than need be
    assert windows(times, 50, 1).overlap == 49
    with pytest.raises(DataError, match="validation_split.* 51 samples, of which each shares values with the next 49"):
        inputs.take(Contract((50,), unit_range=False), windows(times, 50, 1, flat=True)).split(0.25)
    with pytest.raises(DataError, match="of 51 windows each overlaps with the next 49. Received validation_split=0.25"):
        _split(windows(times, 50, 1), 0.25)


def test_fit_keeps_the_gap():
    """The validation loss of the first epoch is the same however many windows overlap the held-out part."""
    import keras

    keras.utils.set_random_seed(0)
    model = zoo.feed_forward((10,), 2, output_activation="linear")
    seen = []
    model.compile(optimizer="sgd", loss="mse")
    source = windows(SERIES, 10, 2, flat=True)  # 46 windows: 34 are kept, of which the last 4 are left out
    history = model.fit(
        source,
        epochs=1,
        validation_split=0.25,
        batch_size=1,
        shuffle=False,
        verbose=0,
        callbacks=[
            keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append(batch)),
        ],
    )
    assert max(seen) == 34 - 4 - 1
    assert np.isfinite(history.history["val_loss"][0])
