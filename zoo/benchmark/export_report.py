"""What the export benchmark writes and prints, all of it from the results alone."""

import dataclasses
import json
import statistics

from zoo.benchmark import basics
from zoo.benchmark.basics import measured_on
from zoo.core import files
from zoo.core.tables import markdown_table

# Names of runners, which are the keys of the results.
PREDICT, ONNX, INT8 = "Keras predict", "ONNX Runtime", "LiteRT int8"


@dataclasses.dataclass(frozen=True)
class _Goal:
    """A ratio of two latencies that every dense model shall keep, on every number of threads."""

    key: str
    title: str  # of its column
    description: str
    limit: float
    at_most: bool  # else at least

    def missed(self, ratio):
        return ratio > self.limit if self.at_most else ratio < self.limit

    def worst(self, ratios):
        """The (key, ratio) farthest from the goal."""
        return (max if self.at_most else min)(ratios.items(), key=lambda item: item[1])

    def text(self, ratio):
        return f"{ratio:.2f}" if self.at_most else f"{ratio:,.0f}"


_GOALS = (
    _Goal("int8_to_onnx", "int8 / ONNX", "LiteRT int8 ÷ ONNX Runtime float32", 1, True),
    _Goal("int8_to_onnx_bare", "alone", "The same without zoo.lite", 1, True),
    _Goal("predict_to_int8", "predict / int8", "Keras `predict` ÷ LiteRT int8", 100, False),
)


def ratios(runtimes):
    """The ratios of the medians of p50, by number of threads.

    Args:
        runtimes: of one model, as in the results.

    Returns:
        {number of threads as text: {"int8_to_onnx", "int8_to_onnx_bare", "predict_to_int8"}}
    """
    found = {}
    for threads in runtimes[INT8]["threads"]:
        predict, onnx, int8 = (runtimes[name]["threads"][threads] for name in (PREDICT, ONNX, INT8))
        found[threads] = {
            "int8_to_onnx": _p50(int8) / _p50(onnx),
            "int8_to_onnx_bare": _p50(int8, "bare") / _p50(onnx, "bare"),
            "predict_to_int8": _p50(predict) / _p50(int8),
        }
    return found


def read(path):
    """Results of this benchmark from a ``benchmark.json``; errors as of `zoo.benchmark.basics.read`."""
    return basics.read(path, "export", "models")


def write(results, directory):
    """Write ``benchmark.json``, ``export.md`` and ``latency.png``."""
    from zoo.benchmark import plot

    with files.staged(directory) as staging:
        (staging / "benchmark.json").write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
        (staging / "export.md").write_text(markdown(results), encoding="utf-8")
        plot.latency(staging / "latency.png", results)


def summary_line(result):
    """One line on a measured model, for the progress."""
    return "; ".join(
        f"{_threads(threads)}: "
        + ", ".join(f"{name} {_time(_p50(row['threads'][threads]))}" for name, row in result["runtimes"].items())
        for threads in result["ratios"]
    )


def rows(results):
    """The table of all models, numbers of threads and runtimes, a dictionary per row."""
    return [
        {
            "model": name,
            "threads": int(threads),
            "runtime": runtime,
            "kB": round(row["size_bytes"] / 1000),
            "p50 µs": round(1e6 * _p50(numbers), 1),
            "p99 µs": round(1e6 * numbers["latency"]["p99"]["median"], 1),
            "samples/s": round(numbers["samples_per_second"]["median"]),
        }
        for name, result in results["models"].items()
        for threads in result["ratios"]
        for runtime, row in result["runtimes"].items()
        for numbers in [row["threads"][threads]]
    ]


def summary(results):
    """A few lines of markdown: what the dense models reach, and on what machine."""
    return f"{_goals_in_words(results)}\n\n{measured_on(results)}"


def _goals_in_words(results):
    dense = _dense(results)
    if not dense:
        return "No dense model was measured."
    lines = [f"Latency of one sample on {len(dense)} dense model{'s' * (len(dense) > 1)}, {_all_threads(results)}:", ""]
    for goal in _GOALS:
        ratios = _ratios(dense, goal)
        (name, threads), worst = goal.worst(ratios)
        wanted = f"{'at most' if goal.at_most else 'at least'} {goal.limit}"
        lines.append(
            f"- {goal.description}: {goal.text(statistics.median(ratios.values()))} on the median,"
            f" {goal.text(worst)} at worst ({name}, {_threads(threads)}); goal {wanted}, {_misses(goal, ratios)}."
        )
    return "\n".join(lines)


def markdown(results):
    """The page ``export.md``."""
    parts = ["# Exported files: size, start-up, latency, throughput", _introduction(results)]
    parts += ["## What the dense models reach", _goals_in_words(results), *_reached(results)]
    parts += ["![](latency.png)", *_start_up(results)]
    for name, result in results["models"].items():
        parts += [f"## {name}", _described(result), _model_table(result)]
    return "\n\n".join(parts) + "\n"


def _introduction(results):
    calls = results["calls"]
    busy = [result.get("others_busy_cores") for result in results["models"].values()]
    lines = [
        measured_on(results),
        "Latency: one sample in, its reconstruction out, float32 arrays both, another sample at every call. Every"
        " runtime ran in a process of its own for each number of threads, in turns with the others. p50 and p99 are"
        f" medians over {results['repeats']} turns of {max(calls.values())} calls each ({calls[PREDICT]} of `predict`,"
        " whose p99 is close to its slowest call). Before they were timed, all were compared with Keras on the same"
        " samples.",
        "ONNX Runtime and LiteRT are called as `zoo.lite.load(file).reconstruct(sample)`, which checks the sample; then"
        ' once more ("alone") by their own Python interfaces, `session.run` and a signature runner. ONNX Runtime has'
        " all its graph optimisations, and alone the faster of spinning and waiting threads. The compiled call is a"
        " `tf.function` with XLA or without, whichever is faster. The SavedModel is called by its signature.",
        f"samples/s: {results['throughput_samples']:,} samples in batches of {results['batch_size']}. The .tflite files"
        " have a batch of 1, as zoo.export writes them by default: they take the samples one by one.",
    ]
    if busy and None not in busy:
        lines.append(f"Other processes kept {max(busy):.2f} cores busy meanwhile, on the mean of the worst model.")
    return "\n\n".join(lines)


def _reached(results):
    """A table with a row for each dense model and number of threads."""
    body = []
    for name, result in _dense(results).items():
        for threads, ratios in result["ratios"].items():
            times = [_p50(result["runtimes"][runtime]["threads"][threads]) for runtime in (INT8, ONNX, PREDICT)]
            cells = [goal.text(ratios[goal.key]) + " (missed)" * goal.missed(ratios[goal.key]) for goal in _GOALS]
            body.append([name, threads, *map(_time, times), *cells])
    titles = ["", "threads", INT8, ONNX, PREDICT, *(goal.title for goal in _GOALS)]
    return [markdown_table(titles, body)] if body else []


def _misses(goal, ratios):
    missed = dict.fromkeys(name for (name, _), ratio in ratios.items() if goal.missed(ratio))
    return f"missed by {', '.join(missed)}" if missed else "reached by all"


def _start_up(results):
    started = results["start_up"]
    body = [
        [runtime, *(f"{row['threads'][str(threads)]['median']:.2f}" for threads in results["threads"])]
        for runtime, row in started["runtimes"].items()
    ]
    text = (
        "Seconds from the start of a Python process to the first reconstruction: imports, loading, one sample of"
        f" {started['model']}. Median of {results['starts']} processes; the files were in the operating system's cache."
    )
    titles = ["", *(_threads(threads) for threads in results["threads"])]
    return ["## Start-up", text, markdown_table(titles, body)]


def _described(result):
    shape = "×".join(map(str, result["shape"]))
    return (
        f"{result['parameters']:,} parameters, samples of {shape} from {result['samples']}; int8 calibrated on"
        f" {result['calibration']}."
    )


def _model_table(result):
    titles = ["", "kB"]
    for threads in result["ratios"]:
        titles += [f"{_threads(threads)}: p50", "p99", "alone: p50", "p99", "samples/s"]
    body = []
    for runtime, row in result["runtimes"].items():
        cells = []
        for numbers in row["threads"].values():
            for way in ("latency", "bare"):
                cells += [_time(numbers[way][p]["median"]) if way in numbers else "" for p in ("p50", "p99")]
            cells.append(f"{numbers['samples_per_second']['median']:,.0f}")
        chosen = dict.fromkeys(numbers["settings"] for numbers in row["threads"].values() if numbers["settings"])
        settings = f" ({', '.join(chosen)})" if chosen else ""
        body.append([runtime + settings, f"{row['size_bytes'] / 1000:,.0f}", *cells])
    return markdown_table(titles, body)


def _dense(results):
    return {name: result for name, result in results["models"].items() if result["dense"]}


def _ratios(models, goal):
    """{(model, threads): ratio} of a goal."""
    return {(name, t): row[goal.key] for name, result in models.items() for t, row in result["ratios"].items()}


def _p50(numbers, way="latency"):
    return numbers[way]["p50"]["median"]


def _time(seconds):
    microseconds = 1e6 * seconds
    return f"{microseconds:,.1f} µs" if microseconds < 1000 else f"{microseconds / 1000:,.2f} ms"


def _threads(count):
    return f"{count} thread{'s' * (int(count) > 1)}"


def _all_threads(results):
    return "on " + " and ".join(_threads(count) for count in results["threads"])
