"""Loading ``.keras`` files."""

import contextlib
import io
import os
import pathlib
import random
import re

import h5py
import keras

from zoo.catalog import hdf5
from zoo.core import archives, reading
from zoo.core.errors import ConfigError, DataNotFoundError, IntegrityError, reason
from zoo.engine import keras_internals

_CONFIG, _METADATA, _WEIGHTS, _ASSETS = "config.json", "metadata.json", "model.weights.h5", "assets/"
_CONFIG_LIMIT = 64e6  # bytes
_OLD_FORMAT = b"\x89HDF\r\n\x1a\n\0"


def load_model(path: str | os.PathLike, *, compile: bool = True, memory_limit: float | None = 8e9) -> keras.Model:
    """Load a ``.keras`` file: an Autoencoder, an encoder, a decoder, a classifier, or any other Keras model.

    It is `keras.saving.load_model`, which finds the classes of the zoo after ``import zoo`` as well, with errors that
    say what is missing, after a check of the archive and of the weights in it: no other files are read than this one.
    Unlike `zoo.load`, it builds whatever layers the file names, as far as Keras' safe mode allows: load only files
    whose origin you know.

    Args:
        path: path of the file.
        compile: compile the model as it was when it was saved, with its optimizer's state.
        memory_limit: largest number of bytes that the file unpacks to, and of the model's weights; None for no limit.

    Returns:
        keras.Model, of the class that was saved.

    Raises:
        DataNotFoundError: no such file.
        ConfigError: not a .keras file, a damaged or refused one, or one that names a class or function that nobody has
            registered.

    Example:
        >>> classifier.save("classifier.keras")
        >>> zoo.load_model("classifier.keras").predict(images)
    """
    path = pathlib.Path(path)
    if path.suffix.lower() != ".keras":
        raise ConfigError(
            "zoo.load_model reads files that model.save('model.keras') wrote; a directory of zoo.save is for zoo.load,"
            f" an exported model for zoo.lite.load, an .h5 file for keras.models.load_model. Received: {str(path)!r}."
        )
    try:
        config = _checked_config(path, memory_limit)
    except DataNotFoundError as error:
        raise DataNotFoundError(f"{error} Write one with model.save('model.keras').") from error
    if memory_limit is not None:
        _check_size(config, path, memory_limit)
    try:
        return keras.saving.load_model(path, compile=compile)
    except Exception as error:
        missing = re.search(r"Could not locate (class|function) '([^']+)'", str(error))
        if missing is None:
            raise ConfigError(f"{str(path)!r} cannot be loaded: {reason(error)}") from error
        kind, name = missing.groups()
        raise ConfigError(
            f"{str(path)!r} needs the {kind} {name!r}, which is not registered with Keras: import the module that"
            " defines it under @keras.saving.register_keras_serializable() first."
            + (" Or pass compile=False, if only training needs it." if compile else "")
        ) from error


def _checked_config(path, limit):
    """The config in an archive whose members are what Keras writes: nothing in them leads to another file."""
    with archives.opened(path, limit=limit, error=ConfigError, missing=DataNotFoundError) as archive:
        names = set(archive.namelist())
        if lacking := {_CONFIG, _METADATA, _WEIGHTS} - names:
            raise ConfigError(f"{str(path)!r} is no .keras file: it lacks {min(lacking)}.")
        if others := [n for n in names - {_CONFIG, _METADATA, _WEIGHTS} if not n.startswith(_ASSETS)]:
            raise ConfigError(f"{str(path)!r} is no .keras file that Keras wrote: it contains {min(others)[:200]!r}.")
        where = f"{_CONFIG} of {str(path)!r}"
        config = reading.parse_json(archive.read(_CONFIG, limit=_CONFIG_LIMIT), where, error=ConfigError)
        if not isinstance(config, dict):
            raise ConfigError(f"{where} describes no model.")
        _check_weights(archive.read(_WEIGHTS), f"{_WEIGHTS} of {str(path)!r}")
    return config


def _check_weights(content, where):
    """Raise `ConfigError` for weights in another form than plain arrays, before Keras opens them with libhdf5."""
    try:
        if content.startswith(_OLD_FORMAT):
            hdf5.read(content, where)
            return
        # Releases of HDF5 that write newer formats by default: what the library itself tells about them.
        with h5py.File(io.BytesIO(content), "r") as file:
            if problem := file.visititems_links(lambda name, link: _link_problem(file, name, link)):
                raise ConfigError(f"{where} is refused: {problem}, which weights never need.")
    except IntegrityError as error:
        raise ConfigError(str(error)) from error
    except (OSError, RuntimeError, KeyError, ValueError) as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(f"{where} is damaged: {reason(error)}") from error


def _link_problem(file, name, link):
    if not isinstance(link, h5py.HardLink):
        return f"{name!r} is a link"
    item = file[name]
    if isinstance(item, h5py.Dataset) and (
        item.external or item.is_virtual or item.chunks or item.id.get_storage_size() != item.nbytes
    ):
        return f"{name!r} is compressed, or its data are not in one piece in this file"
    return None


def _check_size(config, path, limit):
    """Raise `ConfigError` for a config of more weights than the limit, before any is allocated."""
    drawn = random.getstate()  # Keras draws seeds from it for each layer that it makes
    try:
        with keras_internals.deferred_values() as variables, contextlib.suppress(Exception):
            # A layer that fails without values is met again below, where it has them.
            keras.saving.deserialize_keras_object({**config, "compile_config": None})
    finally:
        random.setstate(drawn)
    weights = sum(keras_internals.size_bytes(variable) for variable in variables)
    if weights > limit:
        raise ConfigError(
            f"{str(path)!r} describes a model of {weights:,} bytes of weights, which is more than"
            f" memory_limit={limit:,.0f}. If you trust where it comes from, pass a larger memory_limit."
        )
