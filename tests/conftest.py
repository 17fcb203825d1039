"""Test configuration: where prepared datasets may lie, and what needs them."""

import os
import pathlib
import random
import signal
import sys

import numpy as np
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell starts what it runs in the background without it, and so would all processes that tests interrupt.
    signal.signal(signal.SIGINT, signal.default_int_handler)
_SHARED = pathlib.Path(__file__).parents[2] / "shared"
for _variable, _folder in (("TFDS_DATA_DIR", "tfds"), ("ZOO_DATA_DIR", "data")):
    if (_SHARED / _folder).is_dir():
        os.environ.setdefault(_variable, str(_SHARED / _folder))


def pytest_addoption(parser):
    parser.addoption("--seed", type=int, default=0, help="of all random numbers that a test does not seed itself")


def pytest_configure(config):
    config.addinivalue_line("markers", "needs_dataset(name): runs where TFDS has this dataset prepared")


def pytest_runtest_setup(item):
    # Initial weights must not depend on which tests ran before in the same process: two processes share them by chance.
    random.seed(item.config.getoption("seed"))
    np.random.seed(item.config.getoption("seed"))
    if keras := sys.modules.get("keras"):
        keras.utils.set_random_seed(item.config.getoption("seed"))
    root = pathlib.Path(os.environ.get("TFDS_DATA_DIR", "~/tensorflow_datasets")).expanduser()
    for marker in item.iter_markers("needs_dataset"):
        # A download that failed leaves the folder, but not what describes its content.
        if not any((root / marker.args[0]).glob("*/dataset_info.json")):
            pytest.skip(f"{marker.args[0]} is not prepared in {root}: run tfds.load({marker.args[0]!r}) once")


@pytest.fixture(scope="session")
def digits():
    """All 1,797 embedded digits as a Source, float32 (samples, 8, 8, 1)."""
    import zoo

    return zoo.data.load("digits", "all")


@pytest.fixture(scope="session")
def mnist_like(digits):
    """The embedded digits in MNIST's size and framing, float32 (1797, 28, 28, 1)."""
    import zoo

    return zoo.data.resize(digits.samples, (28, 28, 1), margin=4 / 28)
