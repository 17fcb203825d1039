"""What quantisation costs over all sets, from the cards: a part of README.md."""

import statistics

from zoo.catalog import lookup

_LARGE = 100_000  # parameters; beside fewer, names and graphs are much of a file


def table():
    """Markdown table of the quantizations, and the sets that quantise badly."""
    cards = [card for card in lookup.cards() if card.quantization.files]
    modes = [mode for mode in cards[0].quantization.files if mode != "float32"]
    rows = [
        "| quantization | share of the float32 file | MSE, median | MSE, worst | kNN-7, median | kNN-7, worst |",
        "|---|---:|---:|---|---:|---|",
    ]
    for mode in modes:
        shares = [ratio(card, mode, "size_bytes") for card in cards if card.parameters > _LARGE]
        errors = {card.name: 100 * (ratio(card, mode, "mse") - 1) for card in cards}
        points = {card.name: change(card, mode) for card in cards if "knn_accuracy" in full(card)}
        worst, poorest = max(errors, key=errors.get), min(points, key=points.get)
        rows.append(
            f"| {mode} | {statistics.median(shares):.2f}, at most {max(shares):.2f}"
            f" | {statistics.median(errors.values()):+.2f} % | {errors[worst]:+.2f} %, {worst}"
            f" | {statistics.median(points.values()):+.1f} points | {points[poorest]:+.1f} points, {poorest} |"
        )
    samples = {card.quantization.samples for card in cards}
    large = sum(card.parameters > _LARGE for card in cards)
    bad = [f"{card.name} ({', '.join(modes_that_lose(card))})" for card in cards if modes_that_lose(card)]
    return "\n".join(rows) + (
        f"\n\n{len(cards)} sets on {', '.join(map('{:,}'.format, sorted(samples)))} test samples each, half of them as"
        f" neighbours; sizes of the {large} sets with more than {_LARGE:,} parameters;"
        f" `scripts/evaluate.py --quantize`. Quantising badly: {'; '.join(bad) or 'none'}."
    )


def modes_that_lose(card):
    """The quantizations that the card of a set warns of."""
    warnings = card.quantization.warnings
    return [mode for mode in card.quantization.files if any(f" {mode} " in warning for warning in warnings)]


def full(card):
    """The numbers of the float32 file of a set."""
    return card.quantization.files["float32"]


def ratio(card, mode, key):
    """A number of a quantised file as a share of the float32 file's."""
    return card.quantization.files[mode][key] / full(card)[key]


def change(card, mode):
    """Points of kNN accuracy that a quantised file gains."""
    return 100 * (card.quantization.files[mode]["knn_accuracy"] - full(card)["knn_accuracy"])
