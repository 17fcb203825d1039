"""The preprocessed family: what comes before a backbone is part of the model."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from zoo.autoencoder import Autoencoder
from zoo.core.checks import in_range, positive_integers
from zoo.core.errors import ConfigError
from zoo.families.family import as_backbone, family
from zoo.layers import preprocessing as preprocessings
from zoo.layers.parts import Encoder, signal_facts

_Preprocessing = preprocessings.Preprocessing | dict[str, Any]
_HIGHEST_RATE = 1e9  # samples per second
_LONGEST_UNIT = 20  # characters


@family
def preprocessed(
    backbone: Autoencoder | dict[str, Any],
    preprocessing: _Preprocessing | list[_Preprocessing] | tuple[()] = (),
    *,
    input_shape: Sequence[int] | None = None,
    sampling_rate: float | None = None,
    unit: str = "",
    raw: preprocessings.Rescale | dict[str, Any] | None = None,
) -> Autoencoder:
    """An autoencoder that takes samples as a sensor gives them: any backbone, behind its preprocessing.

    Preprocessing is in the graph, in the config, in ``model.encoder`` and in every exported file. What the model
    reconstructs, and what its errors are of, are the preprocessed samples.

    Args:
        backbone: an `Autoencoder` (or its config), also a denoising or sparse one; its weights are shared.
        preprocessing: `zoo.preprocessing` objects or their dictionaries, applied in order; fitted ones, see
            `zoo.preprocessing.Preprocessing.fitted`. May be empty, to state rate, unit or `raw` alone.
        input_shape: shape of one sample before preprocessing: (length,), (length, channels) or that of an image; by
            default the backbone's, which suits preprocessing that keeps the shape.
        sampling_rate: samples per second of the signal, in Hz. Data of another rate is refused. By default that of the
            preprocessing, such as `zoo.preprocessing.LogMel`, if it has one.
        unit: unit of the samples, such as "mV" or "g".
        raw: what integers mean, for ``raw_input=True`` of `zoo.export` and `zoo.load_encoder`: a
            `zoo.preprocessing.Rescale` with `integers`, by which those of an analog-to-digital converter, of PCM sound
            or of pixels become samples in `unit`.

    Returns:
        Autoencoder: float32 (batch, *input_shape) to reconstructions of the preprocessed samples, of the backbone's
        input shape.

    Raises:
        ConfigError: preprocessing that is not fitted, that does not give the backbone's shape, or a backbone with
            preprocessing or a detector's distance of its own.
        UnknownNameError: an unknown preprocessing or argument.

    Example:
        >>> standardize = zoo.preprocessing.Standardize().fitted(train)  # float array (samples, 128, 3)
        >>> model = zoo.preprocessed(
        ...     zoo.convolutional((128, 3), 16, output_activation="linear"), standardize, sampling_rate=100, unit="g"
        ... )
        >>> model.fit(train, epochs=30)
    """
    backbone = as_backbone(backbone)
    if backbone.preprocessing or backbone.is_detector or signal_facts(backbone.encoder):
        raise ConfigError(
            "The backbone has preprocessing or a score of its own already. Build it in this order:"
            " zoo.detector(zoo.preprocessed(backbone, preprocessing))."
        )
    steps = preprocessings.get(preprocessing) if preprocessing else []
    shape = backbone.input_shape if input_shape is None else positive_integers("input_shape", input_shape)
    samples = x = keras.Input(shape, name="image" if len(shape) == 3 else "samples")
    for step in steps:
        if not step.is_fitted:
            raise ConfigError(
                f"{type(step).__name__} is not fitted: pass {type(step).__name__}().fitted(training_samples). In a"
                " recipe, zoo.train fits it on the training split."
            )
        step.check(tuple(x.shape[1:]))
        x = step(x)
    if tuple(x.shape[1:]) != backbone.input_shape:
        raise ConfigError(
            f"The preprocessing makes {tuple(x.shape[1:])} of samples of shape {shape}, and the backbone takes"
            f" {backbone.input_shape}: build it with input_shape={tuple(x.shape[1:])}."
        )
    inner = backbone.encoder
    # Without steps a model of its own as well: what is known of the samples is not to become the backbone's.
    encoder = (
        Encoder(samples, inner(x), name="encoder") if steps else Encoder(inner.input, inner.output, name="encoder")
    )
    encoder.unit_range = None if steps else inner.unit_range
    for rate in {step.sampling_rate for step in steps if hasattr(step, "sampling_rate")}:
        if sampling_rate not in (None, rate):
            raise ConfigError(
                f"The preprocessing is made for {rate:g} Hz, and the model for {sampling_rate:g} Hz: one sampling_rate"
                " for both."
            )
        sampling_rate = rate
    if sampling_rate is not None:
        encoder.sampling_rate = in_range("sampling_rate", sampling_rate, 0, _HIGHEST_RATE, exclusive=True)
    if not isinstance(unit, str) or len(unit) > _LONGEST_UNIT or not unit.isprintable():
        raise ConfigError(f"unit must be a text of at most {_LONGEST_UNIT} characters. Received: {unit!r}.")
    encoder.unit = unit or None
    if raw is not None:
        raw = preprocessings.Rescale.from_description(raw)
        if raw.integers is None:
            raise ConfigError(f"raw says what integers mean: give it integers='int16' or 'uint8'. Received: {raw!r}.")
        encoder.raw = raw.describe()
    return Autoencoder(
        encoder,
        backbone.decoder,
        preprocessing=steps,
        corruption=backbone.corruption,
        sparsity=backbone.sparsity,
        name=backbone.name,
    )


def needs_fitting(config: Any) -> bool:
    """Whether a model's config has preprocessing that is not fitted yet."""
    return any(not step.is_fitted for step in _steps(config)) or (
        isinstance(config, dict) and needs_fitting(config.get("backbone"))
    )


def fitted(config: dict[str, Any], samples: np.ndarray) -> dict[str, Any]:
    """A model's config with its preprocessing fitted on training samples, float32 (samples, *input_shape)."""
    if not needs_fitting(config):
        return config
    if not _steps(config):
        return {**config, "backbone": fitted(config["backbone"], samples)}
    steps = preprocessings.fit(config["preprocessing"], samples)
    return {**config, "preprocessing": [step.describe() for step in steps]}


def _steps(config):
    given = config.get("preprocessing") if isinstance(config, dict) else None
    return preprocessings.get(given) if given else []
