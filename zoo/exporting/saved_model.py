"""SavedModel: for TensorFlow Serving and everything else that loads it."""

import keras

from zoo.errors import ExportError


def write(target, path, batch_size):
    """Write a SavedModel with one endpoint, "serve" (also "serving_default"), for any number of samples."""
    write_endpoint(target, path, None)


def write_endpoint(target, path, batch_size):
    """Write a SavedModel whose endpoint takes `batch_size` samples, or any number for None."""
    if keras.backend.backend() != "tensorflow":
        raise ExportError(
            "Export needs Keras on TensorFlow: set KERAS_BACKEND=tensorflow, then load the same weights."
            f" Received backend {keras.backend.backend()!r}."
        )
    archive = keras.export.ExportArchive()
    archive.track(target.model)
    archive.add_endpoint("serve", target.function(), input_signature=[target.specification(batch_size)])
    archive.write_out(str(path), verbose=False)
