"""ONNX: for ONNX Runtime and everything that reads its format."""

import contextlib
import dataclasses
import logging

from zoo.core.errors import ExportError
from zoo.exporting import onnx_structure, seal
from zoo.exporting.metadata import KEY

# tf2onnx accepts 13 to 18.
_OPSET = 17


def write(target, path, plan):
    """Write an .onnx file for any number of samples, with readable input and output names.

    The format knows no signatures: an autoencoder has one input and an output for each of "reconstruct", "encode" and
    "score". Its "decode", with another input, is left out; export ``model.decoder`` for it.
    """
    import onnx
    import tensorflow as tf
    import tf2onnx

    # Those with the default's input.
    signatures = [s for s in target.signatures.values() if s.input_name == target.default.input_name]
    specification = [target.default.specification(None)]

    def outputs(x):
        return {s.output_name: s.call(x) for s in signatures}

    with _quiet("tf2onnx"):
        try:
            model, _ = tf2onnx.convert.from_function(
                tf.function(outputs, input_signature=specification), input_signature=specification, opset=_OPSET
            )
        except (ValueError, NotImplementedError, RuntimeError) as error:
            raise ExportError(f"This model cannot be converted to ONNX: {error}") from error
    # The format's own signatures; older versions listed "decode", which an autoencoder's file lacks.
    present = {name: names for name, names in plan.metadata.signatures.items() if target.signatures[name] in signatures}
    known = dataclasses.replace(plan.metadata, signatures=present, seal=seal.BLANK)
    onnx.helper.set_model_props(model, {KEY: known.to_json()})
    path.write_bytes(seal.sealed(model.SerializeToString(deterministic=True)))


def operators(path):
    """Sorted names of the operators in an .onnx file; with their domain if that is not the standard's."""
    return onnx_structure.operators(path.read_bytes())


def is_foreign(name):
    """Whether an operator is outside of the ONNX standard."""
    return "." in name


@contextlib.contextmanager
def _quiet(name):
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
