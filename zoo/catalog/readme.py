"""The README of a pretrained model, generated from its `Card`."""

from zoo.core.tables import markdown_table
from zoo.evaluation.features import feature_count, is_averaged
from zoo.evaluation.metrics import METRICS, metric


def readme(card, picture=None):
    """Markdown text of a card: what it is, how to use it, its numbers, how to make it again.

    Args:
        card: zoo.Card.
        picture: name of the picture file in the same directory, if there is one.
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
    rows = {
        "Family": _family(card.config),
        "Input": f"{_shape(card.input.shape)} {card.input.dtype}; {card.input.preprocessing}",
        "Latent features": _latent(card.input.latent_shape),
        "Parameters": f"{card.parameters:,}",
        "Weights": f"version {card.version}, {card.size_bytes:,} bytes, SHA-256 `{card.sha256}`",
        "Licence": card.license,
        "Trained on": _dataset(card.dataset),
        "Recipe": ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in card.to_dict()["recipe"].items()),
    }
    lines += [markdown_table(["", ""], (row for row in rows.items() if row[1]), "ll")]
    if card.metrics:
        rows = [_metric(name, card.metrics) for name in card.metrics if not metric(name).as_baseline]
        lines += ["", "Measured on the whole test split:", ""]
        lines += [markdown_table(["metric", "value", "baseline"], rows, "lll")]
    if card.quantization.files:
        lines += ["", *_quantization(card.quantization)]
    if card.reproduction.command:
        lines += ["", f"Reproduce: `{card.reproduction.command}`{_circumstances(card.reproduction)}."]
    return "\n".join(lines) + "\n"


def _quantization(measured):
    """The section on the .tflite files: their sizes, and what quantisation costs."""
    full = measured.files["float32"]
    metrics = {name: METRICS[name] for name in full if name in METRICS}
    rows = []
    for mode, values in measured.files.items():
        cells = [f"{values['size_bytes']:,}", *(m.format.format(values[name]) for name, m in metrics.items())]
        if values is not full:
            changes = [f"{values['size_bytes'] / full['size_bytes']:.0%}"]
            changes += [m.change_text(m.change(values[name], full[name])) for name, m in metrics.items()]
            cells = [f"{cell} ({change})" for cell, change in zip(cells, changes, strict=True)]
        rows.append([mode, *cells])
    lines = [
        f"As one .tflite file (encoder, decoder, reconstruction, score), on {measured.samples:,} test samples:",
        "",
        markdown_table(["quantization", "bytes", *(m.title for m in metrics.values())], rows),
    ]
    if any("labels" in m.needs for m in metrics.values()):
        lines += ["", "The neighbours are sought among half of these samples, so there are fewer than above."]
    return lines + [line for warning in measured.warnings for line in ("", f"**{warning}**")]


def _metric(name, metrics):
    known = metric(name)
    baselines = [name for name in known.baselines if name in metrics]
    compared = [f"{known.format.format(metrics[name])} {METRICS[name].as_baseline}" for name in baselines]
    return known.title, known.format.format(metrics[name]), "; ".join(compared)


def _circumstances(made):
    time = f"{made.seconds:.0f} s on {made.machine}" if made.seconds and made.machine else ""
    versions = ", ".join(f"{name} {version}" for name, version in (made.versions or {}).items())
    known = "; ".join(filter(None, (time, versions)))
    return known and f" ({known})"


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
    return text + (f", backbone {_family(config['backbone'])}" if config.get("backbone") else "")


def _call(description):
    arguments = ", ".join(f"{key}={value}" for key, value in description.items() if key != "type")
    return f"`{description['type']}({arguments})`"


def _latent(shape):
    read = f"; metrics of features read {feature_count(shape)}: the mean of each map over the quadrants of the image"
    return _shape(shape) + (read if is_averaged(shape) else "")


def _shape(shape):
    return " × ".join(map(str, shape))
