"""ONNX: for ONNX Runtime and everything that reads its format."""

import contextlib
import logging

from zoo.errors import ExportError

# tf2onnx accepts 13 to 18.
_OPSET = 17


def write(target, path, batch_size):
    """Write an .onnx file for any number of samples, with readable input and output names."""
    import tensorflow as tf
    import tf2onnx

    function = tf.function(target.function(), input_signature=[target.specification(None)])
    with _quiet("tf2onnx"):
        try:
            model, _ = tf2onnx.convert.from_function(
                function, input_signature=[target.specification(None)], opset=_OPSET, output_path=str(path)
            )
        except (ValueError, NotImplementedError, RuntimeError) as error:
            raise ExportError(f"This model cannot be converted to ONNX: {error}") from error
    foreign = sorted({f"{node.domain}.{node.op_type}" for node in model.graph.node if node.domain})
    if foreign:
        raise ExportError(f"The ONNX file would need operators outside the standard: {', '.join(foreign)}.")


@contextlib.contextmanager
def _quiet(name):
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
