"""Fine-tuning a pretrained encoder: a classifier on top of it, trained head first."""

import keras
import numpy as np
from keras import layers

from zoo.core import checks
from zoo.core.errors import ConfigError, DataError, unknown_name
from zoo.data.source import Source
from zoo.data.stream import Stream
from zoo.engine import compilation
from zoo.engine.engine import CompiledTraining
from zoo.layers import corruption as corruptions
from zoo.layers.parts import Encoder, ZooModel
from zoo.transfer import heads

# Chosen with 10 labels per class of 2,500 MNIST training images, the others as validation.
_HEAD_LEARNING_RATE = 1e-2
_UNFROZEN_LEARNING_RATE = 2e-4
_HEADS = ("gradient", "discriminant", "regression", "auto")


@keras.saving.register_keras_serializable(package="zoo")
class Classifier(ZooModel, CompiledTraining, keras.Model):
    """The functional `keras.Model` that `zoo.classifier` returns; its `fit` runs in compiled chunks."""

    role = "classifier"

    def fit(self, x=None, y=None, *arguments, **keras_arguments):
        """`keras.Model.fit` on arrays, a `zoo.data.Source` with labels, or a dataset of (image, label).

        Raises:
            DataError: NaN or infinite values, with the index of the first; labels that are no class.
        """
        if isinstance(x, Stream):
            raise DataError(
                "A stream gives images without labels: pass a Source (zoo.data.load(..., stream=False)), or a"
                " tf.data.Dataset of (image, label)."
            )
        if isinstance(x, np.ndarray) and x.size and x.dtype.kind == "f":
            checks.check_values(x, unit_range=False)
        if isinstance(y, np.ndarray) and y.ndim == 1 and "sparse" in str(self.loss):
            _check_labels(y, self.output_shape[-1])
        return super().fit(x, y, *arguments, **keras_arguments)


def classifier(encoder, num_classes, *, freeze_encoder=False, hidden_units=(), dropout=0.0):
    """A compiled classifier on top of an encoder.

    encoder → batch normalisation of its features → hidden layers (ReLU) → dropout → dense softmax. The normalisation
    makes features of any scale a good input for a head that sees few samples.

    Args:
        encoder: keras.Model from samples to features, as `zoo.load_encoder` returns it or ``model.encoder``; its
            weights are shared, not copied, and its batch normalisation is frozen with the statistics that it has.
            Spatial features are flattened.
        num_classes: number of classes.
        freeze_encoder: keep the encoder's weights as they are.
        hidden_units: units of hidden layers between features and classes.
        dropout: rate of dropout before the last layer, in [0, 1).

    Returns:
        keras.Model named "classifier": (batch, *input shape) to float32 probabilities (batch, num_classes). Compiled
        with Adam (1e-3), sparse categorical cross-entropy, accuracy, and jit_compile=True.

    Raises:
        ConfigError: not an encoder, or an invalid number.

    Example:
        >>> classifier = zoo.classifier(zoo.load_encoder("general-denoising-distortion-128"), num_classes=10)
        >>> classifier.fit(images, labels, epochs=10)
    """
    if not isinstance(encoder, keras.Model) or not hasattr(encoder, "input_shape"):
        raise ConfigError(
            "zoo.classifier takes an encoder, a functional keras.Model such as zoo.load_encoder(name)."
            f" Received: {type(encoder).__name__}."
        )
    if hasattr(encoder, "encoder"):
        raise ConfigError("zoo.classifier takes the encoder alone: pass model.encoder. Received a whole Autoencoder.")
    num_classes = checks.positive_integer("num_classes", num_classes)
    hidden_units = checks.positive_integers("hidden_units", hidden_units)
    _set_encoder_trainable(encoder, not freeze_encoder)
    inputs = keras.Input(encoder.input_shape[1:], dtype=encoder.inputs[0].dtype, name=encoder.inputs[0].name)
    x = encoder(inputs)
    if len(x.shape) > 2:
        x = layers.Flatten()(x)
    # Momentum for tens of steps: with Keras' 0.99 a few-label training ends before the averages have settled.
    x = layers.BatchNormalization(momentum=0.9)(x)
    for units in hidden_units:
        x = layers.Dense(units, activation="relu")(x)
    if checks.in_range("dropout", dropout, 0, 1 - 1e-6):
        x = layers.Dropout(dropout)(x)
    model = Classifier(inputs, layers.Dense(num_classes, activation="softmax")(x), name="classifier")
    model.compile(keras.optimizers.Adam(), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def freeze(model):
    """Freeze the encoder of a classifier or an Autoencoder (all of any other model), and recompile.

    Keras reads the trainable flags at `compile` only, so changing them alone would have no effect on `fit`.

    Args:
        model: a classifier of `zoo.classifier`, an Autoencoder, or an encoder.

    Returns:
        `model`, for chaining.
    """
    return _set_trainable(model, False, None)


def unfreeze(model, learning_rate=_UNFROZEN_LEARNING_RATE):
    """Make the encoder of a model trainable again, and recompile it with a fresh optimizer state at a lower rate.

    Its batch normalisation, if it has any, keeps the statistics of its pretraining.

    Args:
        model: a classifier of `zoo.classifier`, an Autoencoder, or an encoder.
        learning_rate: of the recompiled optimizer; 2e-4 keeps what was pretrained.

    Returns:
        `model`, for chaining.
    """
    return _set_trainable(model, True, learning_rate)


def fine_tune(
    classifier,
    x,
    y=None,
    *,
    head="gradient",
    head_epochs=60,
    epochs=20,
    learning_rate=_UNFROZEN_LEARNING_RATE,
    head_learning_rate=_HEAD_LEARNING_RATE,
    batch_size=32,
    augmentation=None,
    copies=10,
    **fit_arguments,
):
    """Train a classifier in two phases: its head on frozen features first, then everything at a low rate.

    In one go, the gradients of the untrained head would destroy what the encoder knows. Batch normalisation inside the
    encoder keeps the statistics of its pretraining in both phases.

    With a few labels per class the best there is: ``head="auto"``, an augmentation that suits the images, and a few
    epochs at a very low rate (2e-5), see docs/transfer.md.

    Args:
        classifier: model of `zoo.classifier`; it ends unfrozen.
        x: samples (samples, *input shape) as the encoder takes them, or a `zoo.data.Source` with labels.
        y: int class labels (samples,) from 0 to num_classes - 1; left out with a Source.
        head: "gradient" trains the head by `fit`. The others compute the weights of a linear head at once from the
            frozen features, with scikit-learn: "discriminant" by linear discriminant analysis with Ledoit-Wolf
            shrinkage, "regression" by logistic regression of the samples without distorted copies, "auto" by the one
            of these that is better in a cross-validation on the samples.
        head_epochs: passes over the data with the encoder frozen, for "gradient"; 0 skips this phase.
        epochs: passes over the data with everything trainable; 0 leaves the encoder as it was.
        learning_rate: of the second phase.
        head_learning_rate: of the first phase.
        batch_size: samples per step at most; steps are made equally long.
        augmentation: a `zoo.corruption`, its dictionary, or a list: samples are joined by distorted copies of them.
        copies: distorted copies of each sample.
        **fit_arguments: passed to both calls of `keras.Model.fit`, such as `validation_data`, `callbacks`, `verbose`.

    Returns:
        keras.callbacks.History whose epochs and metrics run through both phases, as far as they were calls of `fit`.

    Raises:
        DataError: samples or labels of the wrong shape, type or range; for a computed head, a class without a sample.
        ConfigError: nothing to train, or a computed head with hidden layers.

    Example:
        >>> history = zoo.fine_tune(classifier, images, labels, head_epochs=60, epochs=20, learning_rate=2e-4)
        >>> len(history.epoch)
        80
    """
    if head not in _HEADS:
        raise unknown_name("head", head, _HEADS)
    solved = head != "gradient"
    samples = x, y = _labelled(classifier, x, y)
    if augmentation is not None:
        x, y = augmented(x, y, augmentation, copies)
    fit_arguments = {"batch_size": equal_batches(len(x), batch_size), **fit_arguments}
    histories = []
    if solved:
        head_epochs = 0
        _set_trainable(classifier, False, head_learning_rate)
        heads.solve(classifier, *samples, (x, y), head)
    if head_epochs:
        _set_trainable(classifier, False, head_learning_rate)
        histories.append(classifier.fit(x, y, epochs=head_epochs, **fit_arguments))
    if epochs or solved:
        unfreeze(classifier, learning_rate)
    if epochs:
        histories.append(classifier.fit(x, y, initial_epoch=head_epochs, epochs=head_epochs + epochs, **fit_arguments))
    if not histories:
        if solved:
            history = keras.callbacks.History()
            history.on_train_begin()
            return history
        raise ConfigError("Nothing to train: head_epochs and epochs are both 0.")
    last = histories[-1]
    last.epoch = [epoch for history in histories for epoch in history.epoch]
    last.history = {key: [v for h in histories for v in h.history.get(key, [])] for key in last.history}
    return last


def augmented(x, y, augmentation, copies, seed=0):
    """Samples and labels, followed by distorted copies of them.

    Args:
        x: float32 array (samples, *shape) in [0, 1].
        y: labels (samples,).
        augmentation: a `zoo.corruption`, its dictionary, or a list.
        copies: distorted copies of each sample.
        seed: seed of the distortions.

    Returns:
        (float32 array, labels) of (1 + copies) · samples, clipped to [0, 1].
    """
    layers = [corruptions.Corruption.from_description(layer.describe()) for layer in corruptions.get(augmentation)]
    for number, layer in enumerate(layers):
        layer.check(x.shape[1:])
        layer.random = keras.random.SeedGenerator(1000 * seed + number)
    parts = [x]
    for _ in range(checks.positive_integer("copies", copies)):
        copy = x
        for layer in layers:
            copy = layer(copy, training=True)
        parts.append(np.clip(keras.ops.convert_to_numpy(copy), 0, 1))
    return np.concatenate(parts), np.tile(y, len(parts))


def equal_batches(samples, most=32):
    """The batch size, `most` at most, with which the batches of few samples are about equally long.

    A short last batch would be a second XLA program, and noise for batch normalisation: with 100 samples in batches of
    32, whose last one holds 4, a classifier of digits from scratch lost 6 to 10 points of accuracy.
    """
    steps = -(-samples // checks.positive_integer("batch_size", most))
    return -(-samples // steps)


def _labelled(model, x, y):
    """Checked samples and labels; from arrays, or from a labelled Source."""
    if isinstance(x, Source):
        x, y = (x.images if model.inputs[0].dtype == "uint8" else x.pixels()), x.labels if y is None else y
    if y is None:
        raise DataError("Labels are missing: expected y, int class labels (samples,). Received None.")
    if model.inputs[0].dtype == "uint8":
        x = np.asarray(x)
        checks.check_shape(x.shape, model.input_shape[1:])
        if x.dtype != np.uint8:
            raise DataError(f"This classifier takes raw pixels: expected dtype uint8. Received {x.dtype}.")
    else:
        x = checks.images(x, model.input_shape[1:])
    y = np.asarray(y)
    if y.shape != (len(x),):
        raise DataError(f"y must hold one label per sample, shape ({len(x)},). Received shape {y.shape}.")
    _check_labels(y, model.output_shape[-1])
    return x, y


def _check_labels(y, classes):
    if y.dtype.kind not in "iu" or (y.size and (y.min() < 0 or y.max() >= classes)):
        raise DataError(
            f"y must hold one int label from 0 to {classes - 1} per sample. Received dtype {y.dtype}"
            + (f", values from {y.min()} to {y.max()}." if y.size else ".")
        )


def _set_encoder_trainable(encoder, trainable):
    """Set the flag of an encoder, but keep its batch normalisation as it was pretrained.

    Keras runs a frozen `BatchNormalization` with its stored statistics. Those of a few labelled batches would spoil
    them: with ten labels per class that costs tens of points. (Keras does not keep ``encoder(x, training=False)``.)
    """
    encoder.trainable = trainable
    for layer in encoder._flatten_layers():
        if isinstance(layer, layers.BatchNormalization):
            layer.trainable = False


def _set_trainable(model, trainable, learning_rate):
    nested = [layer for layer in model.layers if isinstance(layer, keras.Model)]
    _set_encoder_trainable(
        next((m for m in nested if isinstance(m, Encoder)), nested[0] if nested else model), trainable
    )
    if not model.compiled:
        return model
    config = model.get_compile_config()
    if learning_rate is not None:
        config["optimizer"]["config"]["learning_rate"] = learning_rate
    with compilation.verified(model, config["jit_compile"]):
        model.compile(**keras.saving.deserialize_keras_object(config))
    return model
