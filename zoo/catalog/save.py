"""Saving a model in the form of the catalog."""

import dataclasses
import json
import os
import pathlib
import tempfile
from typing import Any

from zoo.autoencoder import Autoencoder
from zoo.catalog import golden, hdf5
from zoo.catalog.card import CONFIG, GOLDEN, METADATA, PICTURE, README, WEIGHTS, Card
from zoo.catalog.readme import readme
from zoo.core import files
from zoo.core.errors import ConfigError, unknown_name
from zoo.core.schema import convert
from zoo.families import from_config

_MEASURED = {"family", "config", "input", "parameters", "size_bytes", "sha256"}
GIVEN = {field.name for field in dataclasses.fields(Card)} - _MEASURED


def save(model: Autoencoder, directory: str | os.PathLike, **metadata: Any) -> Card:
    """Write config, weights, metadata and README card of an `Autoencoder` to a directory that `zoo.load` reads.

    The write is atomic: interrupted, it leaves what was there before. Other files in the directory stay. A manifest
    with the SHA-256 of every file goes with it, and a golden output: what the model gives for a few samples.

    Args:
        model: Autoencoder of a family; or one of `zoo.wrap` or of your own parts, if all layers are Keras' own.
        directory: where to write; created if needed.
        **metadata: what the card says: name (default: the directory's), version, description, license, dataset,
            recipe, metrics, history, reproduction, quantization, as in `zoo.Card`; sections may be dictionaries.

    Returns:
        zoo.Card.

    Raises:
        ConfigError: not an Autoencoder, layers of your own in it, or metadata of the wrong type.
        UnknownNameError: an unknown metadata key.
        OutputError: the directory cannot be written.

    Example:
        >>> zoo.save(model, "my-encoder", description="Digits of my own scanner")
        >>> zoo.load("my-encoder")
    """
    if not isinstance(model, Autoencoder):
        raise ConfigError(
            "zoo.save writes Autoencoders. For an encoder or classifier use model.save('model.keras') or zoo.export."
            f" Received: {type(model).__name__}."
        )
    metadata = checked_metadata(metadata)
    with files.staged(directory, sealed=True, stale=[PICTURE]) as staging:
        return write_model(model, staging, {"name": pathlib.Path(directory).absolute().name, **metadata})


def write_model(model, staging, metadata, test=None):
    """Write what `save` writes to a staging directory, with plain `metadata`; golden outputs of a `Source` of samples.

    Returns:
        zoo.Card.
    """
    config = model.get_config()
    # A fresh copy: the weights alone, without the state of an optimizer, and proof that they fit the config.
    fresh = from_config(config, memory_limit=None)
    fresh.set_weights(model.get_weights())
    # Nor that of a corruption's random numbers.
    bare = Autoencoder(fresh.encoder, fresh.decoder, distance=fresh.distance, name="autoencoder")
    weights = staging / WEIGHTS
    with tempfile.TemporaryDirectory() as directory:  # on a full disk, h5py prints what it cannot clean up
        bare.save_weights(pathlib.Path(directory) / WEIGHTS)
        content = hdf5.standard(pathlib.Path(directory) / WEIGHTS)
    hdf5.check_finite(hdf5.read(content), "The model", ConfigError)
    weights.write_bytes(content)
    measured = {
        "family": config["family"],
        "config": config,
        "input": _input(model),
        "parameters": model.count_params(),
        "size_bytes": files.size_bytes(weights),
        "sha256": files.sha256(weights),
    }
    card = convert({**metadata, **measured}, Card, "the metadata")
    golden.write(staging / GOLDEN, model, test)
    write_card(card, staging)
    return card


def write_card(card, directory, picture=None):
    """Write what a card says: config, metadata and README, which shows the file `picture` unless that is None."""
    described = card.to_dict()
    for name, content in ((CONFIG, described.pop("config")), (METADATA, described)):
        (directory / name).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    (directory / README).write_text(readme(card, picture), encoding="utf-8")


def checked_metadata(metadata):
    """The metadata as JSON reads it again: sections of cards become dictionaries, numbers of NumPy those of Python."""
    for key in metadata:
        if key not in GIVEN:
            raise unknown_name("metadata key", key, GIVEN)

    def plain(value: Any):
        if dataclasses.is_dataclass(value):
            return {key: item for key, item in vars(value).items() if item is not None}
        if hasattr(value, "tolist"):
            return value.tolist()
        raise ConfigError(f"The metadata must be text, numbers, lists and dictionaries. Received: {value!r}.")

    try:
        return json.loads(json.dumps(metadata, default=plain, allow_nan=False))
    except ValueError as error:  # NaN, or a dictionary that contains itself
        raise ConfigError(f"The metadata must be what JSON can hold: {error}. Received: {metadata!r}.") from error


def _input(model):
    steps = [step.describe()["type"] for step in model.preprocessing]
    preprocessing = "8-bit pixels divided by 255" if model.unit_range else ", then ".join(steps) or "none"
    return {
        "sampling_rate": model.encoder.sampling_rate,
        "unit": model.encoder.unit,
        "shape": list(model.input_shape),
        "dtype": "float32",
        "range": [0, 1] if model.unit_range else None,
        "preprocessing": f"{preprocessing}, channels last",
        "latent_shape": list(model.latent_shape),
    }
