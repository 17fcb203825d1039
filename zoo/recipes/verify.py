"""Whether a set is what its card says, measured again; and cards written anew from weights that exist."""

import dataclasses

from zoo import data
from zoo.catalog.card import GOLDEN, PICTURE, Quantization
from zoo.catalog.load import load
from zoo.catalog.lookup import card, catalog_directory
from zoo.catalog.save import save, write_card
from zoo.core import files
from zoo.core.errors import DataNotFoundError, IntegrityError
from zoo.evaluation import evaluate
from zoo.recipes import golden
from zoo.recipes import pictures as plots

# Relative and absolute: sums of float32 come in another order on other machines, and a neighbour may change.
_RELATIVE, _ABSOLUTE = 1e-3, 2e-3
# The same of the accuracy among a fifth as many samples.
_NEIGHBOURS = 5e-3
_QUANTIZE = "Write it anew with scripts/evaluate.py --quantize."


def verify(name, *, metrics=True):
    """Check a set of the catalog: files against the card, golden output, and every metric of the card anew.

    Args:
        name: a name of `zoo.list_pretrained()`.
        metrics: False leaves out the metrics, which need the dataset and up to a minute.

    Returns:
        dict of metric name to (card's value, measured value); empty without `metrics`.

    Raises:
        IntegrityError: a file or a number is not what the card says.
    """
    model = load(name)  # checks size, SHA-256 and parameters
    path = catalog_directory() / name / GOLDEN
    if not path.is_file():
        raise IntegrityError(f"Set {name!r} is incomplete: {GOLDEN} is missing.")
    golden.check(path, model)
    if not metrics:
        return {}
    stated, measured = card(name).metrics, evaluate(name)
    if set(stated) != set(measured):
        raise IntegrityError(
            f"The card of {name!r} lists other metrics than zoo.evaluate measures:"
            f" {sorted(set(stated) ^ set(measured))}. Write it anew with scripts/evaluate.py --write."
        )
    for metric, value in stated.items():
        if abs(measured[metric] - value) > max(_ABSOLUTE, _RELATIVE * abs(value)) or (
            metric.endswith(("mse", "bce")) and abs(measured[metric] - value) > _RELATIVE * value
        ):
            raise IntegrityError(
                f"The card of {name!r} states {metric} {value:.5g}. Measured: {measured[metric]:.5g}."
                " Write it anew with scripts/evaluate.py --write."
            )
    return {metric: (stated[metric], measured[metric]) for metric in stated}


def rewrite(name):
    """Measure a set of the catalog anew and write metrics, golden output, picture and README; the weights stay."""
    old, model = card(name), load(name)
    kept = {f.name: getattr(old, f.name) for f in dataclasses.fields(old)}
    for measured in ("family", "config", "input", "parameters", "size_bytes", "sha256", "metrics"):
        kept.pop(measured)
    new = save(model, catalog_directory() / name, samples=_test(old, model), metrics=evaluate(name), **kept)
    if new.sha256 != old.sha256:
        raise IntegrityError(f"Weights of {name!r} changed in being written again: another version of Keras or HDF5?")
    return new


def quantize(name):
    """Export a set of the catalog in every quantization, and write what that costs into its card.

    The converter leaks memory: call it for many sets in processes of their own.
    """
    new = dataclasses.replace(card(name), quantization=Quantization(**_measured_losses(name)))
    with files.staged(catalog_directory() / name) as staging:
        write_card(new, staging, PICTURE)
    return new


def verify_quantization(name):
    """Check what the card of a set says about its quantised files, by exporting them again.

    Returns:
        dict of (quantization, size_bytes or metric) to (card's value, measured value).

    Raises:
        IntegrityError: a size or a metric is not what the card says.
    """
    stated, measured = card(name).quantization, _measured_losses(name)
    if not stated.files:
        raise IntegrityError(f"The card of {name!r} says nothing about quantised files. {_QUANTIZE}")
    compared = {}
    for mode, values in measured["files"].items():
        for key, value in values.items():
            said = stated.files.get(mode, {}).get(key, float("nan"))
            # One neighbour more or less is no other file, nor are the converter's some bytes.
            allowed = _NEIGHBOURS if key == "knn_accuracy" else _RELATIVE * value
            if not abs(said - value) <= allowed:
                raise IntegrityError(
                    f"The card of {name!r} states {key} {said:.5g} for its {mode} file. Measured: {value:.5g}."
                    f" {_QUANTIZE}"
                )
            compared[mode, key] = said, value
    return compared


def _measured_losses(name):
    from zoo.exporting import quantization_cost

    return quantization_cost.measure(load(name))


def draw(name, path, *, dpi=120):
    """Write the pictures of a set, see `zoo.recipes.pictures.of_set`, to a PNG file; its dataset must be at hand."""
    stated, model = card(name), load(name)
    plots.save(plots.of_set(stated, model, _test(stated, model)), path, dpi=dpi)


def _test(stated, model):
    if stated.dataset.name is None:
        raise DataNotFoundError(f"Set {stated.name!r} names no dataset in its card, so there is nothing to draw.")
    return data.load(stated.dataset.name, "test", shape=model.input_shape if len(model.input_shape) == 3 else None)
