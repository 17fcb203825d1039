"""`zoo.export`: write every format, run each file in its own runtime, compare, report."""

import dataclasses
import os
import warnings
from collections.abc import Sequence
from typing import Any

import keras

from zoo.core import checks, files
from zoo.core.errors import ExportError
from zoo.exporting import metadata, precision, task
from zoo.exporting.comparison import Comparison
from zoo.exporting.formats import FORMATS, chosen
from zoo.exporting.quantization import Quantization, test_samples
from zoo.exporting.report import REPORT, ExportedFile, ExportReport, Written
from zoo.exporting.target import ExportTarget, check

_SAMPLES = 64


@dataclasses.dataclass(frozen=True)
class Plan:
    """What a format is written with: batch size of the .tflite file, quantization, metadata, signature for Micro."""

    batch_size: int
    quantization: Quantization
    metadata: metadata.Metadata
    signature: str | None = None


def export(
    model: keras.Model,
    directory: str | os.PathLike,
    formats: str | Sequence[str] = ("saved_model", "tflite", "onnx"),
    *,
    quantization: str | None = None,
    calibration: Any = None,
    integer_io: str | None = None,
    raw_input: bool = False,
    threshold: float | None = None,
    batch_size: int = 1,
    tolerance: float | None = None,
    samples: Any = None,
    anomalies: Any = None,
    signature: str | None = None,
    force: bool = False,
) -> ExportReport:
    """Export a model for phones, servers and browsers, and prove that the files compute what Keras computes.

    Every file is reloaded in its own runtime (TensorFlow, LiteRT, ONNX Runtime), run on real samples, compared with the
    Keras model, and searched for operators that the runtime lacks (Flex or custom ones). All files appear together, or
    none does.

    An Autoencoder becomes one file with the signatures "reconstruct" (the default), "encode", "decode" and "score" (the
    mean squared error of each sample, or a detector's distance), a detector's also with "error" (the squared error of
    each element), of which a patch detector has these two alone ("error" is its heat map). They share its weights; its
    preprocessing is in them, its corruption leaves no trace. Encoder, decoder, classifier and any other model have one
    signature: "encode", "decode", "classify" or "serve". Which of them a model is, its class says, not its name. A
    model of another precision is copied into float32 first.

    Args:
        model: Autoencoder, encoder or decoder, classifier, or any functional keras.Model with one input and one output.
        directory: where to write ``saved_model/``, ``model.tflite``, ``model.onnx``, ``micro/`` and ``report.json``.
        formats: which of "saved_model", "tflite", "onnx", "micro". The last is for microcontrollers: an int8 file with
            one signature, as C++ sources, that was run in TFLite Micro (docs/micro.md).
        quantization: of the .tflite file; "micro" is always int8, the other formats stay float32. None; "float16"
            weights; "dynamic": int8 weights; "int8": int8 weights and activations, preprocessing and score still
            computed in float32.
        calibration: for int8: what the model will see, in any form that `fit` takes (array, `zoo.data.Source`, dataset,
            generator ...), or the name of a dataset. At least 1,000 samples are wanted; by default 1,000 training
            samples of the dataset that the model was pretrained on (for a classifier, that of its encoder: pass your
            own images if they differ).
        integer_io: for int8: None for float32 inputs and outputs, or "uint8" for integers that the file's scale and
            zero point translate; a score stays float32.
        raw_input: take integers as they come from a camera or a converter, uint8 pixels in [0, 255] unless the model
            says otherwise (`zoo.preprocessed`); what makes samples of them becomes part of the files.
        threshold: anomaly threshold that the files carry, see `zoo.threshold`; Autoencoders only. By default the
            detector's own, if it has one.
        batch_size: samples per call of the .tflite file, which has a fixed batch; the other formats take any number.
        tolerance: largest allowed absolute difference to Keras; by default 1e-5, scaled by the largest output where
            that is above 1, or more where Keras itself is farther than that from the same network in float64 on these
            samples. A quantised file is compared with it only if it is given; otherwise only a file that is useless is
            refused, and the report names what got worse.
        samples: what to compare on, in any of the forms of `calibration`; labels among them serve the task metrics. By
            default 2,000 test samples of the dataset that the model was pretrained on for a quantised file (where there
            is none: the calibration samples), and 64 handwritten digits, brought to the model's input shape and without
            task metrics, for any other.
        anomalies: samples that count as anomalies, in any of the same forms: the report then has anomaly_auroc.
        signature: what the "micro" file computes; by default a detector's "score", otherwise the model's first one.
        force: calibrate int8 on fewer than 100 samples.

    Returns:
        zoo.ExportReport, as in ``report.json``.

    Raises:
        UnknownNameError: an unknown format or quantization.
        ExportError: a model that cannot be exported, naming what is in the way, arguments that do not go together, or
            "micro" without the package tflite-micro.
        DataError: samples of the wrong shape or type, constant or too few calibration samples.
        ParityError: a file differs from Keras by more than the tolerance, or an operator of TFLite Micro from LiteRT's;
            nothing is written.
        OutputError: the directory cannot be written.

    Example:
        >>> model = zoo.load("mnist-deep-feed-forward-16")
        >>> report = zoo.export(model, "exported", "tflite", quantization="int8")
        >>> report.files["tflite"].metrics["mse"]
        {'before': 0.00846, 'after': 0.00862}
    """
    formats = chosen(formats)
    batch_size = checks.positive_integer("batch_size", batch_size)

    check(model)
    model, policy = precision.in_float32(model)
    target = ExportTarget.of(model, raw_input)
    for name, given in (("threshold", threshold), ("anomalies", anomalies)):
        if given is not None and target.kind != "autoencoder":
            raise ExportError(f"{name} goes with the score of an Autoencoder. Received: {target.kind}.")
    threshold = target.threshold if threshold is None else threshold
    if threshold is not None:
        threshold = checks.in_range("threshold", threshold, 0, float("inf"))
    if quantization is not None and "tflite" not in formats:
        raise ExportError(f"quantization is for the format 'tflite'. Received formats {formats}.")
    if signature is not None and "micro" not in formats:
        raise ExportError(f"signature is for the format 'micro'. Received formats {formats}.")
    if integer_io is not None and quantization != "int8":
        raise ExportError(f'integer_io goes with quantization="int8". Received quantization={quantization!r}.')
    modes = {"tflite": quantization, "micro": "int8"}
    quantized = Quantization.of(target, "int8" if "micro" in formats else quantization, calibration, integer_io, force)
    compared_on = _task_samples(target, samples, quantized)
    samples, labels = (target.any_samples(_SAMPLES), None) if compared_on is None else compared_on
    if anomalies is not None:
        if compared_on is None:
            raise ExportError("anomalies are compared with normal samples: pass samples= as well.")
        anomalies, _ = target.samples(anomalies, "test", "anomalies")
    plan = Plan(batch_size, quantized, metadata.of_target(target, threshold), signature)
    # Digits are good for comparing numbers, but they are not what the model is for.
    known = None if compared_on is None else {"labels": labels, "anomalies": anomalies, "threshold": threshold}

    def in_float64():
        return ExportTarget.of(precision.copied(model, "float64"), raw_input)

    compared = Comparison(target, in_float64, samples, known, tolerance)
    with files.staged(directory, sealed=True) as staging:
        written: dict[str, ExportedFile] = {}
        worse: tuple[str, ...] = ()
        for name in formats:
            path = staging / FORMATS[name].file
            mode = modes.get(name)
            own = dataclasses.replace(plan, quantization=dataclasses.replace(quantized, mode=mode))
            facts = FORMATS[name].write(target, path, own) or Written()
            written[name] = file = compared.with_keras(name, path, mode, facts)
            worse += task.degradations(file.file, file.metrics) if mode else ()
        report = ExportReport(
            model=target.kind,
            dtype_policy=policy or "float32",
            input=target.describe(),
            samples=len(samples),
            calibration=quantized.describe(),
            threshold=threshold,
            class_names=target.class_names or None,
            warnings=worse,
            files=written,
        )
        (staging / REPORT).write_text(report.to_json(), encoding="utf-8")
    for sentence in worse:
        warnings.warn(sentence, stacklevel=2)
    return report


def _task_samples(target, given, quantized):
    """(samples, labels or None) of what the model is for: given, or drawn to measure a quantised file; else None."""
    if given is None and quantized.mode is not None:
        given = test_samples(target)
        if given is None and quantized.calibration:
            given = quantized.calibration[target.default.name]
        elif given is not None and target.kind == "classifier":
            given = dataclasses.replace(given, labels=None)  # those of the encoder's dataset, not of this classifier
    return None if given is None else target.samples(given, "test")
