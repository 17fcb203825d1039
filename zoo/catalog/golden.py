"""Golden outputs: what a pretrained model gave for a few samples when it was made, to notice a change."""

import functools

import numpy as np

from zoo.core import arrays_file
from zoo.core.errors import DataError, IntegrityError
from zoo.data import samples_like
from zoo.data.source import Source
from zoo.exporting import precision

SAMPLES = 4
TOLERANCE = precision.TOLERANCE


def write(path, model, source=None):
    """Write the first samples of a `Source`, their latent features and their reconstructions to an ``.npz`` file.

    Without a source: of embedded digits, brought to the model's shape.
    """
    few = Source(samples_like(model.input_shape, SAMPLES)) if source is None else source.part(0, SAMPLES)
    samples = few.samples if few.is_pixels else few.values()
    np.savez_compressed(path, samples=samples, **_outputs(precision.in_float32(model)[0], few.values()))


def check(content, model, name):
    """The largest absolute difference between a model's outputs and the golden ones.

    Args:
        content: bytes of the ``.npz`` file.
        model: Autoencoder.
        name: what to call it in an error.

    Raises:
        IntegrityError: no such file, or the difference is above 1e-5, times the largest output where that is above 1,
            or above what float32 can deliver for this model, see `zoo.exporting.precision`.
    """
    worst = 0.0
    model, _ = precision.in_float32(model)
    stored = _stored(content, name)
    try:
        samples = Source(stored["samples"]).values()
        outputs = _outputs(model, samples)
    except DataError as error:
        raise IntegrityError(f"The golden output of {name!r} is of samples that it does not take: {error}") from error
    for part, output in outputs.items():
        if (stored[part].shape, stored[part].dtype) != (output.shape, output.dtype):
            raise IntegrityError(
                f"The golden {part} of {name!r} should be {output.dtype} {output.shape}. Received {stored[part].dtype}"
                f" {stored[part].shape}."
            )
        differences = np.abs(output - stored[part])
        exact = functools.partial(_in_float64, model, samples, part)
        limit, _ = precision.tolerance(output, differences, exact)
        difference = float(differences.max())
        if not difference <= limit:
            raise IntegrityError(
                f"The model {name!r} no longer gives its golden {part}: expected a difference of at most {limit:.1e}."
                f" Received {difference:.1e}. Its files, or Keras on this machine, are not what it was made with."
            )
        worst = max(worst, difference)
    return worst


def _stored(content, name):
    stored = arrays_file.read_arrays(content, where=f"The golden output of {name!r}", error=IntegrityError)
    if stored.keys() != {"samples", "latent", "reconstruction"}:
        raise IntegrityError(f"The golden output of {name!r} is damaged: it holds {sorted(stored)}.")
    return stored


def _outputs(model, samples):
    latent = model.encode(samples)
    return {"latent": latent, "reconstruction": model.decode(latent)}


def _in_float64(model, samples, name):
    return _outputs(precision.copied(model, "float64"), samples)[name]
