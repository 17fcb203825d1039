"""The README card of a set, generated from its `Card`."""

_METRICS = {
    "mse": ("Mean squared error", "{:.5f}"),
    "bce": ("Binary cross-entropy", "{:.4f}"),
    "knn_accuracy": ("kNN accuracy on the latent features (k = 7)", "{:.4f}"),
}


def readme(card):
    """Markdown text of a card: what it is, how to use it, its numbers, how to make it again."""
    lines = [f"# {card.name}", ""]
    if card.description:
        lines += [card.description, ""]
    lines += [
        "```python",
        "import zoo",
        "",
        f'model = zoo.load("{card.name}")          # the whole autoencoder',
        f'encoder = zoo.load_encoder("{card.name}")  # a keras.Model, ready for zoo.classifier or zoo.export',
        "```",
        "",
        "| | |",
        "|---|---|",
    ]
    rows = {
        "Family": _family(card.config),
        "Input": f"{_shape(card.input['shape'])} {card.input['dtype']}; {card.input['preprocessing']}",
        "Latent features": _shape(card.input["latent_shape"]),
        "Parameters": f"{card.parameters:,}",
        "Weights": f"{card.size_bytes:,} bytes, SHA-256 `{card.sha256}`",
        "Licence": card.license,
    }
    if card.dataset:
        rows["Trained on"] = "{name} {version}, split {split}, {samples:,} samples".format(**card.dataset)
    if card.recipe:
        rows["Recipe"] = ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in card.recipe.items())
    lines += [f"| {name} | {value} |" for name, value in rows.items() if value]
    if card.metrics:
        lines += ["", "Measured on the whole test split:", "", "| metric | value |", "|---|---|"]
        for key, value in card.metrics.items():
            title, form = _METRICS.get(key, (key, "{:.5g}"))
            lines.append(f"| {title} | {form.format(value)} |")
    if card.reproduction:
        made = card.reproduction
        versions = ", ".join(f"{name} {version}" for name, version in made["versions"].items())
        lines += ["", f"Reproduce: `{made['command']}` ({made['seconds']:.0f} s on {made['machine']}; {versions})."]
    return "\n".join(lines) + "\n"


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


def _shape(shape):
    return " × ".join(map(str, shape))
