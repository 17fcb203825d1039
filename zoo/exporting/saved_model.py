"""SavedModel: for TensorFlow Serving and everything else that loads it."""

from zoo.core.errors import ExportError
from zoo.exporting.metadata import SAVED_MODEL_FILE


def write(target, path, plan):
    """Write a SavedModel with every signature of the target, for any number of samples.

    The first one is "serving_default" as well.
    """
    write_signatures(target, path, None)
    (path / SAVED_MODEL_FILE).parent.mkdir()
    (path / SAVED_MODEL_FILE).write_text(plan.metadata.to_json(), encoding="utf-8")


def write_signatures(target, path, batch_size):
    """Write a SavedModel whose signatures take `batch_size` samples, or any number for None."""
    import keras

    if keras.backend.backend() != "tensorflow":
        raise ExportError(
            "Export needs Keras on TensorFlow: set KERAS_BACKEND=tensorflow, then load the same weights."
            f" Received backend {keras.backend.backend()!r}."
        )
    archive = keras.export.ExportArchive()
    for part in target.parts:
        archive.track(part)
    for name, signature in target.signatures.items():
        archive.add_endpoint(name, signature.function(), input_signature=[signature.specification(batch_size)])
    archive.write_out(str(path), verbose=False)


def operators(path):
    """Sorted names of the operators in a SavedModel."""
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    proto = SavedModel.FromString((path / "saved_model.pb").read_bytes())
    library = proto.meta_graphs[0].graph_def.library
    return tuple(sorted({node.op for function in library.function for node in function.node_def}))


def is_foreign(name):
    """TensorFlow has every operator that it writes."""
    return False
