"""Training without the encoder, and with it again."""

import weakref

import keras

from zoo.autoencoder import Autoencoder
from zoo.engine import keras_internals
from zoo.engine.loop import Trainer
from zoo.transfer import optimizers
from zoo.transfer.classifier import Classifier, normalizations

UNFROZEN_LEARNING_RATE = 2e-4

# frozen model → its layers and whether they were trainable before
_flags: weakref.WeakKeyDictionary[keras.Model, list[tuple[keras.layers.Layer, bool]]] = weakref.WeakKeyDictionary()


def freeze(model: keras.Model) -> keras.Model:
    """Freeze the encoder of a model, and recompile with the same loss, metrics and optimizer.

    Keras reads the trainable flags at `compile` only, so changing them alone would have no effect on `fit`.

    Args:
        model: a classifier of `zoo.classifier`, whose encoder stays trainable in other models; an Autoencoder; or any
            other model: the first model in it, or all of it if there is none.

    Returns:
        `model`, for chaining.

    Example:
        >>> zoo.freeze(classifier).fit(images, labels, epochs=20)
    """
    if isinstance(model, Classifier):
        model.encoder_frozen = True
    else:
        encoder = _encoder(model)
        if encoder.trainable:
            _flags[encoder] = [(layer, layer.trainable) for layer in _inside(encoder)]
        encoder.trainable = False
    optimizer = getattr(model, "optimizer", None)
    if optimizer is not None and not optimizers.takes_fewer_weights(optimizer):
        optimizer = optimizers.renewed(optimizer)
    return recompile(model, optimizer)


def unfreeze(
    model: keras.Model, learning_rate: float | keras.optimizers.schedules.LearningRateSchedule | None = None
) -> keras.Model:
    """Make the encoder of a model trainable again, and recompile: same loss and metrics, a fresh optimizer.

    This undoes `freeze`, ``freeze_encoder=True`` and ``encoder.trainable = False``. A layer that was frozen on its own
    stays frozen, and batch normalisation in the encoder keeps the statistics of its pretraining.

    Args:
        model: as for `freeze`.
        learning_rate: number or schedule for the optimizer, which is of the same class and has the same settings as
            before. By default a schedule that it follows is kept, from its beginning, and any other rate becomes 2e-4,
            which keeps what was pretrained.

    Returns:
        `model`, for chaining.

    Example:
        >>> zoo.unfreeze(classifier, learning_rate=2e-5).fit(images, labels, epochs=5)
    """
    encoder = _encoder(model)
    if not encoder.trainable:
        encoder.trainable = True
        for layer, trainable in _flags.pop(encoder, ()):
            layer.trainable = trainable
    if isinstance(model, Classifier):
        model.encoder_frozen = False
    else:
        for layer in normalizations(encoder):
            layer.trainable = False
    optimizer = getattr(model, "optimizer", None)
    return recompile(model, fresh_optimizer(optimizer, learning_rate, UNFROZEN_LEARNING_RATE))


def fresh_optimizer(optimizer, learning_rate, default: float):
    """An optimizer without state, at `learning_rate`; None: at the schedule or rates of its own, else at `default`."""
    if optimizer is None:
        return None
    if learning_rate is None and not optimizers.has_own_rates(optimizer):
        learning_rate = default
    return optimizers.renewed(optimizer, learning_rate)


def recompile(model: keras.Model, optimizer) -> keras.Model:
    """`compile` a model again with the objects that it was compiled with, and `optimizer`; nothing if it was not."""
    if not model.compiled:
        return model
    if isinstance(model, Trainer):
        model.recompile(optimizer)
    else:
        keras.Model.compile(model, optimizer, auto_scale_loss=False, **keras_internals.compile_arguments(model))
    return model


def _encoder(model):
    if isinstance(model, Classifier):
        return model.get_encoder()
    if isinstance(model, Autoencoder):
        return model.encoder
    return next((layer for layer in model.layers if isinstance(layer, keras.Model)), model)


def _inside(model):
    """The layers of a model and of the models in it; a model before its layers, whose flags it sets."""
    for layer in model.layers:
        yield layer
        if isinstance(layer, keras.Model):
            yield from _inside(layer)
