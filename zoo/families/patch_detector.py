"""Defects in pictures: distances of local features to those of pictures of normal parts."""

import copy
import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import layers as keras_layers

from zoo.autoencoder import Autoencoder
from zoo.core.batches import forward
from zoo.core.checks import in_range, positive_integer, positive_integers
from zoo.core.errors import ConfigError, DataError, unknown_name
from zoo.engine import forking, inputs
from zoo.engine.contract import Contract
from zoo.families import builtin_layers
from zoo.families.convolutional_blocks import blocks, rebuilt
from zoo.families.coreset import k_centre
from zoo.families.family import as_backbone, family
from zoo.layers import preprocessing as preprocessings
from zoo.layers.parts import Decoder, Encoder
from zoo.layers.patches import HeatMap, NearestPatch, PatchDistance, PatchGaussian, PatchScore

FEATURES = ("trunk", "error")
MEMORIES = ("coreset", "gaussian")
SCORES = ("maximum", "relative")
_BATCH = 16  # pictures: a distance matrix has a row for every place of each
_CANDIDATES = 50_000  # features that the coreset is chosen among
_MOST_REMEMBERED = 20_000
_VARIANCE = 0.01  # of the mean variance, added when features are whitened
_REFUSED = (
    "A patch detector reconstructs nothing and is not trained: its memory was filled by zoo.patch_detector. Use score,"
    " explain and threshold."
)


@keras.saving.register_keras_serializable(package="zoo")
class PatchDetector(Autoencoder):
    """What `zoo.patch_detector` returns: local features of a picture, and how far they are from normal ones.

    Attributes:
        encoder: pictures (batch, height, width, channels) to local features (batch, h, w, d).
        decoder: local features to the heat map (batch, height, width), their squared distance at each place.
        distance: `PatchDistance`, which holds what is remembered of normal pictures.
        threshold: score above which a picture counts as defective, or None.
    """

    def __init__(self, encoder: keras.Model, decoder: keras.Model, distance: PatchDistance, score: PatchScore, **rest):
        super().__init__(encoder, decoder, distance=distance, **rest)
        self.local_distance, self.score_layer = distance, score
        self.is_detector = True

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Autoencoder:
        return Autoencoder.from_config(config, custom_objects)

    @property
    def unit_range(self) -> bool:
        """Whether pictures must lie in [0, 1], as those of its encoder."""
        return bool(self.encoder.unit_range)

    @property
    def float_layers(self) -> list[keras.layers.Layer]:
        return [self.local_distance, self.score_layer, self.decoder.get_layer("heat_map")]

    def scores(self, x: keras.KerasTensor) -> keras.KerasTensor:
        """Scores (batch,) of a batch of pictures, as a part of a graph."""
        return self.score_layer(self.local_distance(self.encoder(x, training=False)))

    def score(self, x: Any, batch_size: int = _BATCH) -> np.ndarray:
        """Anomaly score of each picture, float32 (pictures,)."""
        return self._run(self.scores, x, batch_size)

    def explain(self, x: Any, batch_size: int = _BATCH) -> np.ndarray:
        """Where a picture is unusual: its heat map of squared distances, float32 (pictures, height, width)."""
        return self._run(lambda x: self.decoder(self.encoder(x, training=False)), x, batch_size)

    def decode(self, latent: Any, batch_size: int = _BATCH) -> np.ndarray:
        """Heat maps of local features: (pictures, h, w, d) to float32 (pictures, height, width)."""
        return super().decode(latent, batch_size)

    def fit(self, *arguments: Any, **keywords: Any) -> keras.callbacks.History:
        """Refused: a patch detector is not trained."""
        raise ConfigError(_REFUSED)

    def fit_score(self, normal_data: Any, batch_size: int = _BATCH) -> Autoencoder:
        """Refused: its memory was filled when it was made."""
        raise ConfigError(_REFUSED)

    def reconstruct(self, x: Any, batch_size: int = _BATCH) -> np.ndarray:
        """Refused: a patch detector reconstructs nothing."""
        raise ConfigError(_REFUSED)

    def reconstruction_error(self, x: Any, batch_size: int = _BATCH) -> np.ndarray:
        """Refused: a patch detector reconstructs nothing."""
        raise ConfigError(_REFUSED)

    def _run(self, function, x, batch_size):
        self.distance.check_fitted()
        forking.check()
        return np.concatenate([forward(function, block, batch_size) for block in self._blocks(x)])


def patch_detector(
    encoder: keras.Model,
    normals: Any,
    *,
    features: str = "trunk",
    layers: int = 2,
    memory: str = "coreset",
    coreset: float | int = 1000,
    dimensions: int = 32,
    neighbourhood: int = 3,
    stride: int = 1,
    score: str = "maximum",
    threshold: float | None = None,
    seed: int = 0,
    name: str | None = None,
) -> PatchDetector:
    """A detector of defects from pictures of normal parts alone: nothing is trained, no defect needs to be known.

    At every place of a picture, features of its surroundings are compared with what normal pictures have. The heat map
    says where they differ, the score how much they do at the worst place. It is saved, loaded and exported like every
    detector, as one file with the signatures "score" and "error" (the heat map) and the threshold.

    Args:
        encoder: convolutional encoder or Autoencoder, of which the layers before the first dense one are copied: they
            take pictures of any size. Grey pictures are also taken by the trunk of a colour encoder.
        normals: pictures of normal parts of one size, float32 (pictures, height, width, channels), or any form that
            `fit` takes, then of the encoder's own size. For ``features="error"`` other ones than it was trained on.
        features: "trunk": outputs of the encoder's last convolutional blocks; "error": the errors of an Autoencoder's
            reconstruction, with their neighbours.
        layers: how many of the last blocks; those of lower resolution are enlarged.
        memory: "coreset": the nearest of some remembered features counts (PatchCore), wherever it was seen; "gaussian":
            the Mahalanobis distance from the mean at the same place (PaDiM), for parts that always lie in the same way.
        coreset: number of remembered features, or their share of all normal ones if below 1.
        dimensions: number of directions, those of largest variance, that features are reduced to and whitened in.
        neighbourhood: side of the squares over which features are averaged, or from which errors are taken together.
        stride: 2 keeps every second place in height and width.
        score: "maximum" of the distances; "relative": divided by what is usual in the picture itself, which forgives
            pictures that are a little unusual everywhere.
        threshold: score above which a picture is defective; it may be set later, see the example.
        seed: of the random choices.
        name: name of the model.

    Returns:
        PatchDetector: `score`, `explain` and `threshold`.

    Raises:
        ConfigError: an encoder without a convolutional trunk, with branches or with other channels; pictures too small
            for it; settings that do not go together.
        DataError: no pictures, fewer than two, values that are no pictures of the encoder's, or features that are the
            same everywhere.
        UnknownNameError: unknown features, memory or score.

    Source: Roth et al., "Towards Total Recall in Industrial Anomaly Detection", CVPR 2022; PaDiM: Defard et al., 2021.

    Example:
        >>> encoder = zoo.load_encoder("cifar10-jpeg-convolutional-pooled-256")
        >>> model = zoo.patch_detector(encoder, normals[:500], memory="gaussian", stride=2)
        >>> model.threshold = zoo.threshold(model, normals[500:], 0.95)
        >>> model.explain(pictures).shape
        (20, 128, 128)
        >>> zoo.save(model, "tiles")
        >>> zoo.export(model, "exported", samples=normals[500:])
    """
    for argument, value, known in (("features", features, FEATURES), ("memory", memory, MEMORIES)):
        if value not in known:
            raise unknown_name(argument, value, known)
    forking.check()
    normals, unit_range = _normals(encoder, normals, features)
    shape = normals.shape[1:]
    of: dict[str, Any] = {"backbone": None, "trunk": None, "preprocessing": []}
    if features == "error":
        of["backbone"] = encoder.get_config()  # copied, so that what is remembered stays right
        inner = _features(encoder, None, (), shape, neighbourhood, stride)
        together = inner.layers[-1]
        together.set_weights([np.eye(together.filters, dtype="float32").reshape(together.kernel.shape)])
    else:
        steps, found = blocks(encoder.encoder if isinstance(encoder, Autoencoder) else encoder)
        last = positive_integer("layers", layers)
        if last > len(found):
            raise ConfigError(f"This encoder has {len(found)} convolutional blocks. Received: layers={last}.")
        copied = rebuilt(found, shape, last)
        of.update(trunk=copied.get_config(), preprocessing=[step.describe() for step in steps])
        inner = _features(None, copied, steps, shape, neighbourhood, stride)
    size = min(positive_integer("dimensions", dimensions), inner.output_shape[-1])
    random = np.random.default_rng(positive_integer("seed", seed, least=0))
    mean, kernel = _whitening(_sampled(inner, normals, random), size)
    places = math.prod(inner.output_shape[1:3])
    model = patch_memory(
        shape,
        size,
        **of,
        remembered=_remembered(coreset, len(normals) * places) if memory == "coreset" else None,
        neighbourhood=neighbourhood,
        stride=stride,
        score=score,
        unit_range=unit_range,
        threshold=threshold,
        name=name,
    )
    for ours, theirs in zip(model.encoder.layers, inner.layers, strict=False):  # ours has one more, the last
        ours.set_weights(theirs.get_weights())
    model.encoder.layers[-1].set_weights([kernel[None, None], -mean @ kernel])
    _remember(model, normals, random)
    return model


@family
def patch_memory(
    input_shape: Sequence[int],
    dimensions: int,
    *,
    backbone: Autoencoder | dict[str, Any] | None = None,
    trunk: dict[str, Any] | None = None,
    preprocessing: list[dict[str, Any]] | tuple[()] = (),
    remembered: int | None = None,
    neighbourhood: int = 3,
    stride: int = 1,
    score: str = "maximum",
    unit_range: bool = True,
    threshold: float | None = None,
    name: str | None = None,
) -> PatchDetector:
    """The family of the models that `zoo.patch_detector` makes, with a memory that is still empty.

    Args:
        input_shape: (height, width, channels) of the pictures.
        dimensions: number of local features.
        backbone: Autoencoder whose errors are the features; or
        trunk: config of the functional model of Keras' own layers whose outputs they are.
        preprocessing: `zoo.preprocessing` before the trunk.
        remembered: number of remembered features, or None for a Gaussian at each place.
        neighbourhood, stride, score, threshold, name: as for `zoo.patch_detector`.
        unit_range: whether pictures must lie in [0, 1].

    Raises:
        ConfigError: a config that describes no such model.
    """
    input_shape = positive_integers("input_shape", input_shape)
    if (backbone is None) == (trunk is None):
        raise ConfigError("A patch memory has either a backbone or a trunk. Received both, or none.")
    if score not in SCORES:
        raise unknown_name("score", score, SCORES)
    if trunk is not None:
        builtin_layers.check(trunk, "The trunk's config")
        trunk = keras.Model.from_config(copy.deepcopy(trunk))  # Keras takes layers out of it
    steps = preprocessings.get(list(preprocessing)) if preprocessing else []
    backbone = None if backbone is None else as_backbone(backbone)
    inner = _features(backbone, trunk, steps, input_shape, neighbourhood, stride)
    whitened = keras_layers.Conv2D(positive_integer("dimensions", dimensions), 1, name="whitening", trainable=False)
    encoder = Encoder(inner.input, whitened(inner.output), name="encoder")
    encoder.unit_range = bool(unit_range)
    shape = encoder.output_shape[1:]
    distance = PatchGaussian(shape) if remembered is None else NearestPatch(shape, _count(remembered))
    latent = keras.Input(shape, name="latent")
    decoder = Decoder(latent, HeatMap(input_shape[:2])(distance(latent)), name="decoder")
    model = PatchDetector(encoder, decoder, distance, PatchScore(score == "relative"), name=name)
    model.threshold = None if threshold is None else in_range("threshold", threshold, 0, 1e300)
    return model


def _features(backbone, trunk, steps, shape, neighbourhood, stride):
    """The model from pictures to local features (batch, h, w, n) before they are whitened."""
    side, stride = positive_integer("neighbourhood", neighbourhood), positive_integer("stride", stride)
    picture = keras.Input(shape, name="image")
    if backbone is not None:
        prepared = backbone.prepared(picture)
        if len(prepared.shape) != 4 or tuple(prepared.shape[1:]) != backbone.target_shape:
            raise ConfigError(f"Errors of pictures have the shape (h, w, channels). Received {backbone.target_shape}.")
        restored = backbone.decoder(backbone.behind_preprocessing()(prepared))
        error = keras_layers.Subtract(name="error")([prepared, restored])
        channels = error.shape[-1]
        together = keras_layers.Conv2D(
            side**2 * channels, side, stride, "same", use_bias=False, name="neighbours", trainable=False,
            kernel_initializer="zeros",
        )  # fmt: skip
        return keras.Model(picture, together(error))
    x = picture
    for step in steps:
        x = step(x)
    outputs = trunk(x)
    outputs = outputs if isinstance(outputs, list) else [outputs]
    maps = [
        keras_layers.AveragePooling2D(side, stride, "same", name=f"mean_{i}")(level) for i, level in enumerate(outputs)
    ]
    height, width = maps[0].shape[1:3]
    maps = [
        x if x.shape[1:3] == (height, width) else keras_layers.Resizing(height, width, name=f"enlarged_{i}")(x)
        for i, x in enumerate(maps)
    ]
    return keras.Model(picture, maps[0] if len(maps) == 1 else keras_layers.Concatenate(name="levels")(maps))


def _normals(encoder, normals, features):
    """The normal pictures as an array, and whether pictures must lie in [0, 1]."""
    if not isinstance(encoder, keras.Model) or getattr(encoder, "encoder", encoder).inputs is None:
        raise ConfigError(f"zoo.patch_detector takes an encoder or an Autoencoder. Received: {type(encoder).__name__}.")
    if features == "error" and not isinstance(encoder, Autoencoder):
        raise ConfigError(
            'features="error" are those of a reconstruction: pass the Autoencoder, not its encoder alone.'
        )
    part = encoder.encoder if isinstance(encoder, Autoencoder) else encoder
    unit_range = bool(encoder.unit_range if isinstance(encoder, Autoencoder) else getattr(part, "unit_range", False))
    shape = tuple(part.input_shape[1:])
    given = getattr(getattr(normals, "samples", normals), "shape", None)
    if given is None and isinstance(normals, (list, tuple)) and normals:
        shapes = {np.shape(picture) for picture in normals}
        if len(shapes) > 1:
            raise DataError(f"The normal pictures must have one size: resize them. Received {sorted(shapes)[:4]}.")
        given = (len(normals), *shapes.pop())
    if features == "trunk" and given is not None and len(given) == 4:
        shape = tuple(map(int, given[1:]))
    contract = Contract(shape, str(part.inputs[0].dtype), unit_range)
    pictures, _, _ = inputs.collect(contract, normals, labels="dropped", name="normals")
    if len(pictures) < 2:
        raise DataError(f"A patch detector needs at least two pictures of normal parts. Received {len(pictures)}.")
    return pictures, unit_range


def _maps(model, pictures):
    """Features of a batch of pictures at a time, float32 (few, h, w, n)."""
    for start in range(0, len(pictures), _BATCH):
        yield np.asarray(model(pictures[start : start + _BATCH], training=False))


def _sampled(model, pictures, random):
    """Features (n, d) of the same number of random places of every picture, at most `_CANDIDATES` or one of each."""
    count = max(1, _CANDIDATES // len(pictures))
    chosen = []
    for maps in _maps(model, pictures):
        flat = maps.reshape(len(maps), -1, maps.shape[-1])
        places = flat.shape[1]
        chosen += [one[random.permutation(places)[:count]] if count < places else one for one in flat]
    return np.concatenate(chosen)


def _whitening(features, size):
    """Mean (n,), and the kernel (n, size) that makes features of variance 1 and without correlation."""
    mean = features.mean(axis=0, dtype="float64")
    if np.ptp(features, axis=0).max() <= 1e-6 * max(1e-30, np.abs(features).max()):
        raise DataError(
            f"The local features of the normal pictures are all the same ({len(features):,} of them): nothing can be"
            " learnt from pictures without any texture, or from an encoder that does not see it."
        )
    variances, directions = np.linalg.eigh(np.cov((features - mean).T).reshape(2 * (features.shape[1],)))
    largest = slice(None, -size - 1, -1)
    scale = np.sqrt(np.maximum(variances[largest], 0) + _VARIANCE * variances.mean())
    return mean.astype("float32"), (directions[:, largest] / scale).astype("float32")


def _count(remembered):
    if (count := positive_integer("coreset", remembered)) > _MOST_REMEMBERED:
        raise ConfigError(
            f"A coreset is compared with every place of every picture: at most {_MOST_REMEMBERED:,} features."
            f" Received {count:,}."
        )
    return count


def _remembered(coreset, available):
    """The number of features to remember."""
    if isinstance(coreset, float) or not isinstance(coreset, int):
        coreset = max(1, round(in_range("coreset", coreset, 0, 1, exclusive=True) * available))
    if _count(coreset) > available:
        raise DataError(f"The normal pictures have {available:,} local features. Received: coreset={coreset:,}.")
    return min(coreset, _CANDIDATES)


def _remember(model, normals, random):
    """Fill the memory of a model."""
    if isinstance(model.distance, NearestPatch):
        candidates = _sampled(model.encoder, normals, random)
        if len(candidates) < model.distance.memory.shape[0]:
            raise DataError(f"coreset must be below {len(candidates):,}, the number of features it is chosen among.")
        model.distance.assign(candidates[k_centre(candidates, model.distance.memory.shape[0], random)])
        return
    total, products = 0.0, 0.0
    for maps in _maps(model.encoder, normals):
        maps = maps.astype("float64")
        total = total + maps.sum(axis=0)
        products = products + np.einsum("nhwi,nhwj->hwij", maps, maps, optimize=True)
    mean = total / len(normals)
    model.distance.assign(mean, products / len(normals) - mean[..., :, None] * mean[..., None, :])
