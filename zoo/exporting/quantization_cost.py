"""What a model loses as a .tflite file, in every quantization: the numbers of its card."""

import pathlib
import tempfile
import warnings

from zoo.exporting import task
from zoo.exporting.export import export
from zoo.exporting.quantization import MODES


def measure(model, *, calibration=None, samples=None, anomalies=None):
    """Export a model in every quantization, and measure its size and its task metrics.

    Args:
        model: Autoencoder, encoder or classifier; with the two arguments left out, one that `zoo.load` returned.
        calibration, samples, anomalies: as for `zoo.export`.

    Returns:
        dict: "samples", their number; "files", dict of "float32", "float16", "dynamic" and "int8" to {"size_bytes",
        *task metrics}, in which "float32" has the metrics of the Keras model; "warnings", a sentence on each metric
        that is clearly worse.

    Raises:
        ExportError: no dataset to draw samples from, or a model that cannot be exported.

    Example:
        >>> measure(zoo.load("mnist-feed-forward-16"))["files"]["int8"]
        {'size_bytes': 36584, 'mse': 0.0206, 'knn_accuracy': 0.938}
    """
    measured, sentences = {}, []
    for mode in MODES:
        with tempfile.TemporaryDirectory() as directory, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the sentences below say the same
            report = export(
                model,
                pathlib.Path(directory) / mode,
                "tflite",
                quantization=mode,
                calibration=calibration if mode == "int8" else None,
                samples=samples,
                anomalies=anomalies,
            )
        file = report.files["tflite"]
        if not measured:
            size = round(file.size_bytes / file.size_ratio)
            measured["float32"] = {"size_bytes": size, **{key: m["before"] for key, m in file.metrics.items()}}
        measured[mode] = {"size_bytes": file.size_bytes, **{key: m["after"] for key, m in file.metrics.items()}}
        sentences += task.degradations(f"The {mode} file", file.metrics)
    return {"samples": report.samples, "files": measured, "warnings": sentences}
