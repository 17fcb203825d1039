"""The parity check: an exported file must compute what Keras computes."""

import numpy as np

from zoo import files
from zoo.errors import ParityError
from zoo.exporting import runtime
from zoo.exporting.report import FORMATS, ExportedFile

_TOLERANCE = 1e-5


def check(name, path, samples, reference, tolerance):
    """Run an exported file in its own runtime and compare it with Keras.

    Args:
        name: format.
        path: file or directory.
        samples: array (samples, ...) to run on.
        reference: the Keras model's outputs for them.
        tolerance: largest allowed absolute difference, or None for 1e-5 · max(1, largest |output|).

    Returns:
        ExportedFile.

    Raises:
        ParityError: outside the tolerance.
    """
    operators = runtime.refuse_foreign(name, path)
    outputs = runtime.open_format(name, path)(samples)
    if outputs.shape != reference.shape:
        raise ParityError(
            f"{FORMATS[name]} returns shape {outputs.shape}, Keras {reference.shape}. Nothing was written."
        )
    if tolerance is None:
        tolerance = _TOLERANCE * max(1.0, float(np.abs(reference).max()))
    difference = np.abs(outputs.astype("float64") - reference)
    # Written so that NaN fails too.
    if not difference.max() <= tolerance:
        worst = np.unravel_index(np.nanargmax(difference), difference.shape)
        raise ParityError(
            f"{FORMATS[name]} differs from Keras by {difference.max():.3g} at output {tuple(map(int, worst))},"
            f" allowed is {tolerance:.3g}. Nothing was written. Pass a larger tolerance= only if the task allows it."
        )
    return ExportedFile(
        file=FORMATS[name],
        size_bytes=files.size_bytes(path),
        sha256=files.sha256(path),
        max_difference=float(difference.max()),
        mean_difference=float(difference.mean()),
        tolerance=tolerance,
        operators=operators,
    )
