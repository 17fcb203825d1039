"""A classifier on top of an encoder."""

from collections.abc import Sequence

import keras
from keras import layers

from zoo.autoencoder import Autoencoder
from zoo.core import checks
from zoo.core.errors import ConfigError, unknown_name
from zoo.core.schema import LONGEST_CLASS_NAME
from zoo.engine.contract import Contract
from zoo.engine.loop import Trainer
from zoo.layers.parts import ZooModel, leaves, signal_facts

_ACTIVATIONS = ("softmax", None)


@keras.saving.register_keras_serializable(package="zoo")
class Classifier(ZooModel, Trainer, keras.Model):
    """The functional `keras.Model` that `zoo.classifier` returns; its `fit` runs in compiled chunks.

    The encoder may belong to other models too, so nothing is set on it: it runs in inference mode also in training, by
    which its batch normalisation keeps its statistics, and whether it is trained is decided here.

    Attributes:
        encoder_frozen: leave the encoder's weights as they are. `zoo.freeze` and `zoo.unfreeze` set it and recompile.
            What is frozen by Keras' own flags (``encoder.trainable = False``, one layer of it) is not trained either.
        class_names: names of the classes in the order of the labels, which exported files carry; () if unknown.
    """

    role = "classifier"
    encoder_frozen = False
    class_names: tuple[str, ...] = ()

    @property
    def gives_logits(self) -> bool:
        """Whether the outputs are logits, of which the softmax are the probabilities."""
        return self.layers[-1].activation is keras.activations.linear

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
        """Probabilities, or logits, (batch, num_classes) of samples (batch, *input shape)."""
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
        names = {"class_names": list(self.class_names)} if self.class_names else {}
        return {**super().get_config(), "encoder_frozen": self.encoder_frozen, **names}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        config = dict(config)
        frozen, names = config.pop("encoder_frozen", False), config.pop("class_names", ())
        model = super().from_config(config, custom_objects)
        model.encoder_frozen, model.class_names = frozen, tuple(names)
        return model


def classifier(
    encoder: keras.Model,
    num_classes: int,
    *,
    freeze_encoder: bool = False,
    hidden_units: Sequence[int] = (),
    dropout: float = 0.0,
    activation: str | None = "softmax",
    class_names: Sequence[str] | None = None,
) -> Classifier:
    """A compiled classifier on top of an encoder.

    encoder → batch normalisation of its features → hidden layers (ReLU) → dropout → dense, softmax. The normalisation
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
        activation: "softmax" for probabilities, or None for logits, which the loss then takes as such.
        class_names: names of the classes in the order of the labels, such as ``source.class_names``: saved with the
            classifier, and in the files that `zoo.export` writes.

    Returns:
        keras.Model named "classifier": (batch, *input shape) to float32 probabilities or logits (batch, num_classes),
        under mixed precision too. Compiled with Adam (1e-3), sparse categorical cross-entropy, accuracy, and
        jit_compile=True.

    Raises:
        ConfigError: not an encoder, an invalid number, or names that are not one for each class.
        UnknownNameError: another activation.

    Example:
        >>> classifier = zoo.classifier(zoo.load_encoder("general-denoising-distortion-128"), num_classes=10)
        >>> classifier.fit(images, labels, epochs=10)
        >>> zoo.classifier(encoder, 3, class_names=["bolt", "nut", "washer"], activation=None).class_names
        ('bolt', 'nut', 'washer')
    """
    if isinstance(encoder, Autoencoder):
        raise ConfigError("zoo.classifier takes the encoder alone: pass model.encoder. Received a whole Autoencoder.")
    if not isinstance(encoder, keras.Model) or not hasattr(encoder, "input_shape"):
        raise ConfigError(
            "zoo.classifier takes an encoder, a functional keras.Model such as zoo.load_encoder(name)."
            f" Received: {type(encoder).__name__}."
        )
    checks.one_input_and_output(encoder, "zoo.classifier", ConfigError)
    num_classes = checks.positive_integer("num_classes", num_classes)
    hidden_units = checks.positive_integers("hidden_units", hidden_units)
    if activation not in _ACTIVATIONS:
        raise unknown_name("activation of a classifier", activation, ["softmax"], "None gives logits.")
    names = () if class_names is None else _checked_names(class_names, num_classes)
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
    output = layers.Dense(num_classes, activation=activation, dtype="float32" if half_precision else None)
    model = Classifier(inputs, output(x), name="classifier")
    model.encoder_frozen, model.class_names = bool(freeze_encoder), names
    return compile_default(model)


def compile_default(model: Classifier) -> Classifier:
    """Compile as `zoo.classifier` does; returns `model`."""
    from_logits = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    loss = from_logits if model.gives_logits else "sparse_categorical_crossentropy"
    model.compile(keras.optimizers.Adam(), loss, metrics=["accuracy"])
    return model


def _checked_names(names, count):
    names = (names,) if isinstance(names, str) else tuple(names)
    if len(names) != count or len(set(names)) != count:
        raise ConfigError(
            f"class_names must be one name for each of the {count} classes, all different. Received"
            f" {len(set(names))} different names: {names!r:.200}."
        )
    for name in names:
        if not isinstance(name, str) or not name.isprintable() or not 0 < len(name) <= LONGEST_CLASS_NAME:
            raise ConfigError(
                f"A class name is a printable text of at most {LONGEST_CLASS_NAME} characters. Received: {name!r:.200}."
            )
    return names


def normalizations(model: keras.Model) -> list[keras.layers.Layer]:
    """The batch normalisations in a model."""
    return [layer for layer in leaves(model) if isinstance(layer, layers.BatchNormalization)]


def _difference(variables, others):
    others = {id(variable) for variable in others}
    return [variable for variable in variables if id(variable) not in others]
