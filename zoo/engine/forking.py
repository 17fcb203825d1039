"""Processes made by fork: TensorFlow's threads do not live there, and a computation would wait for them forever."""

import os

from zoo.core.errors import ConfigError
from zoo.engine import keras_internals

_dead = False


def _after_fork():
    global _dead
    _dead = _dead or keras_internals.tensorflow_has_started()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def check() -> None:
    """Raise `ConfigError` in a process that was forked after TensorFlow had started."""
    if _dead:
        raise ConfigError(
            "This process was forked from one in which TensorFlow had already computed, and would wait forever here."
            " Use multiprocessing's start method 'spawn' or 'forkserver', or fork before the first model is built."
        )
