"""The export benchmark: every runtime reconstructs the same samples of the same pretrained models, in turns."""

import contextlib
import datetime
import os
import pathlib
import sys
import tempfile

import zoo
from zoo.benchmark import environment, export_report, timing
from zoo.benchmark.basics import middle
from zoo.benchmark.exporter import SAMPLES, Exporter, is_dense
from zoo.benchmark.remote import Remote
from zoo.benchmark.runners import BATCH_SIZE, RUNNERS
from zoo.core import files
from zoo.core.errors import unknown_name
from zoo.core.terminal import progress

CONVOLUTIONAL = ("mnist-convolutional-16", "mnist-denoising-gaussian-32", "cifar10-jpeg-convolutional-128")
_CALLS = 300  # timed calls of single samples per turn
_STARTS = 3
_EXPORTERS = 2  # processes that export at once
_MUCH = 0.1  # cores busy with other processes that are worth a warning
_PACKAGES = ("tensorflow", "keras", "numpy", "onnxruntime", "ai_edge_litert")


def default_models():
    """Names of all pretrained models of images whose network is dense, and of some convolutional ones."""
    cards = map(zoo.card, zoo.list_pretrained())
    return [c.name for c in cards if len(c.input.shape) == 3 and is_dense(c.config)] + list(CONVOLUTIONAL)


def run(output, names=(), *, repeats=3, threads=(1, 2), command=""):
    """Measure, and write ``benchmark.json``, ``export.md`` and ``latency.png`` to `output`.

    Args:
        output: pathlib.Path of a directory.
        names: names of pretrained models; `default_models` if empty.
        repeats: rounds, in each of which every runner has its turn.
        threads: numbers of CPU threads.
        command: command line to state in the results.

    Returns:
        dict, the results.

    Raises:
        UnknownNameError: an unknown name.
        ParityError: a runtime that does not compute what Keras computes.
        OutputError: `output` cannot be written.
    """
    for name in names:
        if name not in zoo.list_pretrained():
            raise unknown_name("pretrained model", name, zoo.list_pretrained())
    names, threads = list(dict.fromkeys(names or default_models())), sorted(set(threads))
    with files.staged(output):
        pass  # an unwritable directory is found now
    results = {
        "benchmark": "export",
        "zoo": zoo.__version__,
        "command": command,
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "machine": environment.machine(_PACKAGES),
        "repeats": repeats,
        "starts": _STARTS,
        "threads": threads,
        "calls": {name: max(2, _CALLS // runner.fewer) for name, runner in RUNNERS.items()},
        "throughput_samples": SAMPLES,
        "batch_size": BATCH_SIZE,
        "models": {},
    }
    with tempfile.TemporaryDirectory() as directory:
        _report(f"exporting {len(names)} model{'s' * (len(names) > 1)}")
        exported = _exported(names, pathlib.Path(directory))
        _report("start-up")
        results["start_up"] = _start_up(exported[names[0]][0], threads)
        _report("latency and throughput")
        measured = _measured(exported, threads, repeats)
        for name, rows in measured.items():
            results["models"][name] = {**exported[name][1], **rows}
    export_report.write(results, output)
    return results


def _exported(names, directory):
    """Every model exported: dict of name to (Exported, its description for the results)."""
    done = {}
    with contextlib.ExitStack() as stack, progress(len(names), "export", "models") as advance:
        exporters = [stack.enter_context(Remote(Exporter)) for _ in range(min(_EXPORTERS, os.cpu_count(), len(names)))]
        for start in range(0, len(names), len(exporters)):
            busy = list(zip(names[start : start + len(exporters)], exporters, strict=False))
            for name, exporter in busy:
                exporter.send("write", name, directory / name)
            for name, exporter in busy:
                done[name] = exporter.reply()
                advance()
    return done


def _start_up(exported, threads):
    """Cold starts with one model: {"model": name, "runtimes": {runner: {threads: seconds}}}."""
    seconds = {(name, count): [] for name in RUNNERS for count in threads}
    with progress(_STARTS * len(seconds), "start-up", "starts") as advance:
        for turn in range(_STARTS):
            for name, count in _rotated(list(seconds), turn):
                seconds[name, count].append(timing.start_up(name, count, exported))
                advance()
    return {"model": exported.name, "runtimes": _by_runner(seconds, threads, middle)}


def _measured(exported, threads, repeats):
    """Results of each model, by its name."""
    with contextlib.ExitStack() as stack:
        timed = {
            (name, count): stack.enter_context(Remote(timing.Timed, name, count))
            for name in RUNNERS
            for count in threads
        }
        return {name: _measured_model(*written, timed, threads, repeats) for name, written in exported.items()}


def _measured_model(exported, described, timed, threads, repeats):
    """What is measured of one model: "runtimes" and "ratios", each by number of threads, and others_busy_cores."""
    _side_by_side(timed, "open", exported)
    for remote in timed.values():
        remote.call("tune")
    checked = _side_by_side(timed, "check")
    turns = {key: [] for key in timed}
    others = environment.OtherProcesses()
    with progress(repeats * len(timed), exported.name, "runs") as advance:
        for turn in range(repeats):
            for key in _rotated(list(timed), turn):
                turns[key].append(timed[key].call("measure", _CALLS))
                advance()
    busy = others.busy_cores()
    runtimes = _by_runner(turns, threads, _summary)
    for (name, count), details in checked.items():
        size = details.pop("size_bytes")
        runtimes[name]["size_bytes"] = described["keras_bytes"] if size is None else size
        runtimes[name]["threads"][str(count)] |= details
    result = {"others_busy_cores": busy, "runtimes": runtimes, "ratios": export_report.ratios(runtimes)}
    _report(f"{exported.name}: {export_report.summary_line(result)}")
    if busy and busy > _MUCH:
        _report(f"{exported.name}: other processes kept {busy:.1f} cores busy meanwhile, so do not trust these numbers")
    return result


def _side_by_side(timed, method, *arguments):
    """The result of a method of every remote object, by its key; all work at once."""
    for remote in timed.values():
        remote.send(method, *arguments)
    return {key: remote.reply() for key, remote in timed.items()}


def _summary(turns):
    """The turns of one runner, medians and ranges."""
    first = turns[0]
    ways = [way for way in ("latency", "bare") if way in first]
    return {
        **{way: {p: middle([turn[way][p] for turn in turns]) for p in first[way]} for way in ways},
        "samples_per_second": middle([turn["samples_per_second"] for turn in turns]),
    }


def _by_runner(values, threads, summary):
    """{runner: {"threads": {number of threads as text: summary}}}: the keys of JSON are text."""
    return {name: {"threads": {str(count): summary(values[name, count]) for count in threads}} for name in RUNNERS}


def _rotated(order, turn):
    """Every round starts with another one, so that none has always the same one before it."""
    shift = turn % len(order)
    return order[shift:] + order[:shift]


def _report(line):
    print(line, file=sys.stderr, flush=True)
