"""How many epochs fit into the time that somebody has."""

import time

import numpy as np

from zoo.core.errors import ConfigError
from zoo.pretraining.rules import LEAST_EPOCHS, MOST_EPOCHS
from zoo.recipes.fit import build

_STEPS = 12  # of the trial
_SHARE = 0.75  # of the time is for training; the rest for compiling, measuring and the comparison


def epochs(recipe, source, minutes: float) -> tuple[int, float]:
    """(epochs that fit, seconds of one), by training a copy of the model for some steps, which is thrown away.

    Args:
        recipe: Recipe, whose epochs do not matter.
        source: Source of the training samples, in the shape of the model.
        minutes: that all may take.

    Raises:
        ConfigError: not even two epochs fit.
    """
    batch = recipe.training.batch_size
    some = source.part(0, min(len(source), _STEPS * batch))
    model = build(recipe, source)
    model.compile("adam", recipe.training.loss, jit_compile=recipe.training.jit_compile)
    begin = time.perf_counter()
    model.fit(some, batch_size=batch, epochs=1, verbose=0)  # compiles
    compiling, begin = time.perf_counter() - begin, time.perf_counter()
    model.fit(some, batch_size=batch, epochs=1, verbose=0)
    seconds = (time.perf_counter() - begin) * len(source) / len(some)
    available = 60 * minutes * _SHARE - compiling
    fitting = int(np.clip(available / seconds, 0, MOST_EPOCHS))
    if fitting < LEAST_EPOCHS:
        needed = (LEAST_EPOCHS * seconds + compiling) / (60 * _SHARE)
        raise ConfigError(
            f"{minutes:g} minutes are too few: a pass over {len(source):,} samples of shape {source.shape} takes about"
            f" {seconds:.0f} s here, and there should be at least {LEAST_EPOCHS}. Expected --minutes {needed:.1f} or"
            " more, fewer samples, or a smaller --size."
        )
    return fitting, seconds
