"""Running a model on many samples, a batch at a time."""

from collections.abc import Callable

import numpy as np

BATCH_SIZE = 256  # of a forward pass
TRAINING_BATCH_SIZE = 32  # of `fit`, as in Keras


def forward(function: Callable, x, batch_size: int = BATCH_SIZE) -> np.ndarray:
    """The outputs of `function` for all of `x`, computed `batch_size` samples at a time.

    Args:
        function: takes an array (samples, ...) and returns an array or tensor (samples, ...) of any backend.
        x: array (samples, ...), at least one sample.
        batch_size: samples per call.

    Returns:
        NumPy array (samples, ...); floats of any precision come back as float32.
    """
    parts = [np.asarray(function(x[start : start + batch_size])) for start in range(0, len(x), batch_size)]
    outputs = np.concatenate(parts) if len(parts) > 1 else parts[0]
    # Half precisions, of which bfloat16 is no NumPy kind; integers and booleans stay what they are.
    return outputs if outputs.dtype.kind in "iub" else outputs.astype("float32", copy=False)
