"""From a recipe to a finished set: data, training, evaluation, card."""

import contextlib
import dataclasses
import os
import pathlib
import platform
import shutil
import time

from zoo import data
from zoo.catalog.lookup import catalog_directory
from zoo.core import files
from zoo.core.errors import UnknownNameError, unknown_name
from zoo.recipes.recipe import FILE_NAME, read_recipe

_CHECKPOINT = ".checkpoint"
_SHOWN = 2000  # of a test split that is too large for memory
_SECONDS = "seconds.txt"  # in it: how long a training took until it was interrupted


def train(recipe_or_name, output_directory, *, resume=True, stream="auto", verbose="auto"):
    """Train a model by its recipe and write the whole set: config, weights, metadata, README card, recipe.

    Checkpoints are kept in the output directory, at most 15 seconds and one chunk of steps apart. An interrupted or
    killed training goes on from there and ends with the very weights of one that ran through, on the same machine. The
    set itself is written at the end, all files together.

    Args:
        recipe_or_name: path of a ``recipe.toml`` or of its folder, or a name of the catalog.
        output_directory: where the set is written; created if needed.
        resume: go on from the checkpoint of an interrupted training, if there is one.
        stream: True to read the images anew in every epoch, False to keep them in memory, "auto" to stream datasets
            larger than a quarter of the free memory.
        verbose: progress bar, as for `keras.Model.fit`.

    Returns:
        Autoencoder, trained.

    Raises:
        UnknownNameError: an unknown name, or an unknown key in the recipe.
        ConfigError: a value in the recipe is missing or invalid, or the checkpoint is of another recipe.
        TrainingError: the loss became NaN or infinite.
        DataNotFoundError: the dataset cannot be had.
        OutputError: the output directory cannot be written.

    Example:
        >>> model = zoo.train("mnist-feed-forward-8", "trained/mnist-feed-forward-8")
    """
    path = find_recipe(recipe_or_name)
    recipe = read_recipe(path)
    output_directory = pathlib.Path(output_directory)
    with files.staged(output_directory):
        pass  # an output directory that cannot be written is found before the training, not after it

    from zoo.catalog.save import save
    from zoo.evaluation import evaluate
    from zoo.recipes.fit import build, run

    started = time.monotonic()
    model = build(recipe)
    shape = model.input_shape if len(model.input_shape) == 3 else None
    source = data.load(recipe.dataset, "train", shape=shape, stream=stream)
    checkpoint = output_directory / _CHECKPOINT
    before = _seconds_before(checkpoint) if resume else 0.0
    try:
        history = run(recipe, model, source, checkpoint_directory=checkpoint, resume=resume, verbose=verbose).history
    finally:
        seconds = before + time.monotonic() - started
        with contextlib.suppress(OSError):  # no directory yet, or a full disk
            (checkpoint / _SECONDS).write_text(f"{seconds:.1f}", encoding="utf-8")
    test = _test_samples(recipe.dataset, shape)
    save(
        model,
        output_directory,
        samples=test,
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
        },
        recipe=dataclasses.asdict(recipe.training),
        metrics={} if test is None else evaluate(model, recipe.dataset),
        history={metric: [float(value) for value in values] for metric, values in history.items()},
        reproduction={
            "command": f"zoo train {recipe.name}",
            "seconds": round(seconds, 1),
            "machine": f"{_cores()}, {platform.machine()}",
            "versions": _versions(),
        },
    )
    shutil.rmtree(checkpoint, ignore_errors=True)
    if path.resolve() != (output_directory / FILE_NAME).resolve():
        shutil.copyfile(path, output_directory / FILE_NAME)
    return model


def _test_samples(dataset, shape):
    """Source of test samples, for picture and golden output; None for a folder that has no test split."""
    try:
        test = data.load(dataset, "test", shape=shape, stream="auto")
    except UnknownNameError:
        return None
    return test.head(_SHOWN) if isinstance(test, data.Stream) else test


def _cores():
    """The cores that this process may run on, which `taskset` and containers limit, in words."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{cores} CPU core{'s' if cores > 1 else ''}"


def _seconds_before(checkpoint):
    try:
        return float((checkpoint / _SECONDS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return 0.0


def find_recipe(recipe_or_name):
    """Path of a recipe: of a path itself, or of a name in the catalog."""
    path = pathlib.Path(recipe_or_name)
    if path.exists() or path.suffix == ".toml" or path.name != str(recipe_or_name):
        return path / FILE_NAME if path.is_dir() else path
    known = {p.parent.name: p for p in catalog_directory().glob(f"*/{FILE_NAME}")}
    if path.name not in known:
        raise unknown_name("recipe", path.name, known)
    return known[path.name]


def _versions():
    from importlib.metadata import version

    return {name: version(name) for name in ("tensorflow", "keras", "numpy")}
