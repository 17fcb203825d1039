"""From a recipe to a finished pretrained model: data, training, evaluation, card."""

import contextlib
import dataclasses
import importlib.metadata
import math
import os
import pathlib
import platform
import shutil
import time
from typing import TYPE_CHECKING, Literal

from zoo.core import files, reading
from zoo.core.errors import OutputError, UnknownNameError, ZooError
from zoo.recipes.recipe import FILE_NAME, find_recipe, read_recipe

if TYPE_CHECKING:
    from zoo.autoencoder import Autoencoder

_CHECKPOINT = ".checkpoint"
_PACKAGES = ("tensorflow", "keras", "numpy")


def train(
    recipe_or_name: str | os.PathLike,
    output_directory: str | os.PathLike,
    *,
    resume: bool = True,
    stream: bool | Literal["auto"] = "auto",
    verbose: int | Literal["auto"] = "auto",
) -> "Autoencoder":
    """Train a model by its recipe and write all of it: config, weights, metadata, README card, recipe.

    Checkpoints are kept in the output directory, at most 15 seconds and one chunk of steps apart. An interrupted or
    killed training goes on from there and ends with the very weights of one that ran through, on the same machine. The
    model itself is written at the end, all files together. Each split of the dataset is read once.

    Args:
        recipe_or_name: path of a ``recipe.toml`` or of its folder, or a name of the catalog.
        output_directory: where the model is written; created if needed.
        resume: go on from the checkpoint of an interrupted training, if there is one.
        stream: True to read the samples anew in every epoch, False to keep them in memory, "auto" to stream datasets
            larger than a quarter of the free memory.
        verbose: progress bar, as for `keras.Model.fit`.

    Returns:
        Autoencoder, trained.

    Raises:
        UnknownNameError: an unknown name, or an unknown key in the recipe.
        ConfigError: a value in the recipe is missing or invalid, or the checkpoint is of another recipe.
        TrainingError: the loss became NaN or infinite.
        DataNotFoundError: the dataset is neither there nor downloadable.
        OutputError: the output directory cannot be written.

    Example:
        >>> model = zoo.train("mnist-feed-forward-8", "trained/mnist-feed-forward-8")
    """
    path = find_recipe(recipe_or_name)
    recipe = read_recipe(path)
    output_directory = pathlib.Path(output_directory)
    with files.held(output_directory):
        return _train(path, recipe, output_directory, resume, stream, verbose)


def _train(path, recipe, output_directory, resume, stream, verbose):
    # Keras starts only now, after what is wrong with the arguments has been said.
    from zoo.evaluation.samples import load_for, of_classes
    from zoo.recipes.fit import build, fit
    from zoo.recipes.publish import publish

    checkpoint = output_directory / _CHECKPOINT
    if checkpoint.is_symlink():
        raise OutputError(f"{str(checkpoint)!r} is a link, through which no checkpoint is written: remove it.")
    with _Stopwatch(checkpoint / "seconds.txt", resume) as stopwatch:
        if recipe.windows:
            flat = len(recipe.input_shape) == 1
            whole = recipe.windows.source("train", recipe.dataset, flat, stream is True)
        else:
            whole = load_for(recipe, recipe.dataset, "train", stream=stream)
        source = of_classes(whole, recipe.normal) if recipe.normal else whole
        model = build(recipe, source)
        history = fit(recipe, model, source, checkpoint_directory=checkpoint, resume=resume, verbose=verbose).history
    test = _test_samples(recipe, model)
    publish(
        model,
        output_directory,
        test,
        None if path.resolve() == (output_directory / FILE_NAME).resolve() else path.read_bytes(),
        name=recipe.name,
        version=recipe.version,
        description=recipe.description,
        license=recipe.license,
        dataset={
            "name": source.name,
            "title": recipe.dataset_title or source.name,
            "version": source.version,
            "split": source.split,
            "samples": len(source),
            "normal": recipe.normal or None,
        },
        recipe=dataclasses.asdict(recipe.training),
        metrics={} if test is None else _measure(recipe, model, whole, test),
        history={metric: [float(value) for value in values] for metric, values in history.items()},
        reproduction={
            "command": f"zoo train {recipe.name}",
            "seconds": round(stopwatch.seconds, 1),
            "machine": f"{_cores()}, {platform.machine()}",
            "versions": {package: importlib.metadata.version(package) for package in _PACKAGES},
        },
    )
    shutil.rmtree(checkpoint, ignore_errors=True)
    return model


class _Stopwatch:
    """Context manager that measures the seconds of a training over all its interruptions, and keeps them in a file."""

    def __init__(self, path, resume):
        self.path, self.seconds = path, 0.0
        if resume:
            with contextlib.suppress(ZooError, ValueError):
                seconds = float(reading.read_bytes(path, limit=100, follow_links=False))
                self.seconds = seconds if 0 <= seconds < math.inf else 0.0

    def __enter__(self):
        self._begin = time.monotonic()
        return self

    def __exit__(self, *error):
        self.seconds += time.monotonic() - self._begin
        with contextlib.suppress(OSError), files.replacing(self.path) as file:  # no checkpoint yet, or a full disk
            file.write(f"{self.seconds:.1f}".encode())


def _test_samples(recipe, model):
    """Source of the test split; None for a folder that has none, or a recording without one for the test."""
    from zoo.evaluation.samples import in_memory, load_for

    if recipe.windows:
        if not recipe.windows.test:
            return None
        return recipe.windows.source("test", recipe.windows.test, len(model.input_shape) == 1)
    try:
        return in_memory(load_for(model, recipe.dataset, "test", stream="auto"))
    except UnknownNameError:
        return None


def _measure(recipe, model, train, test):
    from zoo.catalog.evaluate import default_anomalies
    from zoo.evaluation.measure import measure
    from zoo.evaluation.samples import load_for

    far = default_anomalies(recipe.dataset)
    anomalies = None if far is None else load_for(model, far, "test", stream="auto")
    train = train if test.split == "test" else None
    return measure(model, test, train=train, anomalies=anomalies, normal=recipe.normal)


def _cores():
    """The cores that this process may run on, which `taskset` and containers limit, in words."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{cores} CPU core{'s' if cores > 1 else ''}"
