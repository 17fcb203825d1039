"""The detector family: what a model scores samples by, and from which score on it alarms."""

from typing import Any

from zoo.autoencoder import Autoencoder
from zoo.core.checks import in_range
from zoo.core.errors import unknown_name
from zoo.families.family import as_backbone, family
from zoo.layers.scoring import Distance

SCORES = ("mean_squared_error", "mahalanobis_error", "mahalanobis_latent")


@family
def detector(
    backbone: Autoencoder | dict[str, Any],
    score: str = "mean_squared_error",
    threshold: float | None = None,
) -> Autoencoder:
    """An anomaly detector: any backbone with a score and a threshold, which are saved and exported with it.

    Args:
        backbone: an `Autoencoder` (or its config); its weights are shared. Of a detector, such as one that `zoo.load`
            returns, the score is replaced and the threshold, which was one of that score, dropped.
        score: "mean_squared_error" of the reconstruction; or a Mahalanobis distance, fitted on normal samples by
            ``model.fit_score``: "mahalanobis_error" of the elements' errors, which weighs each element by how well
            normal samples are reconstructed there; "mahalanobis_latent" of the latent features. A distance of n
            elements keeps n + n² float32 numbers, in every file of the model: 79 kB for 140 elements, 4.2 MB for
            1,024. More than 4,096 elements are refused.
        threshold: score above which a sample is an anomaly, for instance from `zoo.threshold`; it may be set later, as
            ``model.threshold``.

    Returns:
        Autoencoder: `score` and `explain` are its verbs, and exported files have the signatures "score" and "error".

    Raises:
        ConfigError: a threshold that is negative or infinite, or a distance of more than 4,096 elements.
        UnknownNameError: an unknown score.

    Example:
        >>> model = zoo.detector(zoo.feed_forward((140,), 8, (32,), output_activation="linear"), "mahalanobis_error")
        >>> model.fit(normal_train, epochs=100)
        >>> model.fit_score(normal_train).threshold = zoo.threshold(model, normal_validation)
        >>> zoo.save(model, "my-detector")
        >>> other = zoo.detector(model, "mahalanobis_latent").fit_score(normal_train)  # the same network
    """
    backbone = as_backbone(backbone)
    if score not in SCORES:
        raise unknown_name("score", score, SCORES)
    kind, _, of = score.partition("_")
    sizes = {"error": backbone.target_shape, "latent": backbone.latent_shape}
    distance = Distance.of_elements(of, sizes[of]) if kind == "mahalanobis" else None
    model = Autoencoder(
        backbone.encoder,
        backbone.decoder,
        preprocessing=backbone.preprocessing,
        corruption=backbone.corruption,
        sparsity=backbone.sparsity,
        distance=distance,
        name=backbone.name,
    )
    model.is_detector = True
    model.threshold = None if threshold is None else in_range("threshold", threshold, 0, 1e300)
    return model
