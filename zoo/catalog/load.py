"""Loading pretrained models, with every file checked before it is opened."""

import os

import keras
from keras import layers

from zoo.autoencoder import Autoencoder
from zoo.catalog import hdf5
from zoo.catalog.card import CONFIG, WEIGHTS, read_card
from zoo.catalog.lookup import find
from zoo.core import files
from zoo.core.errors import IntegrityError
from zoo.engine import keras_internals
from zoo.families import from_config
from zoo.families.registry import MEMORY_LIMIT, without_values
from zoo.layers.parts import Encoder


def load(
    name_or_directory: str | os.PathLike, *, weights: bool = True, memory_limit: float | None = MEMORY_LIMIT
) -> Autoencoder:
    """Load a pretrained autoencoder.

    Nothing is unpickled and no code is loaded: ``config.json`` names a family and its arguments (for a wrapped model:
    layers of Keras, checked against a list), and the weight file's size and SHA-256 are checked on every load.

    Args:
        name_or_directory: a name of `zoo.list_pretrained()`, or a directory that `zoo.save` wrote.
        weights: False builds the same architecture with fresh weights.
        memory_limit: as for `zoo.from_config`.

    Returns:
        Autoencoder, not compiled. Its `fit` continues the training with care: small relative steps, the loss of the
        card, batch normalisation as it is; on images like its own it gets no worse, see docs/continuing.md. To train
        it like a new model: ``model.pretrained_loss = None`` and ``model.compile(...)`` as you like.

    Raises:
        UnknownNameError: an unknown name; the nearest valid ones are listed.
        DataNotFoundError: a directory that is not there or holds no model.
        IntegrityError: a file is missing, changed or truncated, or the weights do not fit the config.

    Example:
        >>> model = zoo.load("mnist-feed-forward-16")
        >>> model.reconstruct(images).shape
        (10000, 28, 28, 1)
    """
    directory = find(name_or_directory)
    card = read_card(directory)
    if not weights:
        return from_config(card.config, memory_limit=memory_limit)
    model, variables = without_values(card.config, memory_limit=memory_limit)
    # What zoo.export calibrates and measures on where it is given no samples.
    model.encoder.trained_on = model.decoder.trained_on = card.dataset.name
    path = directory / WEIGHTS
    verify(path, card)
    if model.count_params() != card.parameters:
        raise _misfit(
            card, f"the config describes {model.count_params():,} parameters, the weights are {card.parameters:,}"
        )
    arrays = hdf5.read(path.read_bytes(), f"The weight file of {card.name!r}")
    try:
        keras_internals.load_weights(model, arrays)
        keras_internals.initialize(variables)  # what no file holds, such as states of random numbers
    except Exception as error:
        raise _misfit(card, (str(error).splitlines() or [type(error).__name__])[0]) from error
    model.pretrained_loss = _known_loss(card.recipe.loss)
    return model


def _known_loss(name):
    """`name` if Keras knows it as a loss, else "mse": the card of a user's own model may state any text, or nothing."""
    try:
        return name if name and keras.losses.get(name) else "mse"
    except ValueError:
        return "mse"


def verify(path, card):
    """Raise `IntegrityError` unless the weight file has the size and SHA-256 that its card states."""
    advice = "Restore the file from the repository or reinstall the package; do not use it as it is."
    if not path.is_file():
        raise IntegrityError(f"The pretrained model {card.name!r} is incomplete: {path.name} is missing. {advice}")
    if path.stat().st_size != card.size_bytes:
        raise IntegrityError(
            f"The weights of {card.name!r} are damaged: expected {card.size_bytes:,} bytes, received"
            f" {path.stat().st_size:,}. {advice}"
        )
    received = files.sha256(path)
    if received != card.sha256:
        raise IntegrityError(
            f"The weights of {card.name!r} were changed: expected SHA-256 {card.sha256}, received {received}. {advice}"
        )


def load_encoder(
    name_or_directory: str | os.PathLike, *, trainable: bool = True, raw_input: bool = False
) -> keras.Model:
    """Load the encoder of a pretrained autoencoder, ready for `zoo.classifier`, `fit` or `zoo.export`.

    Args:
        name_or_directory: as for `zoo.load`.
        trainable: False freezes its weights.
        raw_input: take uint8 pixels in [0, 255]; the division by 255 becomes part of the model and of exported files.

    Returns:
        keras.Model named "encoder": (batch, *shape) to (batch, *latent shape), both in the card.

    Raises:
        as `zoo.load`.

    Example:
        >>> encoder = zoo.load_encoder("general-denoising-distortion-128")
        >>> encoder.output_shape
        (None, 128)
    """
    encoder = load(name_or_directory).encoder
    encoder.trainable = trainable
    if not raw_input:
        return encoder
    pixels = keras.Input(encoder.input_shape[1:], dtype="uint8", name="pixels")
    raw = Encoder(pixels, encoder(layers.Rescaling(1 / 255)(pixels)), name="encoder")
    raw.trainable, raw.trained_on, raw.unit_range = trainable, encoder.trained_on, encoder.unit_range
    return raw


def _misfit(card, reason):
    return IntegrityError(
        f"The weights of {card.name!r} do not fit its {CONFIG}: {reason}. Restore {CONFIG}, or train the model again."
    )
