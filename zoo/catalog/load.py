"""Loading pretrained models, with every file checked before it is opened."""

import contextlib
import os
from collections.abc import Sequence
from typing import Any

import keras

from zoo.autoencoder import Autoencoder
from zoo.catalog import golden, hdf5
from zoo.catalog.card import CARD_LIMITS, CONFIG, GOLDEN, WEIGHTS, parse_card, read_card
from zoo.catalog.lookup import find
from zoo.core import manifest
from zoo.core.errors import ConfigError, IntegrityError, reason
from zoo.engine import forking, keras_internals
from zoo.families import from_config, trunk
from zoo.families.registry import MEMORY_LIMIT, without_values
from zoo.layers.parts import Encoder, meaning_of_integers

LIMITS = {**CARD_LIMITS, WEIGHTS: 4e9, GOLDEN: 256e6}  # bytes
_AROUND_WEIGHTS = 64e6  # bytes of a weight file that are names and structure


def load(
    name_or_directory: str | os.PathLike,
    *,
    weights: bool = True,
    verify: bool = False,
    trust: str = "sealed",
    memory_limit: float | None = MEMORY_LIMIT,
) -> Autoencoder:
    """Load a pretrained autoencoder.

    Nothing is unpickled, no code is loaded, and nothing is written: ``config.json`` names a family and its arguments
    (for a wrapped model: layers of Keras, checked against a list), and every file that decides a number has to have the
    size and SHA-256 that ``manifest.json`` states.

    Args:
        name_or_directory: a name of `zoo.list_pretrained()`, or a directory that `zoo.save` wrote.
        weights: False builds the same architecture with fresh weights.
        verify: also compute the model's golden output and compare it with the stored one.
        trust: "sealed", or "unsealed" to load a directory without a manifest, which older versions wrote, too.
        memory_limit: largest number of bytes of the weights and of the activations of one sample; None for no limit.

    Returns:
        Autoencoder, not compiled. Its `fit` continues the training with care: small relative steps, the loss of the
        card, batch normalisation as it is; on images like its own it gets no worse, see docs/continuing.md. To train
        it like a new model: ``model.pretrained_loss = None`` and ``model.compile(...)`` as you like.

    Raises:
        UnknownNameError: an unknown name; the nearest valid ones are listed.
        DataNotFoundError: a directory that is not there or holds no model.
        IntegrityError: a file is missing, changed or no regular file, or the weights do not fit the config; with
            `verify`, another output than the golden one.
        ConfigError: a model beyond the memory limit.

    Example:
        >>> model = zoo.load("mnist-feed-forward-16")
        >>> model.reconstruct(images).shape
        (10000, 28, 28, 1)
    """
    forking.check()
    directory = find(name_or_directory)
    if weights:
        _check_size(directory / WEIGHTS, memory_limit)
    limits = LIMITS if weights else CARD_LIMITS
    if weights and trust == "unsealed":  # no manifest says how large the file is
        limits = {**LIMITS, WEIGHTS: read_card(directory, trust=trust).size_bytes}
    contents = manifest.read(directory, limits, trust=trust, optional=[GOLDEN])
    card = parse_card(contents, directory)
    if not weights:
        return from_config(card.config, memory_limit=memory_limit)
    model = assembled(card, contents, memory_limit)
    if verify:
        check_golden(card, contents, model)
    return model


def _check_size(path, memory_limit):
    """Raise `ConfigError` for a weight file that is larger than all weights may be, before it is read."""
    with contextlib.suppress(OSError):  # what is wrong with the file is said where it is read
        size = path.lstat().st_size
        if memory_limit is not None and size > memory_limit + _AROUND_WEIGHTS:
            raise ConfigError(
                f"{str(path)!r} has {size:,} bytes, which is more than memory_limit={memory_limit:,.0f}. If you trust"
                " where it comes from, pass a larger memory_limit."
            )


def assembled(card, contents, memory_limit=MEMORY_LIMIT):
    """The `Autoencoder` of a card, with the weights in `contents`, the bytes of the files by their names."""
    model, variables = without_values(card.config, memory_limit=memory_limit)
    # What zoo.export calibrates and measures on where it is given no samples.
    model.encoder.trained_on = model.decoder.trained_on = card.dataset.name
    _check_weights(contents[WEIGHTS], card, model)
    arrays = hdf5.read(contents[WEIGHTS], f"The weight file of {card.name!r}")
    hdf5.check_finite(arrays, f"The weight file of {card.name!r}")
    try:
        keras_internals.load_weights(model, arrays)
        keras_internals.initialize(variables)  # what no file holds, such as states of random numbers
    except Exception as error:
        raise _misfit(card, reason(error)) from error
    model.pretrained_loss = _known_loss(card.recipe.loss)
    return model


def check_golden(card, contents, model):
    """Raise `IntegrityError` unless a model gives the golden output that is among `contents`."""
    if GOLDEN not in contents:
        raise IntegrityError(f"The pretrained model {card.name!r} has no {GOLDEN} to be verified with.")
    golden.check(contents[GOLDEN], model, card.name)


def _known_loss(name):
    """`name` if Keras knows it as a loss, else "mse": the card of a user's own model may state any text, or nothing."""
    try:
        return name if name and keras.losses.get(name) else "mse"
    except Exception:  # Keras looks up any text, and fails in many ways
        return "mse"


def _check_weights(content, card, model):
    """Raise `IntegrityError` unless the weights are those of the card and as many as its config describes."""
    stated, received = manifest.Entry(card.size_bytes, card.sha256), manifest.entry(content)
    if received != stated:
        raise IntegrityError(
            f"The weights of {card.name!r} are not those of its card: expected {stated}, received {received}."
        )
    if model.count_params() != card.parameters:
        raise _misfit(
            card, f"the config describes {model.count_params():,} parameters, the weights are {card.parameters:,}"
        )


def load_encoder(
    name_or_directory: str | os.PathLike,
    *,
    trainable: bool = True,
    raw_input: bool = False,
    input_shape: Sequence[int] | None = None,
    pooling: str | None = None,
    features: Sequence[str] | None = None,
    **options: Any,
) -> keras.Model:
    """Load the encoder of a pretrained autoencoder, ready for `zoo.classifier`, `fit` or `zoo.export`.

    Convolutions take images of any size and signals of any length, dense layers only those that they were trained on.
    A model that was trained on small images sees of larger ones smaller details: resizing to nearly its own size
    (`zoo.data.resize`) can be better than a larger input.

    Args:
        name_or_directory: as for `zoo.load`.
        trainable: False freezes its weights.
        raw_input: take integers, uint8 pixels in [0, 255] unless the model says otherwise (`zoo.preprocessed`); what
            makes samples of them becomes part of the model and of exported files.
        input_shape: shape of one sample, where it differs from the card's: another size, or colour instead of grey or
            the other way round. The first kernel's sum over its channels is then shared equally by the new channels:
            repeated and divided for colour, added up for grey. A grey image gives the same features in one channel as
            in three equal ones.
        pooling: "avg" or "max": the features are mean or maximum over all places of the last convolution's maps, a
            dense latent layer is left out; None: the latent features, which a dense layer gives for one size only.
        features: names of levels, whose maps the encoder then gives as a dictionary, for detection or segmentation:
            "block1" are those after the first convolution, with its normalisation and activation, and so on. In an
            exported file each is a signature.
        **options: verify, trust and memory_limit, as for `zoo.load`.

    Returns:
        keras.Model named "encoder": (batch, *shape) to (batch, *latent shape), both in the card unless changed; with
        `features`, to a dictionary of maps (batch, height, width, channels).

    Raises:
        as `zoo.load`, and
        ConfigError: an input shape that the weights do not serve; the message says why and what to do.
        UnknownNameError: an unknown pooling or level; the valid ones are listed.

    Example:
        >>> encoder = zoo.load_encoder("general-denoising-distortion-128")
        >>> encoder.output_shape
        (None, 128)
        >>> zoo.load_encoder("cifar10-jpeg-convolutional-128", input_shape=(96, 96, 3), pooling="avg").output_shape
        (None, 32)
    """
    encoder = load(name_or_directory, **options).encoder
    if (input_shape, pooling, features) != (None, None, None):
        encoder = trunk.adapted(encoder, input_shape, pooling, features)
    encoder.trainable = trainable
    if not raw_input:
        return encoder
    scaling = meaning_of_integers(encoder)
    integers = keras.Input(
        encoder.input_shape[1:], dtype=scaling.integers, name="pixels" if scaling.integers == "uint8" else "samples"
    )
    raw = Encoder(integers, encoder(scaling(integers)), name="encoder")
    raw.trainable, raw.trained_on, raw.unit_range = trainable, encoder.trained_on, encoder.unit_range
    raw.sampling_rate = encoder.sampling_rate
    return raw


def _misfit(card, problem):
    return IntegrityError(
        f"The weights of {card.name!r} do not fit its {CONFIG}: {problem}. Restore {CONFIG}, or train the model again."
    )
