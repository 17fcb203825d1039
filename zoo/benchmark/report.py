"""What the training benchmark writes and prints, all of it from the results alone."""

import json

from zoo.benchmark import basics
from zoo.benchmark.basics import measured_on
from zoo.core import files
from zoo.core.errors import DataError
from zoo.core.tables import markdown_table

_OURS = "zoo"


def add_ratios(rows, measure, key):
    """Give each of `rows` its `key`: the median of zoo's `measure` divided by its own."""
    ours = rows[_OURS][measure]["median"]
    for row in rows.values():
        row[key] = ours / row[measure]["median"]


def read(path):
    """Results of this benchmark from a ``benchmark.json``; errors as of `zoo.benchmark.basics.read`."""
    return basics.read(path, "train", "models")


def joined(parts):
    """One result of several that were measured on the same machine, each with networks of its own.

    Raises:
        DataError: other machines, versions or numbers of repeats.
    """
    first, *others = parts
    result = {**first, "models": dict(first["models"]), "first_step": dict(first["first_step"])}
    for other in others:
        for key in ("repeats", "batch_size", "dataset"):
            if other[key] != first[key]:
                raise DataError(f"Results with different {key} cannot be joined: {first[key]!r} and {other[key]!r}.")
        machines = [{k: v for k, v in part["machine"].items() if k != "load_before"} for part in (first, other)]
        if machines[0] != machines[1]:
            raise DataError("Results of different machines or versions cannot be joined.")
        result["models"] |= other["models"]
        result["first_step"] |= other["first_step"]
        result |= {key: other[key] for key in ("corruptions", "curve", "memory") if key in other}
        result["command"] += f"; {other['command']}"
    return result


def write(results, directory):
    """Write ``benchmark.json``, ``training.md`` and, where the curve was measured, ``samples.png``."""
    with files.staged(directory) as staging:
        (staging / "benchmark.json").write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
        (staging / "training.md").write_text(markdown(results), encoding="utf-8")
        if results.get("curve"):
            from zoo.benchmark import plot

            plot.samples(staging / "samples.png", results["curve"])


def rows(results):
    """The table of all networks and competitors, a dictionary per row."""
    return [
        {
            "model": name,
            "competitor": competitor,
            "samples/s": round(row["samples_per_second"]["median"]),
            "spread": _range(row["samples_per_second"]),
            "zoo / competitor": round(row["ratio"], 2),
            "loss": round(row["loss"], 4),
            "settings": row["settings"],
        }
        for name, model in results["models"].items()
        for competitor, row in model["competitors"].items()
    ]


def markdown(results):
    """The page ``training.md``."""
    parts = ["# Training speed", _introduction(results)]
    for name, model in results["models"].items():
        noise = f", Gaussian noise of {model['noise']:g}" if model["noise"] else ""
        shape = "×".join(map(str, model["shape"]))
        parts.append(
            f"## {name}\n\n{model['parameters']:,} parameters, {model['samples']:,} samples of {shape}{noise}."
        )
        table = [
            [
                competitor + (f" ({row['settings']})" if row["settings"] else ""),
                f"{row['samples_per_second']['median']:,.0f}",
                _range(row["samples_per_second"]),
                "" if competitor == _OURS else f"{row['ratio']:.2f}",
                f"{row['loss']:.4f}",
            ]
            for competitor, row in model["competitors"].items()
        ]
        parts.append(markdown_table(["", "samples/s", "range", "zoo / competitor", "loss"], table))
    parts += [*_first_step(results), *_corruptions(results), *_curve(results), *_memory(results)]
    return "\n\n".join(parts) + "\n"


def _introduction(results):
    lines = [
        measured_on(results),
        "Every competitor ran in a process of its own, in turns with the others: median and range of"
        f" {results['repeats']} epochs each, after epochs that compile. All train with batches of"
        f" {results['batch_size']}, Adam at {results['learning_rate']:g} and the mean squared error on the same samples"
        f" ({results['dataset']}), shuffled. An epoch is one call of `fit`, with its set-up of the data. zoo trains on"
        " 8-bit pixels, the others on float32 arrays that were made before.",
        "The loop in PyTorch takes batches from one tensor, without a DataLoader. With torch.compile it also has the"
        " fused Adam. Convolutions ran in the faster of its memory layouts. pythae's loss is a sum over each sample,"
        " stated here as a mean; its epoch is its trainer's `train_step`, without copies of the best model and files.",
    ]
    busy = [model.get("others_busy_cores") for model in results["models"].values()]
    if busy and None not in busy:
        lines.append(f"Other processes kept {max(busy):.2f} cores busy meanwhile, on the mean of the worst network.")
    lines += [f"Skipped: {name}: {reason}." for name, reason in results.get("skipped", {}).items()]
    return "\n\n".join(lines)


def _first_step(results):
    measured = results.get("first_step")
    if not measured:
        return []
    names = list(next(iter(measured.values()))["seconds"])
    table = [
        [model, *[f"{row['seconds'][name]['median']:.2f}" for name in names], f"{row['ratio']:.2f}"]
        for model, row in measured.items()
    ]
    heading = "## Time to the first step\n\nSeconds to build, compile and train one batch of a fresh model."
    return [heading, markdown_table(["", *names, "competitor / zoo"], table)]


def _corruptions(results):
    measured = results.get("corruptions")
    if not measured:
        return []
    table = [
        [name, f"{row['samples_per_second']['median']:,.0f}", _range(row["samples_per_second"]), f"{share:.2f}"]
        for name, row in measured.items()
        for share in [row["ratio_to_clean"]]
    ]
    heading = "## Corruptions\n\n784-16-784 on images of 28×28×1, by zoo, against the same without corruption."
    return [heading, markdown_table(["corruption", "samples/s", "range", "corrupted / clean"], table)]


def _curve(results):
    points = results.get("curve")
    if not points:
        return []
    names = list(dict.fromkeys(name for point in points for name in point["seconds"]))
    table = [
        [
            f"{point['samples']:,}",
            *[f"{point['seconds'][name]['median']:.3f}" if name in point["seconds"] else "" for name in names],
            f"{1e6 * point['seconds'][_OURS]['median'] / point['samples']:.2f}",
        ]
        for point in points
    ]
    heading = "## Time against the number of samples\n\nSeconds per epoch of 784-16-784.\n\n![](samples.png)"
    return [heading, markdown_table(["samples", *names, "zoo, µs per sample"], table)]


def _memory(results):
    memory = results.get("memory")
    if not memory:
        return []
    peak, data, rest, started = (
        f"{memory[key] / 1e6:,.0f} MB" for key in ("peak_bytes", "data_bytes", "peak_minus_data_bytes", "started_bytes")
    )
    return [
        f"## Memory\n\nTraining on {memory['samples']:,} samples of 784 bytes ({data}) peaks at {peak}: {rest} above"
        f" the samples. The process had reached {started} after a training on ten batches, before they existed."
    ]


def _range(numbers):
    return f"{numbers['minimum']:,.0f}–{numbers['maximum']:,.0f}"
