"""One model of the page: its files, threshold, and the projection of its latent features."""

import json
import pathlib
import shutil
import tempfile

import zoo
from zoo.core import files

ENTRY = "entry.json"
PRECISIONS = {"float32": None, "int8": "int8"}
QUANTILE = 0.99


def export(name, directory, digits, key):
    """Export a model in both precisions, and write what the page has to know about it.

    Args:
        name: of a pretrained model.
        directory: where ``float32.tflite``, ``int8.tflite`` and ``entry.json`` go.
        digits: `website.samples.Samples`.
        key: kept in the entry: what the files were made from.
    """
    from zoo.core.terminal import load_tensorflow

    load_tensorflow()
    model = zoo.load(name)
    threshold = zoo.threshold(model, digits.test, quantile=QUANTILE)
    compared_on = digits.test.pixels()[:256]
    with files.staged(directory) as staging:
        exported = {}
        for precision, quantization in PRECISIONS.items():
            calibration = digits.calibration if quantization else None
            with tempfile.TemporaryDirectory() as scratch:
                zoo.export(
                    model,
                    scratch,
                    "tflite",
                    quantization=quantization,
                    calibration=calibration,
                    threshold=threshold,
                    samples=compared_on,
                )
                path = staging / f"{precision}.tflite"
                shutil.move(pathlib.Path(scratch) / "model.tflite", path)
            scores = zoo.lite.load(path).score(digits.test.pixels())
            exported[precision] = {
                "path": f"{name}/{path.name}",
                "bytes": path.stat().st_size,
                "sha256": files.sha256(path),
                "above": float((scores > threshold).mean()),
            }
        entry = {
            "name": name,
            "latent_shape": list(model.latent_shape),
            "threshold": threshold,
            "tested_on": len(digits.test),
            "files": exported,
            "projection": _projection(model, digits.train),
            "key": key,
        }
        (staging / ENTRY).write_text(json.dumps(entry), encoding="utf-8")


def _projection(model, source):
    """The two directions in latent space that tell the ten digits apart best (linear discriminant analysis).

    Returns:
        {"mean": [...], "axes": [[...], [...]]}: features minus mean, times each axis, are a digit's place on the map.
    """
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    latent = model.encode(source.pixels()).reshape(len(source), -1)
    # Shrunk, because some of a thousand sparse features are hardly ever active.
    analysis = LinearDiscriminantAnalysis(solver="eigen", shrinkage=0.1).fit(latent, source.labels)
    axes = analysis.scalings_[:, :2].T
    return {
        "mean": [float(f"{x:.6g}") for x in latent.mean(axis=0)],
        "axes": [[float(f"{x:.6g}") for x in axis] for axis in axes],
    }
