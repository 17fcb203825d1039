"""A classifier on top of an encoder."""

from collections.abc import Sequence

import keras
from keras import layers

from zoo.autoencoder import Autoencoder
from zoo.core import checks
from zoo.core.errors import ConfigError
from zoo.engine.contract import Contract
from zoo.engine.loop import Trainer
from zoo.layers.parts import ZooModel, leaves, signal_facts


@keras.saving.register_keras_serializable(package="zoo")
class Classifier(ZooModel, Trainer, keras.Model):
    """The functional `keras.Model` that `zoo.classifier` returns; its `fit` runs in compiled chunks.

    The encoder may belong to other models too, so nothing is set on it: it runs in inference mode also in training, by
    which its batch normalisation keeps its statistics, and whether it is trained is decided here.

    Attributes:
        encoder_frozen: leave the encoder's weights as they are. `zoo.freeze` and `zoo.unfreeze` set it and recompile.
            What is frozen by Keras' own flags (``encoder.trainable = False``, one layer of it) is not trained either.
    """

    role = "classifier"
    encoder_frozen = False

    def get_encoder(self) -> keras.Model:
        """The encoder, which is the first model in the graph. (A property would change the layout of weight files.)"""
        return next(layer for layer in self.layers if isinstance(layer, keras.Model))

    @property
    def contract(self) -> Contract:
        """What its samples and labels must be."""
        loss = str(self.loss).lower() if self.compiled else "sparse"
        return Contract(
            self.input_shape[1:],
            self.inputs[0].dtype,
            unit_range=getattr(self.get_encoder(), "unit_range", None),
            classes=self.output_shape[-1],
            one_hot=False if "sparse" in loss else True if "categorical" in loss else None,
            **signal_facts(self),
        )

    def call(self, inputs, training=None, mask=None):
        """Probabilities (batch, num_classes) of samples (batch, *input shape)."""
        # In a functional graph Keras would overwrite the encoder's `training=False` by what the whole is called with.
        encoder, x = self.get_encoder(), inputs
        for layer in self.layers[1:]:
            x = layer(x, training=training and layer is not encoder)  # all say it: the last word holds for the next
        return x

    @property
    def trainable_variables(self):
        return self._without_fixed(super().trainable_variables)

    @property
    def trainable_weights(self):
        return self._without_fixed(super().trainable_weights)

    @property
    def non_trainable_variables(self):
        return _difference(self.variables, self.trainable_variables)

    @property
    def non_trainable_weights(self):
        return _difference(self.weights, self.trainable_weights)

    def _without_fixed(self, variables):
        encoder = self.get_encoder()
        fixed = [encoder] if self.encoder_frozen else normalizations(encoder)
        return _difference(variables, [variable for layer in fixed for variable in layer.variables])

    def get_config(self):
        return {**super().get_config(), "encoder_frozen": self.encoder_frozen}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        frozen = config.pop("encoder_frozen", False)
        model = super().from_config(config, custom_objects)
        model.encoder_frozen = frozen
        return model


def classifier(
    encoder: keras.Model,
    num_classes: int,
    *,
    freeze_encoder: bool = False,
    hidden_units: Sequence[int] = (),
    dropout: float = 0.0,
) -> Classifier:
    """A compiled classifier on top of an encoder.

    encoder → batch normalisation of its features → hidden layers (ReLU) → dropout → dense softmax. The normalisation
    makes features of any scale a good input for a head that sees few samples.

    Args:
        encoder: keras.Model from samples to features, as `zoo.load_encoder` returns it or ``model.encoder``; its
            weights are shared, not copied. It runs in inference mode also in training: batch normalisation keeps its
            statistics, scales and offsets, dropout does nothing. What is frozen in it stays frozen. Spatial features
            are flattened.
        num_classes: number of classes.
        freeze_encoder: keep the encoder's weights as they are in this classifier; other models train them as before.
        hidden_units: units of hidden layers between features and classes.
        dropout: rate of dropout before the last layer, in [0, 1).

    Returns:
        keras.Model named "classifier": (batch, *input shape) to float32 probabilities (batch, num_classes), under mixed
        precision too. Compiled with Adam (1e-3), sparse categorical cross-entropy, accuracy, and jit_compile=True.

    Raises:
        ConfigError: not an encoder, or an invalid number.

    Example:
        >>> classifier = zoo.classifier(zoo.load_encoder("general-denoising-distortion-128"), num_classes=10)
        >>> classifier.fit(images, labels, epochs=10)
    """
    if isinstance(encoder, Autoencoder):
        raise ConfigError("zoo.classifier takes the encoder alone: pass model.encoder. Received a whole Autoencoder.")
    if not isinstance(encoder, keras.Model) or not hasattr(encoder, "input_shape"):
        raise ConfigError(
            "zoo.classifier takes an encoder, a functional keras.Model such as zoo.load_encoder(name)."
            f" Received: {type(encoder).__name__}."
        )
    num_classes = checks.positive_integer("num_classes", num_classes)
    hidden_units = checks.positive_integers("hidden_units", hidden_units)
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
    half_precision = keras.config.dtype_policy().compute_dtype in ("float16", "bfloat16")
    output = layers.Dense(num_classes, activation="softmax", dtype="float32" if half_precision else None)
    model = Classifier(inputs, output(x), name="classifier")
    model.encoder_frozen = bool(freeze_encoder)
    return compile_default(model)


def compile_default(model: Classifier) -> Classifier:
    """Compile as `zoo.classifier` does; returns `model`."""
    model.compile(keras.optimizers.Adam(), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def normalizations(model: keras.Model) -> list[keras.layers.Layer]:
    """The batch normalisations in a model."""
    return [layer for layer in leaves(model) if isinstance(layer, layers.BatchNormalization)]


def _difference(variables, others):
    others = {id(variable) for variable in others}
    return [variable for variable in variables if id(variable) not in others]
