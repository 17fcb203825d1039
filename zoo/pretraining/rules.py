"""The rules by which `zoo.pretrain` chooses a model: each with the measurement behind it, if there is one.

Accuracies are of the tables in docs/transfer.md: few labels a class, on data that the encoder was not chosen on.
"""

import dataclasses
import math
from typing import Any

from zoo.core.errors import DataError

# Pixels; larger pictures are reduced, for the time grows with the square of the side.
MOST_SIDE = 64
LEAST_SIDE = 8
MOST_EPOCHS = 100  # a training of few samples gains nothing after that
LEAST_EPOCHS = 2
MOST_LENGTH = 2048  # values of a signal


@dataclasses.dataclass(frozen=True)
class Facts:
    """What the data is.

    Attributes:
        count: number of training samples.
        shape: of a sample.
        is_image: whether they are pictures.
        sampling_rate, unit: of signals.
    """

    count: int
    shape: tuple[int, ...]
    is_image: bool
    sampling_rate: float | None = None
    unit: str = ""


@dataclasses.dataclass(frozen=True)
class Choice:
    """A model and its training, as in a recipe, and the reasons in words.

    Attributes:
        model: the [model] table.
        training: the [training] table without its epochs.
        reasons: sentences.
    """

    model: dict[str, Any]
    training: dict[str, Any]
    reasons: tuple[str, ...]


def choose(facts: Facts) -> Choice:
    """The model for data of these facts.

    Args:
        facts: of the training samples, pictures at the size to train on.

    Raises:
        DataError: data that no rule is made for.
    """
    if facts.is_image:
        return _image(facts, image_shape(facts.shape))
    if len(facts.shape) == 1 and facts.sampling_rate is None and facts.shape[0] <= 64:
        return _table(facts)
    if len(facts.shape) <= 2 and facts.shape[0] >= 8 and math.prod(facts.shape) <= MOST_LENGTH:
        return _signal(facts)
    raise DataError(
        f"zoo pretrain takes pictures, rows of a table, and windows of a signal of at most {MOST_LENGTH:,} values."
        f" Received samples of shape {facts.shape}. Cut a long recording by zoo.data.windows, or write a recipe"
        " (docs/recipes.md)."
    )


def image_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Shape of the pictures to train on: both sides a multiple of 4, so that strides of 2 meet, and 8 at least."""
    return (*(max(LEAST_SIDE, 4 * round(side / 4)) for side in shape[:2]), shape[2])


def _image(facts, shape):
    """A convolutional denoiser of distortions.

    It undoes turns, shifts, changes of scale and contrast: what a class does not depend on. 10 labels a class of digits
    of other writers: .961 with general-denoising-distortion-128, .892 with the plain mnist-convolutional-16, .914 from
    scratch (discriminant heads, docs/transfer.md). Normalised batches: without them, training starts slowly or
    collapses.
    """
    side, grey = min(shape[:2]), shape[2] == 1
    filters = [16, 32, 64, 64][: max(2, min(4, round(math.log2(max(shape[:2]) / 4))))]
    corruption: list[dict] = [
        {"type": "Affine", "rotation": 15.0, "shift": max(1.0, side / 12), "scale": 0.2, "shear": 0.2},
        {"type": "Contrast", "contrast": 0.3, "brightness": 0.1},
    ]
    reasons = ["pictures: a convolutional denoiser that undoes turns, shifts, scale, shear and contrast"]
    if grey:
        # As in general-denoising-distortion-128; what it adds to the others was not measured by itself.
        corruption.insert(1, {"type": "Elastic", "strength": max(1.0, side / 14), "points": 4})
        reasons.append("grey: also elastic waves")
    else:
        # As in cifar10-jpeg-denoising-distortion-256; likewise.
        corruption.append({"type": "Masking", "rate": 0.4, "block": max(2, side // 4)})
        reasons.append("colour: also masked blocks")
    latent = 128 if grey else 256
    model = {
        "family": "denoising",
        "corruption": corruption,
        "backbone": {
            "family": "convolutional",
            "input_shape": list(shape),
            "latent_dim": latent,
            "filters": filters,
            "batch_normalization": True,
        },
    }
    reasons.append(f"{shape[0]} × {shape[1]} pixels, {latent} features")
    return Choice(model, {**_training(facts), "loss": "mse", "normalize_latent": True}, tuple(reasons))


def _signal(facts):
    """A dense denoiser of windows that are standardised one by one: that of ecg5000-denoising-gaussian-dense-8.

    Loudness, offset and the distance of a sensor differ from one recording to the next; AUROC .991 on ECG5000, where
    principal components have .985 (docs/signals.md).
    """
    model: dict[str, Any] = {
        "family": "preprocessed",
        "preprocessing": [{"type": "PerWindowStandardize"}],
        "backbone": _dense(facts, [64], 16),
    }
    model |= {"sampling_rate": facts.sampling_rate} if facts.sampling_rate else {}
    model |= {"unit": facts.unit} if facts.unit else {}
    return Choice(model, {**_training(facts), "loss": "mse"}, ("windows of a signal: a dense denoiser, 16 features",))


def _table(facts):
    """A dense denoiser of standardised columns: that of pendigits-denoising-gaussian-4, AUROC .975 where principal
    components have .868."""
    features = max(2, facts.shape[0] // 4)
    model = {
        "family": "preprocessed",
        "preprocessing": [{"type": "Standardize"}],
        "backbone": _dense(facts, [max(16, 2 * facts.shape[0])], features),
    }
    return Choice(
        model, {**_training(facts), "loss": "mse"}, (f"rows of a table: a dense denoiser, {features} features",)
    )


def _dense(facts, hidden, latent):
    return {
        "family": "denoising",
        "corruption": [{"type": "Gaussian", "stddev": 0.1}],
        "backbone": {
            "family": "feed_forward",
            "input_shape": list(facts.shape),
            "latent_dim": latent,
            "hidden_units": hidden,
            "latent_activation": "linear",
            "output_activation": "linear",
        },
    }


def _training(facts):
    """Batches that give some hundred steps an epoch where there are enough samples, 8 samples at least."""
    batch = next((size for size in (256, 128, 64, 32, 16) if facts.count >= 20 * size), 8)
    return {"batch_size": batch, "learning_rate": 2e-3, "schedule": "cosine", "seed": 1}
