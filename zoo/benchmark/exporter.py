"""The process that writes the files which the export benchmark compares; the converter leaks memory."""

import functools
import warnings

import numpy as np

import zoo
from zoo import data
from zoo.benchmark.runners import Exported
from zoo.core.errors import ZooError
from zoo.core.terminal import load_tensorflow, native_errors_hidden
from zoo.data.source import Source
from zoo.exporting.quantization import CALIBRATION_SAMPLES

SAMPLES = 1024
_COMPARED = 8


class Exporter:
    """Exports pretrained models, one after the other."""

    def __init__(self):
        load_tensorflow()

    def write(self, name, directory):
        """Export a model to SavedModel, ONNX and .tflite in float32, float16 and int8, with samples for the timing.

        Args:
            name: of a pretrained model.
            directory: pathlib.Path to write to.

        Returns:
            (Exported, dict that describes it in the results)
        """
        model, card = zoo.load(name), zoo.card(name)
        dataset, shape = card.dataset.name, model.input_shape
        calibration, test = (_samples(dataset, split, shape) for split in ("train", "test"))
        exported = Exported(name, directory)
        samples = np.resize(test.pixels(), (SAMPLES, *shape))  # repeated, if there are fewer
        for folder, formats, options in (
            ("float32", ("saved_model", "tflite", "onnx"), {}),
            ("float16", "tflite", {"quantization": "float16"}),
            ("int8", "tflite", {"quantization": "int8", "calibration": calibration}),
        ):
            with warnings.catch_warnings(), native_errors_hidden():
                warnings.simplefilter("ignore")  # of what quantisation costs: the report of an export tells
                zoo.export(model, directory / folder, formats, samples=samples[:64], **options)
        np.save(directory / "samples.npy", samples)
        np.save(directory / "reference.npy", model.reconstruct(samples[:_COMPARED]))
        return exported, {
            "dense": is_dense(card.config),
            "shape": list(shape),
            "parameters": card.parameters,
            "keras_bytes": card.size_bytes,
            "samples": f"{test.name} ({test.split})",
            "calibration": f"{calibration.name} ({calibration.split})",
        }


def is_dense(config):
    """Whether a config describes a feed-forward network, alone or as the backbone of another family."""
    while "backbone" in config:
        config = config["backbone"]
    return config["family"] == "feed_forward"


@functools.lru_cache(maxsize=8)
def _samples(dataset, split, shape):
    """Up to 1,024 (train: 1,000) samples of a dataset that is at hand, else of the embedded digits; always the same."""
    try:
        source = data.load(dataset, split, shape=shape if len(shape) == 3 else None)
    except ZooError:
        source = Source(data.samples_like(shape, CALIBRATION_SAMPLES), name="digits", split="all")
    count = CALIBRATION_SAMPLES if split == "train" else SAMPLES
    return source.subset(np.sort(np.random.default_rng(0).permutation(len(source))[:count]))
