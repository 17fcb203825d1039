"""The errors a user can meet. Each says what was expected, what came, and what to do.

Every class derives from ``ZooError`` and from the builtin a Python user would catch anyway.
"""

import difflib


class ZooError(Exception):
    """Base class of every error that `zoo` raises on purpose."""


class UnknownNameError(ZooError, ValueError):
    """A name (model, family, dataset, metric, ...) that does not exist; the nearest valid ones are listed."""


class ConfigError(ZooError, ValueError):
    """An argument, config or recipe that does not describe a model."""


class DataError(ZooError, ValueError):
    """Samples of the wrong type, shape or range."""


class MixedSizesError(DataError):
    """Images that differ in size or channels, or may do so, where all have to be of one shape.

    Attributes:
        sizes: list of the (height, width, channels) that were found, in the order of finding, five at most.
    """

    def __init__(self, message: str, sizes: list[tuple[int, ...]]):
        super().__init__(message)
        self.sizes = sizes

    def __reduce__(self):
        return type(self), (*self.args, self.sizes)


class DataNotFoundError(ZooError, FileNotFoundError):
    """A dataset, folder or file that is not there."""


class IntegrityError(ZooError, ValueError):
    """A pretrained model whose files are damaged or do not belong together."""


class OutputError(ZooError, OSError):
    """An output directory that cannot be written."""


class ExportError(ZooError, ValueError):
    """A model that cannot be exported as asked."""


class ParityError(ExportError):
    """An exported file whose outputs differ from the Keras model by more than the tolerance."""


class TrainingError(ZooError, FloatingPointError):
    """A training whose loss is no longer a finite number."""


def unknown_name(kind, name, valid, hint=""):
    """An `UnknownNameError` for `name`, listing the nearest of the `valid` names first, then a `hint` what to do.

    Example:
        >>> print(unknown_name("family", "sparze", ["denoising", "sparse"]))
        Unknown family 'sparze'. Did you mean 'sparse'? Valid: 'denoising', 'sparse'.
    """
    valid = sorted(valid)
    nearest = difflib.get_close_matches(str(name), valid, n=3, cutoff=0.5)
    parts = [f"Unknown {kind} {name!r}."]
    if nearest:
        parts.append(f"Did you mean {' or '.join(map(repr, nearest))}?")
    if not valid:
        parts.append("None is available.")
    elif len(valid) <= 40:
        parts.append(f"Valid: {', '.join(map(repr, valid))}.")
    return UnknownNameError(" ".join([*parts, hint]).rstrip())


def reason(error):
    """What an error of another library says, in one short line.

    Keras puts whole configs around the sentence that says what is wrong, which then comes last.
    """
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return lines[-1 if "config={" in str(error) else 0].removeprefix("Exception encountered: ")[:300]


def diverged(loss, epoch, step):
    """A `TrainingError` for a loss that became NaN or infinite; epoch and step count from 0."""
    return TrainingError(
        f"The loss became {loss:g} at step {step + 1} of epoch {epoch + 1}: the training has diverged and was stopped."
        " Lower the learning rate, or clip gradients with an optimizer such as"
        " keras.optimizers.Adam(1e-4, clipnorm=1.0)."
    )
