"""Training a model by a recipe."""

import dataclasses
import math
import pathlib
import shutil
import sys

import keras

from zoo.core.errors import DataError, TrainingError, unknown_name
from zoo.data.stream import Stream
from zoo.evaluation.samples import in_memory
from zoo.evaluation.threshold import threshold
from zoo.families import from_config
from zoo.families.preprocessed import fitted, needs_fitting
from zoo.recipes.checkpoint import Checkpoint
from zoo.recipes.latent_scale import normalize_latent


def build(recipe, source=None):
    """The recipe's model with seeded fresh weights; this seeds Python, NumPy and the Keras backend.

    Args:
        recipe: Recipe.
        source: Source or Stream of the training split, on which preprocessing is fitted that needs it.
    """
    config = recipe.model
    if source is not None and needs_fitting(config):
        train, _ = _split(source, recipe.training.validation_split)
        config = fitted(config, in_memory(train).values())
    keras.utils.set_random_seed(recipe.training.seed)
    return from_config(config)


def fit(recipe, model, source, *, checkpoint_directory, resume=True, verbose="auto"):
    """Train `model` on `source` as the recipe says, with checkpoints from which it goes on exactly.

    Args:
        recipe: Recipe.
        model: Autoencoder from `build`.
        source: zoo.data.Source or Stream of the training split.
        checkpoint_directory: where the state of an unfinished training is kept.
        resume: go on from that state if there is one, else start anew.
        verbose: as for `keras.Model.fit`; unless 0, says how the samples are held and where the training goes on.

    Returns:
        keras.callbacks.History, of all epochs.

    Raises:
        ConfigError: the state is of another recipe.
        TrainingError: the loss became NaN or infinite; the last checkpoint before that is kept.
    """
    settings = recipe.training
    checkpoint_directory = pathlib.Path(checkpoint_directory)
    if not resume:
        shutil.rmtree(checkpoint_directory, ignore_errors=True)
    train, validation = _split(source, settings.validation_split)
    steps = -(-len(train) // settings.batch_size) * settings.epochs
    model.compile(
        optimizer=_optimizer(settings, steps),
        loss=_by_name("loss", settings.loss, keras.losses),
        metrics=["mse"],
        jit_compile=settings.jit_compile,
    )
    history = keras.callbacks.History()
    callbacks = [history]
    if settings.patience:
        callbacks.append(keras.callbacks.EarlyStopping(patience=settings.patience, restore_best_weights=True))
    checkpoint = Checkpoint(checkpoint_directory, _identity(recipe, source), callbacks)
    if verbose:
        _say(_description(train))
        if checkpoint.restored:
            _say(f"Going on from {checkpoint.place}, after the checkpoint in {str(checkpoint_directory)!r}.")
    # The order of the samples is drawn from here, in a resumed process too.
    keras.utils.set_random_seed(settings.seed)
    with checkpoint.stopping(_say):
        try:
            model.fit(
                train,
                batch_size=settings.batch_size,
                epochs=settings.epochs,
                initial_epoch=checkpoint.epoch,
                validation_data=validation,
                callbacks=[*callbacks, checkpoint],
                verbose=verbose,
            )
        except TrainingError as error:
            kept = "The checkpoint before that is kept" if checkpoint.exists() else "There is no checkpoint yet"
            raise TrainingError(f"{error} {kept} in {str(checkpoint_directory)!r}.") from None
    if settings.normalize_latent:
        normalize_latent(model, in_memory(train))
    if model.distance is not None:
        model.fit_score(in_memory(train))
    if recipe.threshold_quantile is not None:
        model.threshold = threshold(model, in_memory(validation), recipe.threshold_quantile)
    return history


def _split(source, share):
    """(training samples, validation samples or None): the last `share` of the samples is held out.

    Training samples that share values with those are left out, as windows do that overlap.
    """
    if not share:
        return source, None
    kept = len(source) - math.ceil(len(source) * share)
    if kept <= source.overlap:
        raise DataError(
            f"validation_split leaves no sample apart from those held out: of {len(source)} windows each overlaps with"
            f" the next {source.overlap}. Received validation_split={share}."
        )
    return source.part(0, kept - source.overlap), source.part(kept, len(source))


def _identity(recipe, source):
    """All that decides the result of a training, as a dictionary."""
    return {
        "dataset": recipe.dataset,
        **({"windows": dataclasses.asdict(recipe.windows)} if recipe.windows else {}),
        "samples": len(source),
        "version": source.version,
        "streamed": isinstance(source, Stream),
        "model": recipe.model,
        "training": dataclasses.asdict(recipe.training),
    }


def _description(source):
    """How many samples there are and where they are kept, in words."""
    samples = f"{source.name}/{source.split}: {len(source):,} samples of shape {source.shape}"
    if isinstance(source, Stream):
        size = len(source) * math.prod(source.shape) * source.dtype.itemsize
        return f"{samples}, {size / 1e6:,.0f} MB: streamed from disk in every epoch."
    return f"{samples}, {source.samples.nbytes / 1e6:,.0f} MB: kept in memory."


def _say(text):
    print(text, file=sys.stderr, flush=True)


def _optimizer(settings, steps):
    optimizer = _by_name("optimizer", settings.optimizer, keras.optimizers)
    rate = settings.learning_rate
    if settings.schedule == "cosine":
        rate = keras.optimizers.schedules.CosineDecay(rate, steps)
    return type(optimizer).from_config({**optimizer.get_config(), "learning_rate": rate})


def _by_name(kind, name, module):
    """What `name` stands for in `keras.losses` or `keras.optimizers`."""
    try:
        return module.get(name)
    except (ValueError, TypeError) as error:
        helpers = ("get", "serialize", "deserialize", "legacy", "schedules")
        raise unknown_name(kind, name, [n for n in dir(module) if n[0].islower() and n not in helpers]) from error
