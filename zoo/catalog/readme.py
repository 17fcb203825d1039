"""The README card of a set, generated from its `Card`."""

from zoo.evaluation.features import feature_count, is_averaged

# Metric: what it is called, how it is written, and the metric of the baseline that stands beside it.
_METRICS = {
    "mse": ("Mean squared error", "{:.5f}", "pca_mse"),
    "bce": ("Binary cross-entropy", "{:.4f}", None),
    "psnr": ("Peak signal-to-noise ratio, dB", "{:.2f}", "pca_psnr"),
    "ssim": ("Structural similarity", "{:.4f}", None),
    "explained_variance": ("Explained variance", "{:.4f}", "pca_explained_variance"),
    "knn_accuracy": ("kNN accuracy on the latent features (k = 7)", "{:.4f}", "pixels_knn_accuracy"),
    "linear_probe_accuracy": ("Linear-probe accuracy", "{:.4f}", "pixels_linear_probe_accuracy"),
    "cluster_nmi": ("k-means clusters: normalised mutual information", "{:.3f}", None),
    "cluster_ari": ("k-means clusters: adjusted Rand index", "{:.3f}", None),
    "anomaly_auroc": ("Anomaly AUROC, another dataset", "{:.4f}", None),
    "one_class_out_auroc": ("Anomaly AUROC, one class out", "{:.4f}", None),
    "psnr_denoised_low": ("PSNR denoised at half the corruption, dB", "{:.2f}", "psnr_corrupted_low"),
    "psnr_denoised_medium": ("PSNR denoised at the corruption of the training, dB", "{:.2f}", "psnr_corrupted_medium"),
    "psnr_denoised_high": ("PSNR denoised at 1.5 times the corruption, dB", "{:.2f}", "psnr_corrupted_high"),
    "active_units": ("Active units per sample (L0)", "{:.1f}", None),
    "dead_fraction": ("Dead units", "{:.1%}", None),
    "activation_frequency_median": ("Activation frequency, median unit", "{:.2%}", None),
    "activation_frequency_max": ("Activation frequency, busiest unit", "{:.2%}", None),
}
_BASELINES = {"pca": "PCA, as many components", "pixels": "raw pixels", "psnr": "corrupted input"}


def readme(card, picture=None):
    """Markdown text of a card: what it is, how to use it, its numbers, how to make it again.

    Args:
        card: zoo.Card.
        picture: name of the picture file beside the card, if there is one.
    """
    lines = [f"# {card.name}", ""]
    if card.description:
        lines += [card.description, ""]
    lines += [
        "```python",
        "import zoo",
        "",
        f'model = zoo.load("{card.name}")  # the whole autoencoder',
        f'encoder = zoo.load_encoder("{card.name}")  # a keras.Model, ready for zoo.classifier or zoo.export',
        "```",
        "",
    ]
    if picture:
        lines += [f"![Reconstructions, latent features, errors and loss of {card.name}]({picture})", ""]
    lines += ["| | |", "|---|---|"]
    rows = {
        "Family": _family(card.config),
        "Input": f"{_shape(card.input.shape)} {card.input.dtype}; {card.input.preprocessing}",
        "Latent features": _latent(card.input.latent_shape),
        "Parameters": f"{card.parameters:,}",
        "Weights": f"version {card.version}, {card.size_bytes:,} bytes, SHA-256 `{card.sha256}`",
        "Licence": card.license,
    }
    if card.dataset.name:
        rows["Trained on"] = _dataset(card.dataset)
    rows["Recipe"] = ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in card.to_dict()["recipe"].items())
    lines += [f"| {name} | {value} |" for name, value in rows.items() if value]
    if card.metrics:
        lines += ["", "Measured on the whole test split:", "", "| metric | value | beside |", "|---|---|---|"]
        lines += [_metric(name, card.metrics) for name in card.metrics if not _is_baseline(name)]
    if card.quantization.files:
        lines += ["", *_quantization(card.quantization)]
    made = card.reproduction
    if made.command:
        versions = ", ".join(f"{name} {version}" for name, version in (made.versions or {}).items())
        known = [f"{made.seconds:.0f} s on {made.machine}" if made.seconds and made.machine else "", versions]
        circumstances = "; ".join(filter(None, known))
        lines += ["", f"Reproduce: `{made.command}`" + (f" ({circumstances})." if circumstances else ".")]
    return "\n".join(lines) + "\n"


def _quantization(measured):
    """The section on the .tflite files: their sizes, and what quantisation costs."""
    files, full = measured.files, measured.files["float32"]
    metrics = [name for name in full if name != "size_bytes"]
    lines = [
        f"As one .tflite file (encoder, decoder, reconstruction, score), on {measured.samples:,} test samples:",
        "",
        f"| quantization | bytes | {' | '.join(_METRICS[name][0] for name in metrics)} |",
        "|---|---:|" + "---:|" * len(metrics),
    ]
    for mode, values in files.items():
        cells = [f"{values['size_bytes']:,}", *(_METRICS[name][1].format(values[name]) for name in metrics)]
        if values is not full:
            changes = [f"{values['size_bytes'] / full['size_bytes']:.0%}"]
            changes += [_change(name, values[name], full[name]) for name in metrics]
            cells = [f"{cell} ({change})" for cell, change in zip(cells, changes, strict=True)]
        lines.append(f"| {mode} | {' | '.join(cells)} |")
    if "knn_accuracy" in metrics:
        lines += ["", "The neighbours are sought among half of these samples, so there are fewer than above."]
    return lines + [line for warning in measured.warnings for line in ("", f"**{warning}**")]


def _change(name, value, before):
    return f"{100 * (value - before):+.1f} points" if "accuracy" in name else f"{value / before - 1:+.2%}"


def _is_baseline(name):
    return any(name == baseline for _, _, baseline in _METRICS.values())


def _metric(name, metrics):
    title, form, baseline = _METRICS.get(name, (name, "{:.5g}", None))
    beside = ""
    if baseline in metrics:
        beside = f"{form.format(metrics[baseline])} {_BASELINES[baseline.split('_')[0]]}"
    return f"| {title} | {form.format(metrics[name])} | {beside} |"


def _dataset(dataset):
    split = f", split {dataset.split}" if dataset.split else ""
    samples = f", {dataset.samples:,} samples" if dataset.samples else ""
    return " ".join(filter(None, (dataset.title or dataset.name, dataset.version))) + split + samples


def _family(config):
    text = config["family"].replace("_", "-")
    for key in ("corruption", "sparsity"):
        if key in config:
            parts = config[key] if isinstance(config[key], list) else [config[key]]
            text += " with " + ", then ".join(_call(part) for part in parts)
    return text + (f", backbone {_family(config['backbone'])}" if "backbone" in config else "")


def _call(description):
    arguments = ", ".join(f"{key}={value}" for key, value in description.items() if key != "type")
    return f"`{description['type']}({arguments})`"


def _latent(shape):
    read = f"; metrics of features read {feature_count(shape)}: the mean of each map over the quadrants of the image"
    return _shape(shape) + (read if is_averaged(shape) else "")


def _shape(shape):
    return " × ".join(map(str, shape))
