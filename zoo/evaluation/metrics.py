"""The table of all metrics; whatever measures, checks, prints or compares them reads it."""

import dataclasses

_CLEARLY_WORSE = {"share": 0.01, "error": 0.05}  # in absolute numbers; as a share of the value itself


@dataclasses.dataclass(frozen=True)
class Metric:
    """What is known about a metric without computing it.

    Attributes:
        title: what a card calls it.
        format: how a card writes it.
        kind: "error" (0 is perfect), "share" (a number in [0, 1]), "dB" or "count".
        better: "lower", "higher", or "" where neither is better.
        computed_by: key of the function in `zoo.evaluation.measure` that computes it, together with others;
            "" where only an exported file has it.
        needs: keys of `REQUIREMENTS` that model and data have to meet.
        baselines: names of the metrics that a card shows next to it.
        as_baseline: of a baseline, what was measured.
        column: title of a narrow column.
        digits: decimal places in a narrow column.
    """

    title: str
    format: str
    kind: str
    better: str
    computed_by: str = ""
    needs: tuple[str, ...] = ()
    baselines: tuple[str, ...] = ()
    as_baseline: str = ""
    column: str = ""
    digits: int = 3

    def tolerance(self, value: float, samples: int = 10_000) -> float:
        """How far a metric that is measured again, on another machine, may be from `value`.

        Sums of float32 come in another order there, and a neighbour may change, which is more of fewer samples.
        """
        relative = 1e-3 * abs(value)
        return relative if self.kind == "error" else max(relative, 2e-3 if samples >= 10_000 else 5e-3)

    def is_clearly_worse(self, value: float, reference: float) -> bool:
        """Whether `value` is so much worse than `reference` that a user should be warned."""
        allowed = _CLEARLY_WORSE["share"] if self.kind == "share" else _CLEARLY_WORSE["error"] * abs(reference)
        return {"lower": value > reference + allowed, "higher": value < reference - allowed}.get(self.better, False)

    def change(self, value: float, reference: float) -> float:
        """The difference to `reference`, in percentage points of a share, else in percent."""
        return 100 * (value - reference) if self.kind == "share" else 100 * (value / reference - 1)

    def change_text(self, change: float) -> str:
        """A `change` in words, such as "+1.2 points" or "+0.46%"."""
        return f"{change:+.1f} points" if self.kind == "share" else f"{change:+.2f}%"

    def short(self, value: float) -> str:
        """A value for a narrow column."""
        return f"{value:.{self.digits}f}"


REQUIREMENTS = {
    "corruption": "a denoising autoencoder",
    "sparsity": "a sparse autoencoder",
    "unit range": "a sigmoid output",
    "images": "images of shape (height, width, channels)",
    "unit values": "images, or a sigmoid output",
    "signals": "signals or tables, without a sigmoid output",
    "labels": "a dataset with labels",
    "train split": "a dataset with a train and a test split",
    "classes": "a train split with samples of at least two classes",
    "few features": "fewer latent features than samples have elements",
    "anomalies": "a dataset of anomalies: pass anomalies=, such as 'mnist'",
    "normal classes": "a labelled dataset with normal samples and anomalies: pass normal=, the normal classes",
    "normal samples": "a train split with at least two normal samples",
    "threshold": "a model with a threshold, or at least 200 normal training samples",
    "many normal samples": "a train split with at least 200 normal samples",
}
OF_THE_TRAIN_SPLIT = ("train split", "normal samples", "many normal samples", "threshold")  # what it is read for
OF_THE_MODEL = (
    "corruption",
    "sparsity",
    "unit range",
    "images",
    "unit values",
    "signals",
)  # known before any data is read

_LABELS = ("labels", "train split", "classes")
_PCA = {"computed_by": "pca", "needs": ("train split", "few features"), "as_baseline": "PCA, as many components"}
_PIXELS = {"needs": _LABELS, "as_baseline": "raw pixels"}


_DETECTION = {
    "auroc": "AUROC of normal classes against all others",
    "average_precision": "Average precision of anomalies",
    "partial_auroc": "Partial AUROC, false-positive rates up to 0.1 (McClish)",
    "f1_at_threshold": "F1 at the threshold that passes 99 % of normal samples",
}
_DETECTORS = {
    "pca": "PCA, as many components",
    "isolation_forest": "Isolation Forest",
    "nearest_neighbours": "distance to 5 neighbours",
}


def _error(title, form, *arguments, **keywords):
    return Metric(title, form, "error", "lower", *arguments, **keywords)


def _share(title, *arguments, form="{:.4f}", **keywords):
    return Metric(title, form, "share", "higher", *arguments, **keywords)


def _decibels(title, *arguments, **keywords):
    return Metric(f"{title}, dB", "{:.2f}", "dB", "higher", *arguments, **keywords)


def _denoising(level, strength):
    found = {}
    for name, kind in (("psnr", "unit values"), ("snr", "signals")):
        corrupted, common = f"{name}_corrupted_{level}", {"computed_by": "denoising", "needs": ("corruption", kind)}
        title = name.upper()
        found[corrupted] = _decibels(f"{title} corrupted at {strength}", as_baseline="corrupted input", **common)
        found[f"{name}_denoised_{level}"] = _decibels(
            f"{title} denoised at {strength}", baselines=(corrupted,), **common
        )
    return found


def _sparsity(title, form, kind):
    return Metric(title, form, kind, "", "sparsity", ("sparsity",))


def _of_series():
    """What `zoo.evaluate_series` finds beyond `_DETECTION`."""
    kinds = {
        "vus_pr": ("Volume under the precision-recall surface (VUS-PR)", "{:.4f}", "share", "higher"),
        "nab_score": ("Score of the Numenta Anomaly Benchmark at the threshold", "{:.1f}", "count", "higher"),
        "best_nab_score": ("Score of the Numenta Anomaly Benchmark at its best threshold", "{:.1f}", "count", "higher"),
        "false_alarms_per_hour": ("Windows of an hour that are false alarms", "{:.3g}", "error", "lower"),
    }
    entries = {}
    for name, (title, *rest) in kinds.items():
        baselines = tuple(f"{detector}_{name}" for detector in _DETECTORS)
        entries[name] = Metric(title, *rest, baselines=baselines)
        for baseline, description in zip(baselines, _DETECTORS.values(), strict=True):
            entries[baseline] = Metric(f"{title}, {description}", *rest, as_baseline=description)
    return entries


def _detection():
    entries = {}
    for name, title in _DETECTION.items():
        at_threshold = name == "f1_at_threshold"
        baselines = tuple(f"{detector}_{name}" for detector in _DETECTORS)
        needs = ("normal classes", "threshold") if at_threshold else ("normal classes",)
        entries[name] = _share(title, "detection", needs, baselines)
        for baseline, (detector, description) in zip(baselines, _DETECTORS.items(), strict=True):
            needs = ("normal classes", "many normal samples" if at_threshold else "normal samples")
            needs += ("few features",) if detector == "pca" else ()
            entries[baseline] = _share(
                f"{title}, {description}", f"detection of {detector}", needs, as_baseline=description
            )
    return entries


METRICS = {
    "mse": _error("Mean squared error", "{:.5f}", "reconstruction", (), ("pca_mse",), column="MSE", digits=4),
    "bce": _error("Binary cross-entropy", "{:.4f}", "reconstruction", ("unit range",)),
    "psnr": _decibels("Peak signal-to-noise ratio", "reconstruction", ("unit values",), ("pca_psnr",)),
    "ssim": _share("Structural similarity", "reconstruction", ("images",)),
    "explained_variance": _share("Explained variance", "reconstruction", (), ("pca_explained_variance",)),
    "pca_mse": _error("Mean squared error of PCA", "{:.5f}", column="PCA", digits=4, **_PCA),
    "pca_psnr": _decibels("Peak signal-to-noise ratio of PCA", **{**_PCA, "needs": (*_PCA["needs"], "unit values")}),
    "pca_explained_variance": _share("Explained variance of PCA", **_PCA),
    "knn_accuracy": _share(
        "kNN accuracy on the latent features (k = 7)", "neighbours", _LABELS, ("pixels_knn_accuracy",), column="kNN-7"
    ),
    "pixels_knn_accuracy": _share("kNN accuracy on raw pixels (k = 7)", "neighbours of pixels", **_PIXELS),
    "linear_probe_accuracy": _share(
        "Linear-probe accuracy", "probe", _LABELS, ("pixels_linear_probe_accuracy",), column="linear probe"
    ),
    "pixels_linear_probe_accuracy": _share("Linear-probe accuracy of raw pixels", "probe of pixels", **_PIXELS),
    "cluster_nmi": _share("k-means clusters: normalised mutual information", "clusters", ("labels",), form="{:.3f}"),
    "cluster_ari": _share("k-means clusters: adjusted Rand index", "clusters", ("labels",), form="{:.3f}"),
    "anomaly_auroc": _share("Anomaly AUROC, another dataset", "anomaly", ("anomalies",)),
    "one_class_out_auroc": _share("Anomaly AUROC, one class out", "one class out", _LABELS),
    **_detection(),
    **_denoising("low", "half the corruption"),
    **_denoising("medium", "the corruption of the training"),
    **_denoising("high", "1.5 times the corruption"),
    "active_units": _sparsity("Active units per sample (L0)", "{:.1f}", "count"),
    "dead_fraction": _sparsity("Dead units", "{:.1%}", "share"),
    "activation_frequency_median": _sparsity("Activation frequency, median unit", "{:.2%}", "share"),
    "activation_frequency_max": _sparsity("Activation frequency, busiest unit", "{:.2%}", "share"),
    **_of_series(),
    # Of exported files only.
    "accuracy": _share("Accuracy"),
    "agreement": _share("Samples of which Keras gives the same class"),
    "anomaly_rate": Metric("Samples above the anomaly threshold", "{:.4f}", "share", ""),
}
EVALUATED = tuple(name for name, metric in METRICS.items() if metric.computed_by)  # by `zoo.evaluate`, in this order
HEADLINES = ("mse", "knn_accuracy")  # where there is room for two: of a table of models, of a quantised file


def metric(name: str) -> Metric:
    """The entry of a metric; of one that a card has and the zoo does not know, a plain one."""
    return METRICS.get(name) or Metric(name, "{:.5g}", "count", "")
