"""Loading ``.keras`` files."""

import os
import pathlib
import re
import zipfile

import keras

from zoo.core.errors import ConfigError, DataNotFoundError


def load_model(path: str | os.PathLike, *, compile: bool = True) -> keras.Model:
    """Load a ``.keras`` file: an Autoencoder, an encoder, a decoder, a classifier, or any other Keras model.

    It is `keras.saving.load_model`, which finds the classes of the zoo after ``import zoo`` as well, with errors that
    say what is missing. Unlike `zoo.load`, it trusts the file as far as Keras does: load only files whose origin you
    know.

    Args:
        path: path of the file.
        compile: compile the model as it was when it was saved, with its optimizer's state.

    Returns:
        keras.Model, of the class that was saved.

    Raises:
        DataNotFoundError: no such file.
        ConfigError: not a .keras file, or one that names a class or function that nobody has registered.

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
    if not path.is_file():
        raise DataNotFoundError(f"No such file: {str(path)!r}. Write one with model.save('model.keras').")
    if not zipfile.is_zipfile(path):
        raise ConfigError(f"{str(path)!r} is damaged or no .keras file, which is a zip archive.")
    try:
        return keras.saving.load_model(path, compile=compile)
    except (TypeError, ValueError) as error:
        missing = re.search(r"Could not locate (class|function) '([^']+)'", str(error))
        if missing is None:
            raise ConfigError(f"{str(path)!r} cannot be loaded: {_short(error)}") from error
        kind, name = missing.groups()
        raise ConfigError(
            f"{str(path)!r} needs the {kind} {name!r}, which is not registered with Keras: import the module that"
            " defines it under @keras.saving.register_keras_serializable() first."
            + (" Or pass compile=False, if only training needs it." if compile else "")
        ) from error


def _short(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:300]
