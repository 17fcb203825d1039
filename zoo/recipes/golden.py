"""Golden outputs: what a pretrained model gave for a few samples when it was made, to notice a change."""

import functools

import numpy as np

from zoo.core.errors import IntegrityError
from zoo.data.source import Source
from zoo.exporting import precision

SAMPLES = 4
TOLERANCE = precision.TOLERANCE


def write(path, model, source):
    """Write the first samples of a `Source`, their latent features and their reconstructions to an ``.npz`` file."""
    few = source.part(0, SAMPLES)
    np.savez_compressed(path, samples=few.images, **_outputs(model, few.pixels()))


def check(path, model):
    """The largest absolute difference between a model's outputs and the golden ones.

    Raises:
        IntegrityError: there are none, or the difference is above 1e-5, times the largest output where that is above 1,
            or above what float32 can deliver for this model, see `zoo.exporting.precision`.
    """
    if not path.is_file():
        raise IntegrityError(f"The pretrained model {path.parent.name!r} is incomplete: {path.name} is missing.")
    with np.load(path, allow_pickle=False) as stored:
        pixels = Source(stored["samples"]).pixels()
        outputs = _outputs(model, pixels)
        worst = 0.0
        for name, output in outputs.items():
            differences = np.abs(output - stored[name])
            exact = functools.partial(_in_float64, model, pixels, name)
            limit, _ = precision.tolerance(output, differences, exact)
            difference = float(differences.max())
            if not difference <= limit:
                raise IntegrityError(
                    f"The model {path.parent.name!r} no longer gives its golden {name}: expected a difference of at"
                    f" most {limit:.1e}. Received {difference:.1e}. Train it again, under another version."
                )
            worst = max(worst, difference)
    return worst


def _outputs(model, samples):
    latent = model.encode(samples)
    return {"latent": latent, "reconstruction": model.decode(latent)}


def _in_float64(model, samples, name):
    return _outputs(precision.copied(model, "float64"), samples)[name]
