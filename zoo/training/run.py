"""Training a model by a recipe."""

import pathlib
import shutil

import keras
import numpy as np

from zoo.errors import unknown_name
from zoo.families import from_config
from zoo.training.latent_scale import normalize_latent


def build(recipe):
    """The recipe's model with seeded fresh weights, compiled; this seeds Python, NumPy and the Keras backend."""
    keras.utils.set_random_seed(recipe.training.seed)
    return from_config(recipe.model)


def run(recipe, model, source, *, checkpoint_directory, resume=True, verbose="auto"):
    """Train `model` on `source` as the recipe says, with a checkpoint per epoch.

    Args:
        recipe: Recipe.
        model: Autoencoder from `build`.
        source: zoo.data.Source of the training split.
        checkpoint_directory: where the state of an unfinished training is kept; removed at its end.
        resume: go on from that state if there is one, else start anew.
        verbose: as for `keras.Model.fit`.

    Returns:
        keras.callbacks.History.
    """
    settings = recipe.training
    checkpoint_directory = pathlib.Path(checkpoint_directory)
    if not resume:
        shutil.rmtree(checkpoint_directory, ignore_errors=True)
    images = source.pixels()
    validation = None
    if settings.validation_split:
        held_out = int(np.ceil(len(images) * settings.validation_split))
        images, validation = images[:-held_out], images[-held_out:]
    steps = -(-len(images) // settings.batch_size) * settings.epochs
    model.compile(
        optimizer=_optimizer(settings, steps),
        loss=_known("loss", settings.loss, keras.losses),
        metrics=["mse"],
        jit_compile=settings.jit_compile,
    )
    history = model.fit(
        images,
        batch_size=settings.batch_size,
        epochs=settings.epochs,
        validation_data=validation,
        callbacks=[keras.callbacks.BackupAndRestore(str(checkpoint_directory))],
        verbose=verbose,
    )
    if settings.normalize_latent:
        normalize_latent(model, images)
    shutil.rmtree(checkpoint_directory, ignore_errors=True)
    return history


def _optimizer(settings, steps):
    optimizer = _known("optimizer", settings.optimizer, keras.optimizers)
    rate = settings.learning_rate
    if settings.schedule == "cosine":
        rate = keras.optimizers.schedules.CosineDecay(rate, steps)
    return type(optimizer).from_config({**optimizer.get_config(), "learning_rate": rate})


def _known(kind, name, module):
    """What `name` stands for in `keras.losses` or `keras.optimizers`."""
    try:
        return module.get(name)
    except (ValueError, TypeError) as error:
        helpers = ("get", "serialize", "deserialize", "legacy", "schedules")
        raise unknown_name(kind, name, [n for n in dir(module) if n[0].islower() and n not in helpers]) from error
