#!/usr/bin/env python
"""Write what is generated from the cards: pretrained/results.csv, pretrained/versions.csv and parts of README.md.

Those are the pretrained models, the best of them, what quantisation costs, the speed of training and, with ``--demo``,
what the demo prints.

The speeds come from docs/benchmark/benchmark.json, which ``zoo benchmark train -o docs/benchmark`` measures anew, and
docs/benchmark/export/benchmark.json, by ``zoo benchmark export -o docs/benchmark/export``.
``--check`` changes nothing and exits with 1 if one of them does not say what the cards and that file say.
"""

import argparse
import csv
import io
import json
import os
import pathlib
import platform
import re
import subprocess
import sys

import quality
import quantized

from zoo.benchmark import export_report
from zoo.catalog.lookup import cards
from zoo.core.tables import markdown_table
from zoo.evaluation.metrics import METRICS

ROOT = pathlib.Path(__file__).parents[1]
README = ROOT / "README.md"
RESULTS = ROOT / "pretrained" / "results.csv"
VERSIONS = ROOT / "pretrained" / "versions.csv"
_OF_SIGNALS = {
    "AUROC": ("auroc", 3),
    "PCA": ("pca_auroc", 3),
    "Isolation Forest": ("isolation_forest_auroc", 3),
    "5 neighbours": ("nearest_neighbours_auroc", 3),
    "denoised, dB": ("snr_denoised_medium", 1),
    "noisy, dB": ("snr_corrupted_medium", 1),
}


def catalog_table():
    """Markdown table of every pretrained model of images, from its card."""
    columns = {metric.column: (name, metric.digits) for name, metric in METRICS.items() if metric.column}
    return _table([card for card in cards() if len(card.input.shape) == 3], columns)


def signals_table():
    """Markdown table of every pretrained model of signals and tables, from its card."""
    return _table([card for card in cards() if len(card.input.shape) < 3], _OF_SIGNALS)


def _table(chosen, columns):
    rows = []
    for card in chosen:
        name, m = card.name, card.metrics
        latent = "×".join(map(str, card.input.latent_shape))
        m = {key: value for key, value in m.items() if card.family == "detector" or not key.endswith("auroc")}
        values = [f"{m[key]:.{digits}f}" if key in m else "" for key, digits in columns.values()]
        rows.append([f"[{name}](pretrained/{name})", latent, f"{card.size_bytes / 1000:,.0f}", *values])
    return markdown_table(["model", "latent", "kB", *columns], rows)


def results():
    """Text of pretrained/results.csv: every number of every card, a row for each model."""
    metrics = list(dict.fromkeys(metric for card in cards() for metric in card.metrics))
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["name", "version", "family", "dataset", "latent", "parameters", "size_bytes", "sha256", *metrics])
    for card in cards():
        latent = "x".join(map(str, card.input.latent_shape))
        own = [card.name, card.version, card.family, card.dataset.name, latent, card.parameters, card.size_bytes]
        values = [f"{card.metrics[metric]:.6g}" if metric in card.metrics else "" for metric in metrics]
        table.writerow([*own, card.sha256, *values])
    return text.getvalue()


def versions(known):
    """Text of pretrained/versions.csv: the hash of all weights that were ever published, from what it says now.

    Weights are never overwritten under the same name and version, so a line is never changed, only added.
    """
    lines = known.splitlines() or ["name,version,sha256"]
    hashes = {(name, version): digest for name, version, digest in (line.split(",") for line in lines[1:])}
    for card in cards():
        published = hashes.setdefault((card.name, str(card.version)), card.sha256)
        if published != card.sha256:
            sys.exit(
                f"{card.name} has other weights than were published as version {card.version}: write"
                f" version = {card.version + 1} into its recipe.toml and train it again."
            )
    return "\n".join([lines[0], *(f"{name},{version},{digest}" for (name, version), digest in hashes.items())]) + "\n"


def training_table():
    """Markdown table of the speed of training: how many times as fast as each kind of competitor."""
    results = json.loads((ROOT / "docs" / "benchmark" / "benchmark.json").read_text(encoding="utf-8"))
    titles = ["network", "samples/s", "Keras `fit`", "Keras `fit`, XLA, 64 steps", "best PyTorch loop", "pythae"]
    rows = []
    for name, model in results["models"].items():
        competitors = model["competitors"]
        ratios = {competitor: row["ratio"] for competitor, row in competitors.items()}
        torch = [ratio for competitor, ratio in ratios.items() if competitor.startswith("PyTorch")]
        columns = [ratios["Keras fit"], ratios["Keras fit, XLA, steps_per_execution=64"], min(torch), ratios["pythae"]]
        speed = f"{competitors['zoo']['samples_per_second']['median']:,.0f}"
        rows.append([name, speed, *(f"{ratio:.2f}×" for ratio in columns)])
    worst = min(results["corruptions"].items(), key=lambda item: item[1]["ratio_to_clean"])
    machine = results["machine"]
    versions = ", ".join(f"{p} {machine['versions'][p]}" for p in ("tensorflow", "keras", "torch", "pythae"))
    return markdown_table(titles, rows) + (
        f"\n\nMedians of {results['repeats']} interleaved epochs, batches of {results['batch_size']}, Adam, on"
        f" {machine['cores']} CPU cores ({machine['processor']}), {results['date'][:10]}; {versions};"
        f" `{results['command']}`. Below 1× the competitor is faster. The slowest corruption ({worst[0]}) trains at"
        f" {worst[1]['ratio_to_clean']:.2f}× the speed of the same network without."
    )


def latency():
    """What the benchmark of the exported files says about a single sample."""
    return export_report.summary(export_report.read(ROOT / "docs" / "benchmark" / "export" / "benchmark.json"))


def demo_output():
    """What ``zoo demo`` prints on this machine, with its picture copied to ``docs/``."""
    command = [sys.executable, "-m", "zoo.cli", "demo", "--output", str(ROOT / "demo")]
    text = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout
    (ROOT / "docs" / "demo.png").write_bytes((ROOT / "demo" / "demo.png").read_bytes())
    text = "\n".join(line.rstrip() for line in text.replace(f"{ROOT}/", "").splitlines())
    machine = f"Measured on {os.cpu_count()} CPU cores ({platform.machine()}), Python {platform.python_version()}."
    return f"```\n{text.strip()}\n```\n\n{machine}"


def replaced(text, part, content):
    """`text` with what stands between the markers of `part` replaced by `content`."""
    pattern = rf"(<!-- {part}: generated by scripts/update_readme.py[^>]*-->\n)(?:.*?\n)?(<!-- end {part} -->)"
    new, count = re.subn(pattern, lambda match: f"{match[1]}{content}\n{match[2]}", text, flags=re.DOTALL)
    assert count == 1, f"README.md has no markers for {part!r}"
    return new


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--demo", action="store_true", help="also run the demo and insert what it prints")
    parser.add_argument("--check", action="store_true", help="only compare the tables")
    arguments = parser.parse_args()
    old = {path: path.read_text(encoding="utf-8") if path.is_file() else "" for path in (README, RESULTS, VERSIONS)}
    readme = old[README]
    for part, content in (
        ("catalog", catalog_table),
        ("signals", signals_table),
        ("quality", quality.table),
        ("quantization", quantized.table),
        ("training", training_table),
        ("latency", latency),
    ):
        readme = replaced(readme, part, content())
    new = {README: readme, RESULTS: results(), VERSIONS: versions(old[VERSIONS])}
    if arguments.check:
        stale = [path.name for path in new if new[path] != old[path]]
        sys.exit(f"Not what cards and benchmark say: {', '.join(stale)}. Run scripts/update_readme.py." if stale else 0)
    if arguments.demo:
        new[README] = replaced(new[README], "demo", demo_output())
    for path, text in new.items():
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
