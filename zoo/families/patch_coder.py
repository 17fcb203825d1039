"""The patch coder: a sparse autoencoder of patches, applied at every place of an image and averaged over a grid."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import layers

from zoo.autoencoder import Autoencoder
from zoo.core.batches import forward
from zoo.core.checks import in_range, positive_integer, positive_integers
from zoo.core.errors import ConfigError
from zoo.data.images import resize
from zoo.engine import forking, inputs
from zoo.families.family import family
from zoo.families.feed_forward import feed_forward
from zoo.families.sparse import sparse
from zoo.layers.parts import Decoder, Encoder
from zoo.layers.preprocessing.patches import GridStatistics, PatchStatistics, WhitenedPatches, draw
from zoo.layers.sparsity import TopK

_PATCHES = 400_000  # that the autoencoder is trained on
_CELL = 8  # pixels along each side of a cell of the grid, as the decoder paints it
_DECODED = 5_000  # images, at most, that the decoder is fitted on
_RIDGE = 1e-3  # penalty of that regression, relative to the mean square of the features


@family
def patch_coder(
    input_shape: Sequence[int],
    units: int = 800,
    preprocessing: WhitenedPatches | dict[str, Any] | list | None = None,
    *,
    grid: int = 2,
    active: int = 1,
    threshold: float = 0.25,
    name: str | None = None,
) -> Autoencoder:
    """A patch coder: features of whitened patches, soft-thresholded and averaged over the cells of a grid.

    `fit` trains a sparse autoencoder, ``zoo.sparse(zoo.feed_forward(..., tied_weights=True), TopK(active))``, on random
    patches of the images. Its weights, brought to length 1, become the features w: the encoder computes
    max(0, w · patch - threshold) at every place, and gives log(mean + 0.03) of each over each cell of the grid. What
    whitening takes out comes beside them: mean and standard deviation, over each cell, of the patches' colours and of
    their contrast. Shallow, and trained in minutes, this makes features for linear classifiers; for reconstructions it
    is no good, because the places of things within a cell are lost: the decoder, a linear regression on the features,
    paints each cell with 8×8 pixels.

    The weights do not depend on the size of the images: `grid` cells cover images of any size.

    Whitened patches have a wide range and codes are small against theirs, so 8 bits are too few: int8 files lost 12
    points of accuracy on satellite pictures, and "dynamic" ones 25. Export in float32.

    Args:
        input_shape: (height, width, channels), at least one patch in each cell.
        units: number of features of a patch.
        preprocessing: `zoo.preprocessing.WhitenedPatches`, fitted, or its dictionary; a list of one, too. In a recipe,
            ``zoo.train`` fits it.
        grid: cells along each side: 1 is the whole image, 2 its quadrants. Few labels want few cells.
        active: features by which the autoencoder reconstructs each patch.
        threshold: what a patch's similarity to a feature must exceed, in standard deviations of whitened patches.
        name: name of the model.

    Returns:
        PatchCoder: float32 (batch, *input_shape) in [0, 1] to the same shape; latent features
        (batch, grid, grid, units + 2 · (channels + 1)).

    Raises:
        ConfigError: preprocessing that is not fitted or is another one, or images too small for patches and grid.

    Example:
        >>> patches = zoo.preprocessing.WhitenedPatches(6).fitted(images)  # float32 (samples, 32, 32, 3) in [0, 1]
        >>> model = zoo.patch_coder((32, 32, 3), 800, patches)
        >>> model.fit(images, epochs=4, batch_size=256)
        >>> classifier = zoo.classifier(model.encoder, num_classes=10)

    Source: Coates, Ng and Lee, "An Analysis of Single-Layer Networks in Unsupervised Feature Learning", AISTATS 2011;
    the soft threshold is of Coates and Ng, "The Importance of Encoding Versus Training with Sparse Coding and Vector
    Quantization", ICML 2011; one of `active` features with tied weights is their gain-shape quantisation.
    """
    input_shape = positive_integers("input_shape", input_shape)
    positive_integer("units", units)
    if positive_integer("active", active) > units:
        raise ConfigError(f"No more features can be active than there are. Received: active={active}, units={units}.")
    in_range("threshold", threshold, 0, 100)
    patches = _patches(preprocessing)
    patches.check(input_shape)
    image = keras.Input(input_shape, name="image")
    codes = layers.Dense(units, "relu", bias_initializer=keras.initializers.Constant(-threshold), name="features")
    x = GridStatistics(grid)(codes(_named(patches, "patches")(image)))
    colour = PatchStatistics(patches.size, patches.stride)(image)
    latent = layers.Concatenate(name="latent")([x, GridStatistics(grid, deviation=True)(colour)])
    encoder = Encoder(image, latent, name="encoder")

    features = keras.Input(latent.shape[1:], name="latent")
    paint = layers.Conv2DTranspose(
        input_shape[-1], _CELL, _CELL, activation="sigmoid", data_format="channels_last", name="cells"
    )
    x = paint(features)
    if x.shape[1:3] != tuple(input_shape[:2]):
        x = layers.Resizing(*input_shape[:2], data_format="channels_last", name="resizing")(x)
    return PatchCoder(encoder, Decoder(features, x, name="decoder"), active=active, threshold=threshold, name=name)


@keras.saving.register_keras_serializable(package="zoo")
class PatchCoder(Autoencoder):
    """The `Autoencoder` of `zoo.patch_coder`: `fit` trains on patches, and then fits the decoder.

    Attributes:
        patches: `zoo.preprocessing.WhitenedPatches`.
    """

    def __init__(self, encoder: keras.Model, decoder: keras.Model, *, active: int, threshold: float, name=None):
        super().__init__(encoder, decoder, name=name)
        self.active, self.soft_threshold = active, threshold

    @property
    def patches(self) -> WhitenedPatches:
        return next(layer for layer in self.encoder.layers if isinstance(layer, WhitenedPatches))

    @property
    def features(self) -> layers.Dense:
        """The layer whose kernel (values of a patch, units) has the features as its columns."""
        return self.encoder.get_layer("features")

    def fit(  # type: ignore[override]  # the rest is as for Keras
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        *,
        validation_data: Any = None,
        **keras_arguments: Any,
    ) -> keras.callbacks.History:
        """Train on 400,000 random patches of images, an epoch being one pass over these, and fit the decoder.

        A pretrained model goes on from its features. The seed is that of `keras.utils.set_random_seed`.

        Args:
            x: images in any form that `Autoencoder.fit` takes.
            y: leave out.
            batch_size: patches per step, 32 by default.
            epochs: passes over the patches.
            validation_data: images in any of the forms of `x`, whose patches the validation loss is of.
            **keras_arguments: as for `Autoencoder.fit`.

        Returns:
            keras.callbacks.History, of errors of whitened patches.

        Raises:
            as `Autoencoder.fit`.
        """
        self._compile_once()
        if y is not None:
            raise ConfigError("zoo.patch_coder learns from images alone: leave y out.")
        images = self._images(x)
        seed = int(keras.random.randint((), 0, 2**31 - 1))
        patches = self._whitened(images, _PATCHES, seed)
        model = self._of_patches(patches, seed)
        held_out = None
        if validation_data is not None:
            held_out = self._whitened(self._images(validation_data), _PATCHES // 10, seed)
        history = model.fit(patches, batch_size=batch_size, epochs=epochs, validation_data=held_out, **keras_arguments)
        kernel = np.asarray(model.encoder.get_layer("features").kernel)
        lengths = np.maximum(np.linalg.norm(kernel, axis=0), keras.config.epsilon())
        self.features.set_weights([kernel / lengths, np.full(len(lengths), -self.soft_threshold)])
        self._fit_decoder(images, seed)
        self.optimizer.build(self.trainable_variables)  # which a .keras file holds
        return history

    def _images(self, x):
        """All images of any form, float32 (samples, *input_shape)."""
        forking.check()
        return np.concatenate([block for block, _, _ in inputs.blocks(self.contract, x, labels="dropped")])

    def _whitened(self, images, count, seed):
        """Whitened random patches, float32 (count, values)."""
        patches = draw(images, self.patches.size, count, seed)
        return forward(self.patches, patches, 2**13).reshape(count, -1)

    def _of_patches(self, patches, seed):
        """The autoencoder of patches, compiled like this model; it begins with patches as its features."""
        units = self.features.units
        model = sparse(
            feed_forward((patches.shape[1],), units, output_activation="linear", tied_weights=True), TopK(self.active)
        )
        kernel = np.asarray(self.features.kernel)
        if self.pretrained_loss is None:
            chosen = np.random.default_rng(seed).choice(len(patches), units, replace=False)
            kernel = patches[chosen].T
            kernel = kernel / np.maximum(np.linalg.norm(kernel, axis=0), keras.config.epsilon())
        model.encoder.get_layer("features").kernel.assign(kernel)
        optimizer = type(self.optimizer).from_config(self.optimizer.get_config())
        model.compile(optimizer, self.loss, metrics=["mse"], jit_compile=False)
        return model

    def _fit_decoder(self, images, seed):
        """Ridge regression of the logits of coarse pixels on the features, the same for all cells."""
        chosen = np.random.default_rng(seed).permutation(len(images))[:_DECODED]
        images = images[np.sort(chosen)]
        latent = forward(self.encoder, images, 50)
        rows, columns, size = latent.shape[1:]
        painted = resize(images, (rows * _CELL, columns * _CELL, images.shape[-1]))
        cells = painted.reshape(len(images), rows, _CELL, columns, _CELL, -1).transpose(0, 1, 3, 2, 4, 5)
        x = latent.reshape(-1, size).astype("float64")
        target = cells.reshape(len(x), -1).clip(0.02, 0.98)
        target = np.log(target / (1 - target))
        # One bias for all pixels of a channel, as the transposed convolution has it.
        bias = target.reshape(-1, images.shape[-1]).mean(axis=0)
        gram = x.T @ x
        gram[np.diag_indices(size)] += _RIDGE * np.trace(gram) / size
        weights = np.linalg.solve(gram, x.T @ (target - np.tile(bias, _CELL * _CELL)))
        kernel = weights.reshape(size, _CELL, _CELL, -1).transpose(1, 2, 3, 0)
        self.decoder.get_layer("cells").set_weights([kernel, bias])


def _patches(preprocessing):
    """The one fitted `WhitenedPatches` that is given in any form."""
    given = preprocessing if isinstance(preprocessing, (list, tuple)) else [preprocessing]
    steps = [WhitenedPatches.from_description(step) for step in given if step is not None]
    if len(steps) != 1 or not isinstance(steps[0], WhitenedPatches) or not steps[0].is_fitted:
        raise ConfigError(
            "A patch coder needs one fitted preprocessing: pass zoo.preprocessing.WhitenedPatches().fitted(images)."
            f" In a recipe, zoo.train fits it on the training split. Received: {preprocessing!r:.200}"
        )
    return steps[0]


def _named(layer, name):
    """A copy of this layer by a name that does not count up, so that equal configs give equal files."""
    copy = type(layer).from_description(layer.describe())
    copy.name = name
    return copy
