"""Golden outputs: what a pretrained model gave for a few samples when it was made, to notice a change."""

import numpy as np

from zoo.core.errors import IntegrityError
from zoo.data.source import Source

SAMPLES = 4
TOLERANCE = 1e-5  # of float32 sums in another order, on values of about 1


def write(path, model, source):
    """Write the first samples of a `Source`, their latent features and their reconstructions to an ``.npz`` file."""
    few = source.part(0, SAMPLES)
    np.savez_compressed(path, samples=few.images, **_outputs(model, few.pixels()))


def check(path, model):
    """The largest absolute difference between a model's outputs and the golden ones.

    Raises:
        IntegrityError: there are none, or the difference is above 1e-5, times the largest output where that is above 1.
    """
    if not path.is_file():
        raise IntegrityError(f"The pretrained model {path.parent.name!r} is incomplete: {path.name} is missing.")
    with np.load(path, allow_pickle=False) as stored:
        outputs = _outputs(model, Source(stored["samples"]).pixels())
        worst = 0.0
        for name, output in outputs.items():
            difference = float(np.abs(output - stored[name]).max())
            limit = TOLERANCE * max(1.0, float(np.abs(stored[name]).max()))
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
