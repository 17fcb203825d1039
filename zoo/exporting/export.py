"""`zoo.export`: write every format, run each file in its own runtime, compare, report."""

import dataclasses
import importlib
import warnings

from zoo.core import checks, files
from zoo.core.errors import ExportError, unknown_name
from zoo.core.terminal import native_errors_hidden
from zoo.exporting.report import FORMATS, REPORT, ExportedFile, ExportReport

_SAMPLES = 64


@dataclasses.dataclass(frozen=True)
class _Plan:
    """What every format is told beside the target: batch of the .tflite file, quantization, metadata text."""

    batch_size: int
    quantization: object
    metadata: str


def export(
    model,
    directory,
    formats=("saved_model", "tflite", "onnx"),
    *,
    quantization=None,
    calibration=None,
    integer_io=None,
    raw_input=False,
    threshold=None,
    batch_size=1,
    tolerance=None,
    samples=None,
    anomalies=None,
    force=False,
):
    """Export a model for phones, servers and browsers, and prove that the files compute what Keras computes.

    Every file is reloaded in its own runtime (TensorFlow, LiteRT, ONNX Runtime), run on real samples, compared with the
    Keras model, and searched for operators that the runtime lacks (Flex or custom ones). All files appear together, or
    none does.

    An Autoencoder becomes one file with the signatures "reconstruct" (the default), "encode", "decode" and "score" (the
    mean squared error of each sample), which share its weights; its corruption leaves no trace. Encoder, decoder,
    classifier and any other model have one signature: "encode", "decode", "classify" or "serve".

    Args:
        model: Autoencoder, encoder or decoder, classifier, or any functional keras.Model with one input and one output.
        directory: where to write ``saved_model/``, ``model.tflite``, ``model.onnx`` and ``report.json``.
        formats: which of "saved_model", "tflite", "onnx".
        quantization: of the .tflite file; the other formats stay float32. None; "float16" weights; "dynamic": int8
            weights; "int8": int8 weights and activations, the score still computed in float32.
        calibration: for int8: array (samples, *input shape) of what the model will see, a `zoo.data.Source`, or the
            name of a dataset. At least 1,000 samples are wanted; by default 1,000 training samples of the dataset of
            the set's card (for a classifier, its encoder's: pass your own images if they differ).
        integer_io: for int8: None for float32 inputs and outputs, or "uint8" for integers that the file's scale and
            zero point translate; a score stays float32.
        raw_input: take uint8 pixels in [0, 255]; the division by 255 becomes part of the files.
        threshold: anomaly threshold that the files carry, see `zoo.threshold`; Autoencoders only.
        batch_size: samples per call of the .tflite file, which has a fixed batch; the other formats take any number.
        tolerance: largest allowed absolute difference to Keras; by default 1e-5, scaled by the largest output where
            that is above 1. A quantised file is compared with it only if it is given; otherwise only a file that is
            useless is refused, and the report names what got worse.
        samples: what to compare on, in any of the forms of `calibration`; labels of a Source serve the task metrics. By
            default 2,000 test samples of the dataset of the set's card for a quantised file (where it has none: the
            calibration samples), and 64 handwritten digits, brought to the model's input shape and without task
            metrics, for any other.
        anomalies: samples that count as anomalies, in any of the same forms: the report then has anomaly_auroc.
        force: calibrate int8 on fewer than 100 samples.

    Returns:
        zoo.ExportReport, as in ``report.json``.

    Raises:
        UnknownNameError: an unknown format or quantization.
        ExportError: a model that cannot be exported, naming what is in the way, or arguments that do not go together.
        DataError: samples of the wrong shape or type, constant or too few calibration samples.
        ParityError: a file differs from Keras by more than the tolerance; nothing is written.
        OutputError: the directory cannot be written.

    Example:
        >>> model = zoo.load("mnist-deep-feed-forward-16")
        >>> report = zoo.export(model, "exported", "tflite", quantization="int8")
        >>> report.files["tflite"].metrics["mse"]
        {'before': 0.00846, 'after': 0.00862}
    """
    formats = (formats,) if isinstance(formats, str) else tuple(formats)
    for name in formats:
        if name not in FORMATS:
            raise unknown_name("export format", name, FORMATS)
    if not formats:
        raise ExportError(f"No format to export to. Choose among {', '.join(FORMATS)}.")
    batch_size = checks.positive_integer("batch_size", batch_size)

    from zoo.exporting import metadata
    from zoo.exporting import quantization as quantizing
    from zoo.exporting import target as graph

    target = graph.ExportTarget.of(model, raw_input)
    for name, given in (("threshold", threshold), ("anomalies", anomalies)):
        if given is not None and target.kind != "autoencoder":
            raise ExportError(f"{name} goes with the score of an Autoencoder. Received: {target.kind}.")
    if threshold is not None:
        threshold = checks.in_range("threshold", threshold, 0, float("inf"))
    if quantization is not None and "tflite" not in formats:
        raise ExportError(f"quantization is for the format 'tflite'. Received formats {formats}.")
    quantized = quantizing.Quantization.of(target, quantization, calibration, integer_io, force)
    compared_on = _task_samples(target, samples, quantized)
    samples, labels = (target.any_samples(_SAMPLES), None) if compared_on is None else compared_on
    if anomalies is not None:
        if compared_on is None:
            raise ExportError("anomalies are told from normal samples: pass samples= as well.")
        anomalies, _ = target.samples(anomalies, "test", "anomalies")
    plan = _Plan(batch_size, quantized, metadata.text_of(target, threshold))
    # Digits are good for comparing numbers, but they are not what the model is for.
    task = None if compared_on is None else {"labels": labels, "anomalies": anomalies, "threshold": threshold}
    compared = _Comparison(target, samples, task, tolerance)
    with files.staged(directory) as staging:
        written, worse = {}, ()
        for name in formats:
            path = staging / FORMATS[name]
            float32_bytes = importlib.import_module(f"zoo.exporting.{name}").write(target, path, plan)
            mode = quantized.mode if name == "tflite" else None
            written[name] = compared.with_keras(name, path, mode, float32_bytes)
            worse += compared.warnings_on(written[name])
        report = ExportReport(
            model=target.kind,
            input=target.describe(),
            samples=len(samples),
            calibration=quantized.describe(),
            threshold=threshold,
            warnings=worse,
            files=written,
        )
        (staging / REPORT).write_text(report.to_json(), encoding="utf-8")
    for sentence in worse:
        warnings.warn(sentence, stacklevel=2)
    return report


def _task_samples(target, given, quantized):
    """(samples, labels or None) of what the model is for: given, or drawn to measure a quantised file; else None."""
    from zoo.exporting.quantization import test_samples

    if given is None and quantized.mode is not None:
        given = test_samples(target)
        if given is None and quantized.calibration:
            given = quantized.calibration[target.default.name]
        elif given is not None and target.kind == "classifier":
            given = dataclasses.replace(given, labels=None)  # those of the encoder's dataset, not of this classifier
    return None if given is None else target.samples(given, "test")


class _Comparison:
    """The Keras model's outputs and metrics, computed once, and every file beside them."""

    def __init__(self, target, samples, task, tolerance):
        self._inputs = target.inputs(samples)
        self._references = {name: s.run(self._inputs[name]) for name, s in target.signatures.items()}
        self._task = task
        self._tolerance = tolerance
        self._before = self._metrics(self._references, lambda name, x: target.signatures[name].run(x))

    def with_keras(self, name, path, mode, float32_bytes):
        """The `ExportedFile` of a written file; raises `ParityError` if it does not compute what Keras computes."""
        from zoo.exporting import parity, runtime

        operators = runtime.refuse_foreign(name, path)
        with native_errors_hidden():  # LiteRT tells of its delegate
            opened = runtime.open_format(name, path)
        outputs = {signature: opened.run(signature, self._inputs[signature]) for signature in opened.signatures}
        differences = parity.check(
            name, opened.signatures, outputs, self._references, self._tolerance, mode is not None
        )
        after = self._metrics(outputs, opened.run)
        first = next(iter(differences.values()))
        size = files.size_bytes(path)
        return ExportedFile(
            file=FORMATS[name],
            size_bytes=size,
            sha256=files.sha256(path),
            quantization=mode,
            size_ratio=None if float32_bytes is None else size / float32_bytes,
            max_difference=first.max_difference,
            mean_difference=first.mean_difference,
            tolerance=first.tolerance,
            signatures=differences,
            metrics={key: {"before": self._before[key], "after": value} for key, value in after.items()},
            operators=operators,
        )

    @staticmethod
    def warnings_on(file):
        """Sentences on what a file lost by quantisation."""
        from zoo.exporting import task

        return task.warnings_on(file.file, file.metrics) if file.quantization else ()

    def _metrics(self, outputs, run):
        from zoo.exporting import task

        return {} if self._task is None else task.metrics(outputs, self._references, self._inputs, run, **self._task)
