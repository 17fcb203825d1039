"""TFLite: for LiteRT on phones and in browsers."""

import contextlib
import pathlib
import re
import tempfile
import warnings

import numpy as np

from zoo.core.errors import ExportError
from zoo.core.terminal import native_errors_hidden
from zoo.engine import keras_internals
from zoo.exporting import flatbuffer, tflite_structure
from zoo.exporting.report import Written
from zoo.exporting.saved_model import write_signatures

# Left in float32 by int8. The score, from its int8 reconstruction: a mean of squares in 8 bits takes some hundred
# values, too few for a threshold. ONE_HOT (of TopK sparsity): the converter gives its zeros a scale of their own, and
# they come out as 0.5.
_FLOAT_OPERATORS = ["SQUARED_DIFFERENCE", "SQUARE", "MEAN", "ONE_HOT"]
# As integers, they would take 256 values.
_SCORES = ("score", "error")
# An int8 file shall have at most this share of the float32 file; graphs, names and the other scales take some 35 kB.
_SHARE, _OTHER_BYTES = 0.35, 35_000
# Bytes of scales of dense layers that are worth saving: small files may keep them.
_MANY_SCALES = 16_000


def write(target, path, plan):
    """Write a .tflite file with every signature of the target, sharing their weights, and with a fixed batch.

    Only TFLite's own operators are allowed: the phone's runtime refuses Flex operators, and the browser's returns
    garbage for them without an error.

    Returns:
        `Written` with the size of the float32 file, for the comparison, if this one is quantised.
    """
    with tempfile.TemporaryDirectory() as directory, _quiet():
        saved_model = pathlib.Path(directory) / "saved_model"
        write_signatures(target, saved_model, plan.batch_size)
        try:
            content = flatbuffer.finished(_converted(target, saved_model, plan), plan.metadata)
            quantized = plan.quantization.mode is not None
            unquantized = flatbuffer.finished(_converted(target, saved_model), plan.metadata) if quantized else None
        except Exception as error:  # the converter's own error types are private
            raise ExportError(_refusal(target, str(error))) from error
    path.write_bytes(content)
    return Written(float32_bytes=len(unquantized) if quantized else None)


def operators(path):
    """Sorted names of the operators in a .tflite file; those of Flex and custom operators are their own."""
    return tflite_structure.operators(path.read_bytes())


def is_foreign(name):
    """Whether an operator is not one of TFLite's own, whose names are upper case."""
    return name.upper() != name


def _converted(target, saved_model, plan=None):
    """The bytes of the converted file, quantised as the plan says."""
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_saved_model(str(saved_model), signature_keys=list(target.signatures))
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    mode = None if plan is None else plan.quantization.mode
    if mode is not None:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if mode == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if mode == "int8":
        return _int8(target, converter, plan)
    return converter.convert()


def _int8(target, converter, plan):
    """Calibrate, then quantise: in two steps, because the converter's own second step leaves no operator out."""
    import tensorflow as tf

    converter.representative_dataset = lambda: _batches(target, plan)
    dtype = tf.as_dtype(plan.quantization.integer_io or "float32")
    content = flatbuffer.with_clipped_logits(keras_internals.tflite_calibrated(converter))
    content = flatbuffer.with_float_beginning(content, target.preparing)
    floating = flatbuffer.nodes_of(content, target.floating)
    if set(target.signatures) <= set(_SCORES):
        floating += flatbuffer.outputs_of(content)
    content = keras_internals.tflite_quantized(
        content,
        input_data_type=dtype,
        output_data_type=dtype,
        denylisted_ops=_FLOAT_OPERATORS,
        denylisted_nodes=floating,
        disable_per_channel_for_dense_layers=_dense_scales_are_large(target),
    )
    for name in _SCORES:
        if name in target.signatures:
            content = flatbuffer.with_float_output(content, name)
    return keras_internals.tflite_deduplicated(content)


def _dense_scales_are_large(target):
    """Whether a scale for every unit of the dense layers would make the file larger than it shall be.

    An expansion of 16 latent features to 3,136 units has as many bytes of scales as of weights: one scale for the whole
    kernel then, which costs the error about a thousandth.
    """
    import keras

    every = target.layers
    # A float32 scale and an int64 zero point of the kernel, a float32 scale of the bias.
    scales = 16 * sum(layer.units for layer in every if isinstance(layer, keras.layers.Dense))
    weights = sum(layer.count_params() for layer in every)
    return scales > _MANY_SCALES and weights + scales + _OTHER_BYTES > _SHARE * 4 * weights


def _batches(target, plan):
    """Calibration samples for every signature, in batches as large as the file's."""
    for name, signature in target.signatures.items():
        samples = plan.quantization.calibration[name]
        for start in range(0, len(samples), plan.batch_size):
            chosen = np.arange(start, start + plan.batch_size) % len(samples)
            yield name, {signature.input_name: samples[chosen]}


def _refusal(target, message):
    """What to tell of a converter's error: the operator, and the layers that need it."""
    layers = target.layers
    # Locations in the message are paths such as "encoder_1/erfinv_2/Erfinv", with layer names and a count of calls.
    named = [layer for layer in layers if re.search(rf"[/\"]{re.escape(layer.name)}(_\d+)?/", message)]
    operators = sorted(set(re.findall(r"'?tf\.(\w+)'? op is neither a custom op nor a flex op", message)))
    described = ", ".join(sorted({f"{layer.name} ({type(layer).__name__})" for layer in named or layers}))
    if not operators:
        return f"TFLite's converter refuses this model, whose layers are {described}. It says: {message[:300]}"
    where = "in the layer" if named else "in one of the layers"
    return f"TFLite lacks the operator {', '.join(operators)}, {where} {described}: phones cannot run this model."


@contextlib.contextmanager
def _quiet():
    with warnings.catch_warnings(), native_errors_hidden():
        warnings.simplefilter("ignore")  # the converter's calibration uses an interpreter that warns of its own end
        yield
