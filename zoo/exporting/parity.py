"""The parity check: an exported file must compute what Keras computes."""

import numpy as np

from zoo.core.errors import ParityError
from zoo.exporting.report import FORMATS, Difference

_TOLERANCE = 1e-5
# A quantised file is judged by its task metrics, but an error as large as what the outputs tell apart is no rounding.
_GROSS = 0.5


def check(name, details, outputs, references, tolerance, quantized):
    """Compare the outputs of every signature of a file with Keras'.

    Args:
        name: format.
        details: dict of signature name to its `zoo.exporting.runtime.Details`.
        outputs: dict of signature name to what the file computed.
        references: dict of signature name to the Keras model's outputs for the same samples.
        tolerance: largest allowed absolute difference, or None for 1e-5 · max(1, largest |output|) of each signature.
        quantized: whether the file is quantised: without `tolerance` then only a gross difference is an error.

    Returns:
        dict of signature name to `Difference`.

    Raises:
        ParityError: outside the tolerance.
    """
    return {
        signature: _compared(
            f"{FORMATS[name]} ({signature})", details[signature], values, references[signature], tolerance, quantized
        )
        for signature, values in outputs.items()
    }


def _compared(told, details, outputs, reference, tolerance, quantized):
    if outputs.shape != reference.shape:
        raise ParityError(f"{told} returns shape {outputs.shape}, Keras {reference.shape}. Nothing was written.")
    difference = np.abs(outputs.astype("float64") - reference)
    if tolerance is None and quantized:
        if details.output_name != "score":  # it follows from the reconstruction
            _refuse_gross(told, difference, reference)
    else:
        if tolerance is None:
            tolerance = _TOLERANCE * max(1.0, float(np.abs(reference).max()))
        # Written so that NaN fails too.
        if not difference.max() <= tolerance:
            worst = np.unravel_index(np.nanargmax(difference), difference.shape)
            raise ParityError(
                f"{told} differs from Keras by {difference.max():.3g} at output {tuple(map(int, worst))},"
                f" allowed is {tolerance:.3g}. Nothing was written. Pass a larger tolerance= only if the task allows"
                " it."
            )
    return Difference(
        details.input_name, details.output_name, float(difference.max()), float(difference.mean()), tolerance
    )


def _refuse_gross(told, difference, reference):
    spread = float(np.std(reference, dtype="float64"))
    error = float(np.sqrt(np.mean(difference**2)))
    if not error <= _GROSS * spread:
        raise ParityError(
            f"{told} is off by {error:.3g} (root mean square), where the outputs of Keras have a standard deviation of"
            f" {spread:.3g}: quantised like this the model is useless. Nothing was written. Use"
            ' quantization="float16", or calibrate on more varied samples.'
        )
