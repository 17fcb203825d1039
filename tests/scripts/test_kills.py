"""Writers that are killed, that run out of disk, or that meet each other; models in threads and forked processes."""

import random
import subprocess
import threading

import numpy as np
import pytest
from hostile import kills

import zoo
from zoo.core.errors import OutputError


@pytest.mark.parametrize(("writer", "moments", "steps"), [("save", 4, 5), ("export", 1, 1), ("train", 1, 1)])
def test_a_killed_writer_leaves_the_earlier_or_the_new_result(tmp_path, writer, moments, steps):
    """A few of the moments of docs/security.md."""
    rng = random.Random(writer)
    killing = kills.Killing(writer, tmp_path)
    ways = [{"seconds": moment} for moment in kills.moments(killing.seconds, moments, rng)]
    ways += [{"step": step} for step in rng.sample(range(1, killing.steps + 1), steps)]
    outcomes = {str(way): killing.kill(**way) for way in [*ways, {"largest": 600}]}
    assert {outcome for outcome, _ in outcomes.values()} <= {kills.EARLIER, kills.NEW}, outcomes
    assert outcomes["{'largest': 600}"] == (kills.EARLIER, "")
    if writer == "save":
        assert killing.kill(step=1)[0] == kills.EARLIER
        assert killing.kill(step=killing.steps)[0] == kills.NEW


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 48 kB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=48k", "tmpfs", place], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("file systems can be mounted by root only")
    yield place
    subprocess.run(["umount", place], check=True)


def test_a_full_disk_and_a_read_only_one(small_disk):
    model = zoo.feed_forward((4,), 2)
    x = np.ones((1, 4), "float32")
    zoo.save(model, small_disk / "model")
    before = kills._names(small_disk)
    with pytest.raises(OutputError, match="No space left on device"):
        zoo.save(zoo.feed_forward((400,), 200), small_disk / "model")
    assert kills._names(small_disk) == before
    np.testing.assert_array_equal(zoo.load(small_disk / "model").reconstruct(x), model.reconstruct(x))

    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    with pytest.raises(OutputError, match="Read-only file system"):
        zoo.save(model, small_disk / "model")
    np.testing.assert_array_equal(zoo.load(small_disk / "model").reconstruct(x), model.reconstruct(x))


def test_models_are_loaded_by_eight_threads_at_once(tmp_path):
    models = {f"m{i}": zoo.feed_forward((6,), i + 1) for i in range(4)}
    x = np.random.default_rng(0).random((3, 6), "float32")
    for name, model in models.items():
        zoo.save(model, tmp_path / name)
    expected = {name: model.reconstruct(x) for name, model in models.items()}
    wrong, right = [], []

    def work(number):
        for turn in range(6):
            name = f"m{(number + turn) % 4}"
            try:
                np.testing.assert_allclose(zoo.load(tmp_path / name).reconstruct(x), expected[name], atol=1e-6)
                right.append(name)
            except BaseException as error:
                wrong.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len(right) == 48
