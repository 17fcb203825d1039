"""TFLite: for LiteRT on phones and in browsers."""

import pathlib
import tempfile

from zoo.errors import ExportError
from zoo.exporting.saved_model import write_endpoint


def write(target, path, batch_size):
    """Write a float32 .tflite file with one signature, "serve", and a fixed batch.

    Only TFLite's own operators are allowed: the phone's runtime refuses Flex operators, and the browser's returns
    garbage for them without an error.
    """
    import tensorflow as tf

    with tempfile.TemporaryDirectory() as directory:
        saved_model = pathlib.Path(directory) / "saved_model"
        write_endpoint(target, saved_model, batch_size)
        converter = tf.lite.TFLiteConverter.from_saved_model(str(saved_model), signature_keys=["serve"])
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        try:
            content = converter.convert()
        except Exception as error:  # the converter's own error types are private
            layers = ", ".join(
                sorted({type(layer).__name__ for layer in target.model._flatten_layers(include_self=False)})
            )
            raise ExportError(
                f"This model uses an operator that TFLite lacks; its layers are {layers}. The converter says:"
                f" {_first_line(error)}"
            ) from error
    path.write_bytes(content)


def _first_line(error):
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
