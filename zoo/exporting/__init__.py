"""Export to SavedModel, TFLite and ONNX; every file is run in its own runtime and compared before it is kept.

The package is not called `export`, because importing it would then hide the function `zoo.export`.
"""

import importlib

from zoo import checks, files
from zoo.errors import ExportError, unknown_name
from zoo.exporting.report import FORMATS, REPORT, ExportReport

_SAMPLES = 64


def export(
    model,
    directory,
    formats=("saved_model", "tflite", "onnx"),
    *,
    quantization=None,
    calibration=None,
    batch_size=1,
    tolerance=None,
    samples=None,
):
    """Export a model for phones, servers and browsers, and prove that the files compute what Keras computes.

    Every file is reloaded in its own runtime (TensorFlow, LiteRT, ONNX Runtime), run on real samples, compared with the
    Keras model, and searched for operators that the runtime lacks (Flex or custom ones). All files appear together, or
    none does.

    Args:
        model: Autoencoder (exported as its reconstruction; corruption leaves no trace), encoder or decoder, classifier,
            or any functional keras.Model with one input and one output.
        directory: where to write ``saved_model/``, ``model.tflite``, ``model.onnx`` and ``report.json``.
        formats: which of "saved_model", "tflite", "onnx".
        quantization: None; float16, dynamic and int8 are not implemented yet.
        calibration: samples for quantization; not used without it.
        batch_size: samples per call of the .tflite file, which has a fixed batch; the other formats take any number.
        tolerance: largest allowed absolute difference to Keras; by default 1e-5, scaled by the largest output where
            that is above 1.
        samples: array (samples, *input shape) to compare on; by default 64 real handwritten digits, brought to the
            model's input shape (a decoder gets codes spread over [0, 1]).

    Returns:
        zoo.ExportReport, as in ``report.json``.

    Raises:
        UnknownNameError: an unknown format.
        ExportError: a model that cannot be exported, naming what is in the way.
        ParityError: a file differs from Keras by more than the tolerance; nothing is written.
        OutputError: the directory cannot be written.

    Example:
        >>> report = zoo.export(zoo.load_encoder("mnist-denoising-affine-128"), "exported")
        >>> report.files["tflite"].max_difference < 1e-5
        True
    """
    formats = (formats,) if isinstance(formats, str) else tuple(formats)
    for name in formats:
        if name not in FORMATS:
            raise unknown_name("export format", name, FORMATS)
    if not formats:
        raise ExportError(f"No format to export to. Choose among {', '.join(FORMATS)}.")
    if quantization is not None or calibration is not None:
        raise ExportError(
            "Quantization is not implemented yet: pass quantization=None and no calibration."
            f" Received: quantization={quantization!r}."
        )
    batch_size = checks.positive_integer("batch_size", batch_size)

    from zoo.exporting import graph, parity

    target = graph.ExportTarget.of(model)
    samples = target.samples(_SAMPLES) if samples is None else target.check(samples)
    reference = target.run(samples)
    with files.staged(directory) as staging:
        written = {}
        for name in formats:
            module = importlib.import_module(f"zoo.exporting.{name}")
            path = staging / FORMATS[name]
            module.write(target, path, batch_size)
            written[name] = parity.check(name, path, samples, reference, tolerance)
        report = ExportReport(model=target.kind, input=target.describe(), samples=len(samples), files=written)
        (staging / REPORT).write_text(report.to_json(), encoding="utf-8")
    return report
