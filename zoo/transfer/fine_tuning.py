"""Fine-tuning: a classifier is trained head first."""

import contextlib
import dataclasses
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from zoo.core import checks
from zoo.core.batches import TRAINING_BATCH_SIZE
from zoo.core.errors import ConfigError, unknown_name
from zoo.engine import inputs, keras_internals
from zoo.transfer import heads
from zoo.transfer.augmentation import with_copies
from zoo.transfer.classifier import Classifier, compile_default
from zoo.transfer.freezing import UNFROZEN_LEARNING_RATE, fresh_optimizer, recompile

# Chosen with 10 labels per class of 2,500 MNIST training images, the others as validation.
_HEAD_LEARNING_RATE = 1e-2
_HEADS = ("gradient", "discriminant", "regression", "auto")


def fine_tune(
    classifier: Classifier,
    x: Any,
    y: Any = None,
    *,
    head: str = "gradient",
    head_epochs: int = 60,
    epochs: int = 20,
    learning_rate: float | keras.optimizers.schedules.LearningRateSchedule | None = None,
    head_learning_rate: float | keras.optimizers.schedules.LearningRateSchedule | None = None,
    batch_size: int = TRAINING_BATCH_SIZE,
    augmentation: Any = None,
    copies: int = 10,
    sample_weight: Any = None,
    class_weight: dict[int, float] | str | None = None,
    validation_data: Any = None,
    validation_split: float = 0.0,
    validation_batch_size: int | None = None,
    validation_steps: int | None = None,
    validation_freq: int | Sequence[int] = 1,
    callbacks: Sequence[keras.callbacks.Callback] | None = None,
    shuffle: bool = True,
    steps_per_epoch: int | None = None,
    verbose: str | int = "auto",
) -> keras.callbacks.History:
    """Train a classifier in two phases: its head on frozen features first, then everything at a low rate.

    In one go, the gradients of the untrained head would destroy what the encoder knows. What was frozen before (the
    encoder, one of its layers) stays frozen in both phases, batch normalisation in the encoder keeps the statistics of
    its pretraining, and loss, metrics and the optimizer's settings are those that the classifier was compiled with;
    each phase has an optimizer without state.

    To callbacks the two phases are one training: epochs count on, the beginning and the end come once, and a callback
    that stops the training ends it, in the first phase too.

    With a few labels per class the best there is: ``head="auto"``, an augmentation that suits the images, and a few
    epochs at a very low rate (2e-5), see docs/transfer.md.

    Args:
        classifier: model of `zoo.classifier`.
        x: samples in any of the forms that ``classifier.fit`` takes; they are brought into memory.
        y: int class labels (samples,) from 0 to num_classes - 1, or one-hot ones for a loss that takes these; left out
            where `x` contains them.
        head: "gradient" trains the head by `fit`. The others compute the weights of a linear head at once from the
            frozen features: "discriminant" by linear discriminant analysis with Ledoit-Wolf shrinkage, "regression" by
            logistic regression of the samples without distorted copies, "auto" by the one of these that is better in a
            cross-validation on the samples.
        head_epochs: passes over the data with the encoder frozen, for "gradient"; 0 skips this phase.
        epochs: passes over the data after that; 0 leaves the encoder as it was.
        learning_rate: of the second phase, a number or a schedule. By default a schedule that the optimizer follows,
            which then starts anew in each phase, else 2e-4.
        head_learning_rate: of the first phase; by default such a schedule, else 1e-2.
        batch_size: samples per step at most; steps are made equally long.
        augmentation: a `zoo.corruption`, its dictionary, or a list: samples are joined by distorted copies of them.
        copies: distorted copies of each sample.
        sample_weight: numbers (samples,). Distorted copies have the weight of their sample. To a computed head, a
            sample of weight 2 counts as two.
        class_weight: dictionary of class to weight, instead of `sample_weight`; "balanced": of the labels in `y`,
            samples / (classes · samples of the class), by which rare classes count as much as frequent ones.
        validation_data: as for ``classifier.fit``.
        validation_split: share of the samples, the last ones, that is held out: neither learnt nor distorted.
        validation_batch_size, validation_steps, validation_freq, callbacks, shuffle, steps_per_epoch, verbose: as for
            `keras.Model.fit`.

    Returns:
        keras.callbacks.History whose epochs and metrics run through both phases, as far as they were calls of `fit`.

    Raises:
        DataError: samples, labels or weights of the wrong shape, type or range; for a computed head, a class without a
            sample.
        ConfigError: not a classifier, nothing to train, or a computed head with hidden layers.

    Example:
        >>> history = zoo.fine_tune(classifier, images, labels, head_epochs=60, epochs=20, learning_rate=2e-4)
        >>> len(history.epoch)
        80
    """
    if not isinstance(classifier, Classifier):
        raise ConfigError(
            "zoo.fine_tune takes a classifier, as zoo.classifier(encoder, num_classes) makes it."
            f" Received: {type(classifier).__name__}."
        )
    if head not in _HEADS:
        raise unknown_name("head", head, _HEADS)
    solved = head != "gradient"
    head_epochs = 0 if solved else checks.positive_integer("head_epochs", head_epochs, least=0)
    epochs = checks.positive_integer("epochs", epochs, least=0)
    if not (solved or head_epochs or epochs):
        raise ConfigError("Nothing to train: head_epochs and epochs are both 0.")
    if not classifier.compiled:
        compile_default(classifier)

    contract = classifier.contract
    overlap = getattr(x, "overlap", 0)
    x, y, sample_weight = inputs.collect(contract, x, y, sample_weight)
    train = inputs.take(contract, x, y, sample_weight, class_weight=class_weight)
    train = dataclasses.replace(train, overlap=overlap)
    if validation_split and validation_data is None:
        train, held_out = train.split(validation_split)
        weights = None if class_weight is not None else held_out.sample_weight  # as for Keras
        validation_data = (held_out.x, held_out.y) if weights is None else (held_out.x, held_out.y, weights)
    samples = x, y, weights = train.x, train.y, train.sample_weight
    if augmentation is not None:
        x = with_copies(x, augmentation, copies)
        y, weights = (None if a is None else np.concatenate([a] * (1 + copies)) for a in (y, weights))

    history, callbacks = _listed(callbacks)
    fit = {
        "x": x,
        "y": y,
        "sample_weight": weights,
        "batch_size": equal_batches(len(x), batch_size),
        "validation_data": validation_data,
        "validation_batch_size": validation_batch_size,
        "validation_steps": validation_steps,
        "validation_freq": validation_freq,
        "shuffle": shuffle,
        "steps_per_epoch": steps_per_epoch,
        "verbose": verbose,
    }
    total, goes_on = head_epochs + epochs, True
    frozen, optimizer = classifier.encoder_frozen, classifier.optimizer
    if solved:
        heads.solve(classifier, _labelled(*samples), _labelled(x, y, weights), head)
    try:
        if head_epochs:
            first = fresh_optimizer(optimizer, head_learning_rate, _HEAD_LEARNING_RATE)
            if first is optimizer and not optimizer.built:  # it serves both phases, so it has to know all weights
                optimizer.build(classifier.trainable_variables)
            classifier.encoder_frozen = True
            goes_on = _fit(recompile(classifier, first), callbacks, 0, head_epochs, total, fit)
    finally:
        classifier.encoder_frozen = frozen
        recompile(classifier, fresh_optimizer(optimizer, learning_rate, UNFROZEN_LEARNING_RATE))
    if epochs and goes_on:
        _fit(classifier, callbacks, head_epochs, total, total, fit)
    if not total:  # a computed head alone
        history.on_train_begin()
    return history


def equal_batches(samples: int, most: int = TRAINING_BATCH_SIZE) -> int:
    """The batch size, `most` at most, with which the batches of few samples are about equally long.

    A short last batch would be a second XLA program, and noise for batch normalisation: with 100 samples in batches of
    32, whose last one holds 4, a classifier of digits from scratch lost 6 to 10 points of accuracy.
    """
    steps = -(-samples // checks.positive_integer("batch_size", most))
    return -(-samples // steps)


class _Epochs(keras.callbacks.Callback):
    """Tells the callbacks after it that the training has `epochs` epochs: they are given one dictionary."""

    def __init__(self, epochs):
        super().__init__()
        self.epochs = epochs

    def set_params(self, params):
        super().set_params(params)
        if params:
            params["epochs"] = self.epochs


def _fit(model, callbacks, begin, end, total, arguments):
    """`fit` for the epochs `begin` to `end` of `total`, as a part of one training; whether that goes on."""
    keras_internals.forget_resumed_epoch(model, begin)
    with _withheld(callbacks, ["on_train_begin"] * (begin > 0) + ["on_train_end"] * (end < total)):
        history = model.fit(**arguments, initial_epoch=begin, epochs=end, callbacks=[_Epochs(total), *callbacks])
    if end < total and model.stop_training:
        for callback in callbacks:
            callback.on_train_end({name: values[-1] for name, values in history.history.items()})
    return not model.stop_training


@contextlib.contextmanager
def _withheld(callbacks, hooks):
    """Keep Keras from calling these hooks of the callbacks."""
    own = [(callback, hook, vars(callback).get(hook)) for callback in callbacks for hook in hooks]
    for callback, hook, _ in own:
        setattr(callback, hook, _nothing)
    try:
        yield
    finally:
        for callback, hook, before in own:
            delattr(callback, hook)
            if before is not None:  # as `LambdaCallback` has it
                setattr(callback, hook, before)


def _nothing(logs=None):
    pass


def _listed(callbacks):
    """The one History, and all callbacks with it."""
    callbacks = keras.tree.flatten(getattr(callbacks, "callbacks", callbacks) or [])
    history = next((c for c in callbacks if isinstance(c, keras.callbacks.History)), None)
    if history is None:
        history = keras.callbacks.History()
        callbacks.append(history)
    return history, callbacks


def _labelled(x, y, weights):
    if y.ndim > 1:
        y = y.argmax(axis=-1) if y.shape[-1] > 1 else y.reshape(len(y))
    return heads.Labelled(x, y.astype("int64"), np.ones(len(y)) if weights is None else weights.astype("float64"))
