"""The parity check: an exported file must compute what Keras computes, as well as float32 can."""

from collections.abc import Callable

import numpy as np

from zoo.core.errors import ParityError
from zoo.exporting import precision
from zoo.exporting.report import Difference
from zoo.exporting.runtime import Details

# A quantised file is judged by its task metrics, but an error as large as what the outputs tell apart is no rounding.
_GROSS = 0.5


def check(
    place: str,
    details: Details,
    outputs: np.ndarray,
    reference: np.ndarray,
    tolerance: float | None,
    quantized: bool,
    exact: Callable[[], np.ndarray],
) -> Difference:
    """Compare the outputs of a signature of a file with Keras'.

    Args:
        place: file and signature, for an error.
        details: of the signature.
        outputs: what the file computed.
        reference: the Keras model's outputs for the same samples.
        tolerance: largest allowed absolute difference; None for `precision.tolerance`.
        quantized: whether the file is quantised: without `tolerance` then only a gross difference is an error.
        exact: computes the Keras model's outputs in float64; called only where it matters.

    Raises:
        ParityError: outside of the tolerance.
    """
    if outputs.shape != reference.shape:
        raise ParityError(f"{place} returns shape {outputs.shape}, Keras {reference.shape}. Nothing was written.")
    difference = np.abs(outputs.astype("float64") - reference)
    reason = "given"
    if tolerance is None and quantized:
        reason = "quantised: judged by its task metrics"
        if details.output_name not in ("score", "error"):  # they follow from the reconstruction
            _refuse_gross(place, difference, reference)
    else:
        if tolerance is None:
            tolerance, reason = precision.tolerance(reference, difference, exact)
        # Written so that NaN fails too.
        if not difference.max() <= tolerance:
            worst = np.unravel_index(np.nanargmax(difference), difference.shape)
            raise ParityError(
                f"{place} differs from Keras by {difference.max():.3g} at output {tuple(map(int, worst))},"
                f" allowed is {tolerance:.3g} ({reason}). Nothing was written. Pass a larger tolerance= only if the"
                " task allows it."
            )
    return Difference(
        details.input_name, details.output_name, float(difference.max()), float(difference.mean()), tolerance, reason
    )


def _refuse_gross(place, difference, reference):
    spread = float(np.std(reference, dtype="float64"))
    error = float(np.sqrt(np.mean(difference**2)))
    if not error <= _GROSS * spread:
        raise ParityError(
            f"{place} is off by {error:.3g} (root mean square), where the outputs of Keras have a standard deviation of"
            f" {spread:.3g}: quantised like this the model is useless. Nothing was written. Use"
            ' quantization="float16", or calibrate on more varied samples.'
        )
