"""Whether pretrained models are what their cards say, measured again; and cards written anew."""

import dataclasses

import numpy as np

from zoo.catalog.card import PICTURE, README, Quantization
from zoo.catalog.evaluate import Evaluator
from zoo.catalog.load import load
from zoo.catalog.lookup import card, find
from zoo.catalog.readme import readme
from zoo.catalog.save import GIVEN, write_card
from zoo.core import files
from zoo.core.errors import DataNotFoundError, IntegrityError
from zoo.core.schema import convert
from zoo.evaluation.metrics import METRICS
from zoo.evaluation.samples import in_memory, is_of_classes, load_for
from zoo.exporting import quantization_cost
from zoo.recipes import pictures
from zoo.recipes.publish import publish

_WRITE = "Write it anew with scripts/evaluate.py --write."
_DETECTED = 2000  # normal samples, and as many others, that a quantised detector is measured on
_QUANTIZE = "Write it anew with scripts/evaluate.py --quantize."
_BYTES = 256  # by which sizes of exported files may differ: of metadata, alignment and what the converter adds


def verify(name, *, metrics=True, evaluator=None):
    """Check a pretrained model: files against the card, golden outputs, and every metric of the card anew.

    Args:
        name: a name of `zoo.list_pretrained()`.
        metrics: False leaves out the metrics, which need the dataset and up to a minute.
        evaluator: `Evaluator` to share between several models.

    Returns:
        dict of metric name to (card's value, measured value); empty without `metrics`.

    Raises:
        IntegrityError: a file or a number is not what the card says.
    """
    load(name, verify=True)
    if not metrics:
        return {}
    stated, measured = card(name).metrics, (evaluator or Evaluator()).evaluate(name)
    if set(stated) != set(measured):
        raise IntegrityError(
            f"The card of {name!r} lists other metrics than zoo.evaluate measures:"
            f" {sorted(set(stated) ^ set(measured))}. {_WRITE}"
        )
    for metric, value in stated.items():
        if not abs(measured[metric] - value) <= METRICS[metric].tolerance(value):
            raise IntegrityError(
                f"The card of {name!r} states {metric} {value:.5g}. Measured: {measured[metric]:.5g}. {_WRITE}"
            )
    return {metric: (stated[metric], measured[metric]) for metric in stated}


def rewrite(name, *, evaluator=None):
    """Measure a pretrained model anew and write metrics, golden outputs, picture and README; the weights stay."""
    evaluator = evaluator or Evaluator()
    old, model = card(name), load(name)
    kept = {key: getattr(old, key) for key in GIVEN - {"metrics"}}
    test = _test_samples(old, model, evaluator)
    new = publish(model, find(name), test, metrics=evaluator.evaluate(name), **kept)
    if new.sha256 != old.sha256:
        raise IntegrityError(f"Weights of {name!r} changed in being written again: another version of Keras or HDF5?")
    return new


def rewrite_readme(name):
    """Write the README of a pretrained model anew from its card; nothing is measured and no other file changes."""
    with files.staged(find(name), sealed=True) as staging:
        (staging / README).write_text(readme(card(name), PICTURE), encoding="utf-8")


def quantize(name):
    """Export a pretrained model in every quantization, and write what that costs into its card.

    The converter leaks memory: call it for many models in processes of their own.
    """
    new = dataclasses.replace(card(name), quantization=_measured_cost(name))
    with files.staged(find(name), sealed=True) as staging:
        write_card(new, staging, PICTURE)
    return new


def verify_quantization(name):
    """Check what the card of a pretrained model says about its quantised files, by exporting them again.

    Returns:
        dict of (quantization, size_bytes or metric) to (card's value, measured value).

    Raises:
        IntegrityError: a size or a metric is not what the card says.
    """
    stated, measured = card(name).quantization, _measured_cost(name)
    if not stated.files:
        raise IntegrityError(f"The card of {name!r} says nothing about quantised files. {_QUANTIZE}")
    compared = {}
    for mode, values in measured.files.items():
        for key, value in values.items():
            said = stated.files.get(mode, {}).get(key, float("nan"))
            allowed = METRICS[key].tolerance(value, measured.samples) if key in METRICS else _BYTES
            if not abs(said - value) <= allowed:
                raise IntegrityError(
                    f"The card of {name!r} states {key} {said:.5g} for its {mode} file. Measured: {value:.5g}."
                    f" {_QUANTIZE}"
                )
            compared[mode, key] = said, value
    return compared


def draw(name, file, *, dpi=120):
    """Write the pictures of a pretrained model, see `pictures.of_model`, as PNG to a path or an open file.

    This needs the model's dataset.
    """
    stated, model = card(name), load(name)
    pictures.save(
        pictures.of_model(stated, model, _test_samples(stated, model, Evaluator())),
        file,
        dpi=dpi,
    )


def _measured_cost(name):
    model = load(name)
    samples = _normal_and_anomalous(card(name), model)
    return convert(quantization_cost.measure(model, **samples), Quantization, "the measured cost")


def _normal_and_anomalous(stated, model):
    """Of a detector: up to 2,000 normal samples of its test split and as many others; of any other model nothing."""
    if not stated.dataset.normal:
        return {}
    test = in_memory(load_for(model, stated.dataset.to_load, "test"))
    is_normal, random = is_of_classes(test, stated.dataset.normal), np.random.default_rng(0)
    drawn = {}
    for argument, chosen in (("samples", is_normal), ("anomalies", ~is_normal)):
        rows = np.sort(random.permutation(np.flatnonzero(chosen))[:_DETECTED])
        drawn[argument] = dataclasses.replace(test.subset(rows), labels=None)
    return drawn


def _test_samples(stated, model, evaluator):
    if stated.dataset.to_load is None:
        raise DataNotFoundError(f"The card of {stated.name!r} names no dataset, so there are no test samples to show.")
    return evaluator.samples(model, stated.dataset.to_load, "test")
