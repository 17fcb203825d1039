"""What quantisation costs over all pretrained models, from the cards: a part of README.md."""

import statistics

from zoo.catalog import lookup
from zoo.core.tables import markdown_table
from zoo.evaluation.metrics import HEADLINES, METRICS

_MEASURED = (*HEADLINES, "anomaly_auroc")  # the last of detectors
_LARGE = 100_000  # parameters; with fewer, names and graphs are much of a file


def table():
    """Markdown table of the quantizations, and the models that quantise badly."""
    cards = [card for card in lookup.cards() if card.quantization.files]
    titles = ["quantization", "share of the float32 file"]
    named = [METRICS[name].column or "AUROC" for name in _MEASURED]
    titles += [f"{name}, {which}" for name in named for which in ("median", "worst")]
    rows = []
    for mode in (mode for mode in cards[0].quantization.files if mode != "float32"):
        shares = [share(card, mode) for card in cards if card.parameters > _LARGE]
        rows.append([mode, f"{statistics.median(shares):.2f}, at most {max(shares):.2f}"])
        for name in _MEASURED:
            metric = METRICS[name]
            changes = {card.name: change(card, mode, name) for card in cards if name in full(card)}
            worst = (max if metric.better == "lower" else min)(changes, key=changes.get)
            rows[-1] += [metric.change_text(statistics.median(changes.values()))]
            rows[-1] += [f"{metric.change_text(changes[worst])}, {worst}"]
    samples = {card.quantization.samples for card in cards}
    large = sum(card.parameters > _LARGE for card in cards)
    bad = [f"{card.name} ({', '.join(modes_that_lose(card))})" for card in cards if modes_that_lose(card)]
    return markdown_table(titles, rows, "lr" + "rl" * len(_MEASURED)) + (
        f"\n\n{len(cards)} models on {', '.join(map('{:,}'.format, sorted(samples)))} test samples each, half of them"
        f" as neighbours; sizes of the {large} models with more than {_LARGE:,} parameters;"
        f" `scripts/evaluate.py --quantize`. Quantising badly: {'; '.join(bad) or 'none'}."
    )


def modes_that_lose(card):
    """The quantizations that a card warns of."""
    warnings = card.quantization.warnings
    return [mode for mode in card.quantization.files if any(f" {mode} " in warning for warning in warnings)]


def full(card):
    """The numbers of the float32 file."""
    return card.quantization.files["float32"]


def share(card, mode):
    """The size of a quantised file as a share of the float32 file's."""
    return card.quantization.files[mode]["size_bytes"] / full(card)["size_bytes"]


def change(card, mode, metric):
    """How much a metric of a quantised file differs from the float32 file's, see `Metric.change`."""
    return METRICS[metric].change(card.quantization.files[mode][metric], full(card)[metric])
