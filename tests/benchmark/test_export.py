import copy
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import numpy as np
import psutil
import pytest
from click.testing import CliRunner

import zoo
from tests.base import only_error
from zoo.benchmark import export, export_report, exporter, runners, timing
from zoo.benchmark.remote import Remote
from zoo.cli import main
from zoo.core import files
from zoo.core.errors import DataNotFoundError, ParityError, ZooError

NAME = "mnist-feed-forward-8"
FILES = {
    "SavedModel": "float32/saved_model",
    "ONNX Runtime": "float32/model.onnx",
    "LiteRT float32": "float32/model.tflite",
    "LiteRT float16": "float16/model.tflite",
    "LiteRT int8": "int8/model.tflite",
}
RUNTIMES = ["Keras predict", "Keras, compiled call", *FILES]


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A model exported by a process of its own: (Exported, its description for the results)."""
    return export._exported([NAME], tmp_path_factory.mktemp("benchmark"))[NAME]


@pytest.fixture
def timed(monkeypatch):
    """Makes a `Timed` in this process, whose TensorFlow runs already and takes no number of threads."""
    monkeypatch.setattr(runners, "_start_tensorflow", lambda threads: None)
    return timing.Timed


def checked(runner, exported):
    """What a `Timed` says of a model that it has opened, tuned and compared."""
    runner.open(exported)
    runner.tune()
    return runner.check()


def test_exporter_writes_all_files_and_samples(written):
    exported, described = written
    given = {key: described[key] for key in ("dense", "shape", "parameters", "keras_bytes")}
    assert given == {
        "dense": True,
        "shape": [28, 28, 1],
        "parameters": 13_336,
        "keras_bytes": zoo.card(NAME).size_bytes,
    }
    assert (described["samples"], described["calibration"]) in (
        ("mnist (test)", "mnist (train)"),
        ("digits (all)", "digits (all)"),
    )
    samples = exported.samples()
    assert samples.shape == (1024, 28, 28, 1)
    assert len(np.unique(samples[:1000], axis=0)) > 990
    np.testing.assert_allclose(exported.reference(), zoo.load(NAME).reconstruct(samples[:8]), atol=1e-6)
    modes = {folder: _mode(exported.directory / folder) for folder in ("float32", "float16", "int8")}
    assert modes == {"float32": None, "float16": "float16", "int8": "int8"}


def _mode(directory):
    return json.loads((directory / "report.json").read_text())["files"]["tflite"]["quantization"]


def test_digits_stand_in_for_a_dataset_that_is_not_at_hand(monkeypatch):
    load = zoo.data.load

    def only_digits(name, *arguments, **options):
        if name != "digits":
            raise DataNotFoundError("not here")
        return load(name, *arguments, **options)

    monkeypatch.setattr(zoo.data, "load", only_digits)
    uncached = exporter._samples.__wrapped__
    for split in ("train", "test"):
        source = uncached("cifar10", split, (32, 32, 3))
        assert (source.name, source.split, source.samples.shape) == ("digits", "all", (1000, 32, 32, 3))
        assert len(np.unique(source.samples, axis=0)) > 990
    assert uncached("digits", "test", (8, 8, 1)).split == "test"


def test_dense_models_are_known_by_their_network():
    names = export.default_models()
    for dense in ("mnist-sparse-topk-1000", "fashion-mnist-denoising-masking-dense-32", "mnist-linear-16"):
        assert dense in names
    assert "mnist-denoising-affine-sparse-topk-1000" not in names
    assert set(export.CONVOLUTIONAL) < set(names)
    assert len(names) == 25 + 3


@pytest.mark.parametrize("name", RUNTIMES)
def test_every_runner_computes_what_keras_computes_and_is_timed(written, timed, name):
    exported, _ = written
    runner = timed(name, 2)
    opened = checked(runner, exported)
    assert 0 <= opened["error"] <= {"LiteRT float16": 1e-3, "LiteRT int8": 0.1}.get(name, 1e-5)
    assert opened["size_bytes"] == (files.size_bytes(exported.directory / FILES[name]) if name in FILES else None)
    measured = runner.measure(50)
    alone = name.startswith(("ONNX", "LiteRT"))
    assert set(measured) == {"latency", "samples_per_second"} | ({"bare"} if alone else set())
    for way in set(measured) - {"samples_per_second"}:
        assert 1e-7 < measured[way]["p50"] <= measured[way]["p99"] < 5
    assert measured["samples_per_second"] > 100


def test_every_call_gets_another_sample_and_slow_runners_fewer_calls(written, timed, monkeypatch):
    runner = timed("LiteRT float32", 1)
    checked(runner, written[0])
    seen = []
    runner._ways = {"latency": lambda sample: seen.append(sample.tobytes())}
    runner._runner.fewer = 5
    monkeypatch.setattr(timing, "_WARM_UP", 0)
    runner.measure(500)
    assert len(seen) == 1 + 100
    assert len(set(seen)) > 95


@pytest.mark.parametrize("name", ["Keras, compiled call", "SavedModel", "ONNX Runtime", "LiteRT int8"])
def test_a_runner_that_computes_something_else_is_an_error(written, timed, tmp_path, name):
    exported, _ = written
    other = runners.Exported(NAME, tmp_path)
    for folder in ("float32", "float16", "int8"):
        (tmp_path / folder).symlink_to(exported.directory / folder)
    np.save(tmp_path / "samples.npy", exported.samples())
    np.save(tmp_path / "reference.npy", exported.reference()[::-1])  # of other samples
    with pytest.raises(ParityError, match=rf"{name} does not compute what Keras computes for {NAME}: it is off by"):
        checked(timed(name, 1), other)


@pytest.mark.parametrize("spoilt", ["call", "bare", "batch"])
def test_all_ways_of_calling_are_compared(written, timed, monkeypatch, spoilt):
    class Spoilt(runners.LiteRTFloat32):
        def tune(self, exported):
            super().tune(exported)
            if spoilt == "bare":
                self.bare = lambda sample: sample

        def __call__(self, sample):
            return sample if spoilt == "call" else super().__call__(sample)

        def batch(self, samples):
            return samples if spoilt == "batch" else super().batch(samples)

    monkeypatch.setitem(runners.RUNNERS, "LiteRT float32", Spoilt)
    with pytest.raises(ParityError):
        checked(timed("LiteRT float32", 1), written[0])


def test_percentiles_interpolate_between_the_nearest_calls():
    seconds = list(np.random.default_rng(0).permutation(np.arange(1, 202) / 1000))  # 1 to 201 ms
    assert timing.percentiles(seconds) == {"p50": pytest.approx(0.101), "p99": pytest.approx(0.199)}
    assert timing.percentiles([1, 2]) == {"p50": 1.5, "p99": pytest.approx(1.99)}


def test_relative_error():
    reference = np.array([[0.0, 1.0], [0.0, 1.0]], "float32")  # standard deviation 0.5
    assert timing.relative_error(reference + 0.1, reference) == pytest.approx(0.2)
    assert timing.relative_error(reference[:1], reference) == float("inf")


@pytest.fixture
def invoke(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def invoke(*arguments, code=0):
        result = CliRunner().invoke(main, ["benchmark", "export", *map(str, arguments)])
        assert result.exit_code == code, result.output + repr(result.exception)
        return result

    return invoke


def test_a_tiny_run(invoke, monkeypatch, tmp_path, written):
    monkeypatch.setattr(export, "_CALLS", 50)
    monkeypatch.setattr(export, "_exported", lambda names, directory: {NAME: written})
    # A cold start of TensorFlow takes seconds: see test_start_up.
    monkeypatch.setattr(timing, "start_up", lambda name, threads, exported: len(name) + threads)
    arguments = ["--model", NAME, "--repeats", 2, "--threads", 2]  # a second number: see test_turns
    run = invoke(*arguments, "--json")
    results = json.loads(run.stdout)
    assert results == json.loads((tmp_path / "benchmark/export/benchmark.json").read_text())
    assert results["command"] == f"zoo benchmark export --model {NAME} --repeats 2 --threads 2"
    assert results["threads"] == [2]
    assert results["calls"] == {name: 2 if name == "Keras predict" else 50 for name in RUNTIMES}
    assert {"tensorflow", "keras", "onnxruntime", "ai_edge_litert"} < set(results["machine"]["versions"])
    assert list(results["models"]) == [NAME]
    measured = results["models"][NAME]
    assert (measured["dense"], measured["parameters"]) == (True, 13_336)
    assert list(measured["runtimes"]) == list(results["start_up"]["runtimes"]) == RUNTIMES
    for name, row in measured["runtimes"].items():
        assert list(row["threads"]) == ["2"]
        for threads, numbers in row["threads"].items():
            for way in {"latency", "bare"} & set(numbers):
                assert numbers[way]["p50"]["median"] <= numbers[way]["p99"]["median"]
                for spread in numbers[way].values():
                    assert 0 < spread["minimum"] <= spread["median"] <= spread["maximum"]
            assert numbers["error"] < 0.1
            started = results["start_up"]["runtimes"][name]["threads"][threads]
            assert started == dict.fromkeys(("median", "minimum", "maximum"), len(name) + int(threads))
    sizes = {name: row["size_bytes"] for name, row in measured["runtimes"].items()}
    assert sizes == {
        **dict.fromkeys(RUNTIMES[:2], zoo.card(NAME).size_bytes),
        **{name: files.size_bytes(written[0].directory / file) for name, file in FILES.items()},
    }
    for threads, ratios in measured["ratios"].items():

        def p50(name, way="latency", threads=threads):
            return measured["runtimes"][name]["threads"][threads][way]["p50"]["median"]

        assert ratios["int8_to_onnx"] == p50("LiteRT int8") / p50("ONNX Runtime")
        assert ratios["int8_to_onnx_bare"] == p50("LiteRT int8", "bare") / p50("ONNX Runtime", "bare")
        assert ratios["predict_to_int8"] == p50("Keras predict") / p50("LiteRT int8") > 20
    # The page comes from the results alone.
    page = (tmp_path / "benchmark/export/export.md").read_bytes()
    invoke("--from-json", "benchmark/export/benchmark.json", "-o", "again")
    assert (tmp_path / "again/export.md").read_bytes() == page
    assert (tmp_path / "again/latency.png").read_bytes().startswith(b"\x89PNG")
    assert export_report.read("again/benchmark.json") == results


def test_turns(written):
    """Every runtime has its turn in every round, on every number of threads, and a round starts with another one."""
    calls, busy = [], set()

    class Fake:
        def __init__(self, key):
            self.key, self.turn, self.sent = key, 0, []

        def send(self, *message):
            self.sent.append(message)
            busy.add(self.key)

        def reply(self):
            busy.remove(self.key)
            return {"settings": "", "error": 0.0, "size_bytes": None if self.key[0] in RUNTIMES[:2] else 99}

        def call(self, *message):
            assert not busy  # while settings are chosen and calls timed, nobody else works
            if message == ("tune",):
                assert self.sent == [("open", written[0])]
                return None
            assert self.sent == [("open", written[0]), ("check",)]
            assert message == ("measure", export._CALLS)
            calls.append(self.key)
            self.turn += 1
            # The middle one of three turns is the median: 10 s times the position in the table, and the threads.
            value = [1.0, 100.0, 0.0][self.turn - 1] + 10 * RUNTIMES.index(self.key[0]) + self.key[1]
            way = {"p50": value, "p99": 2 * value}
            return {"latency": way, "bare": way, "samples_per_second": value}

    keys = [(name, threads) for name in RUNTIMES for threads in (1, 2)]
    result = export._measured_model(*written, {key: Fake(key) for key in keys}, [1, 2], 3)
    assert calls == [*keys, *keys[1:], keys[0], *keys[2:], *keys[:2]]
    for position, name in enumerate(RUNTIMES):
        row = result["runtimes"][name]
        assert row["size_bytes"] == (zoo.card(NAME).size_bytes if position < 2 else 99)
        for threads in (1, 2):
            median = 1 + 10 * position + threads
            expected = {"median": median, "minimum": median - 1, "maximum": median + 99}
            assert row["threads"][str(threads)]["latency"]["p50"] == expected
            assert row["threads"][str(threads)]["latency"]["p99"]["median"] == 2 * median
            assert row["threads"][str(threads)]["samples_per_second"] == expected
    assert result["ratios"]["2"] == {"int8_to_onnx": 63 / 33, "int8_to_onnx_bare": 63 / 33, "predict_to_int8": 3 / 63}
    assert list(result["ratios"]) == ["1", "2"]


def _numbers(p50, alone=None, settings=""):
    """What is measured of one runner with one number of threads, from its p50 in microseconds."""

    def middle(value):
        return {"median": value, "minimum": 0.9 * value, "maximum": 1.1 * value}

    def way(value):
        return {"p50": middle(1e-6 * value), "p99": middle(3e-6 * value)}

    bare = {} if alone is None else {"bare": way(alone)}
    rate = middle(1e6 / p50)
    return {"latency": way(p50), **bare, "samples_per_second": rate, "error": 0.01, "settings": settings}


def _model(dense, onnx, int8, predict):
    """A measured model: (with zoo.lite, alone) of ONNX Runtime and int8, and predict, in microseconds."""
    rows = {
        "Keras predict": _numbers(predict),
        "Keras, compiled call": _numbers(120, settings="XLA"),
        "SavedModel": _numbers(130),
        "ONNX Runtime": _numbers(*onnx, "spinning"),
        "LiteRT float32": _numbers(30, 25),
        "LiteRT float16": _numbers(30, 25),
        "LiteRT int8": _numbers(*int8),
    }
    runtimes = {name: {"size_bytes": 12_345, "threads": {"1": row}} for name, row in rows.items()}
    return {
        "dense": dense,
        "shape": [28, 28, 1],
        "parameters": 25_888,
        "keras_bytes": 12_345,
        "samples": "mnist (test)",
        "calibration": "mnist (train)",
        "others_busy_cores": 0.034,
        "runtimes": runtimes,
        "ratios": export_report.ratios(runtimes),
    }


@pytest.fixture
def results():
    models = {
        "good": _model(True, (20, 10), (10, 4), 40_000),
        "worse": _model(True, (20, 10), (16, 8), 1_200),
        "conv": _model(False, (20, 10), (100, 90), 2_000),
    }
    seconds = {"median": 1.234, "minimum": 1.2, "maximum": 1.3}
    return {
        "benchmark": "export",
        "zoo": "0.1.0",
        "command": "zoo benchmark export",
        "date": "2026-01-02T03:04:05+00:00",
        "machine": {
            "processor": "Abacus",
            "cores": 2,
            "system": "Linux",
            "device": "CPU",
            "versions": {"python": "3.11.0"},
        },
        "repeats": 3,
        "starts": 3,
        "threads": [1],
        "calls": {"Keras predict": 12, "LiteRT int8": 300},
        "throughput_samples": 1024,
        "batch_size": 256,
        "start_up": {"model": "good", "runtimes": {name: {"threads": {"1": seconds}} for name in RUNTIMES}},
        "models": models,
    }


def test_page_and_table(invoke, tmp_path, results):
    (tmp_path / "old.json").write_text(json.dumps(results))
    output = invoke("--from-json", "old.json", "-o", "page").output
    assert "12,345" not in output
    assert "worse" in output
    page = pathlib.Path("page/export.md").read_text()
    for line in (
        "2 cores of Abacus",
        "medians over 3 turns of 300 calls each (12 of `predict`",
        "Other processes kept 0.03 cores busy",
        "Latency of one sample on 2 dense models, on 1 thread:",
        "- LiteRT int8 ÷ ONNX Runtime float32: 0.65 on the median, 0.80 at worst (worse, 1 thread); goal at most"
        " 1, reached by all.",
        "- The same without zoo.lite: 0.60 on the median, 0.80 at worst",
        "- Keras `predict` ÷ LiteRT int8: 2,038 on the median, 75 at worst (worse, 1 thread); goal at least 100,"
        " missed by worse.",
        "| good | 1 | 10.0 µs | 20.0 µs | 40.00 ms | 0.50 | 0.40 | 4,000 |",
        "| worse | 1 | 16.0 µs | 20.0 µs | 1.20 ms | 0.80 | 0.80 | 75 (missed) |",
        "| Keras predict | 1.23 |",
        "## conv\n\n25,888 parameters, samples of 28×28×1 from mnist (test); int8 calibrated on mnist (train).",
        "| ONNX Runtime (spinning) | 12 | 20.0 µs | 60.0 µs | 10.0 µs | 30.0 µs | 50,000 |",
        "| Keras, compiled call (XLA) | 12 | 120.0 µs | 360.0 µs | | | 8,333 |",
    ):
        assert line in page
    assert "| conv |" not in page  # the reach is of dense models
    assert export_report.rows(results)[6] == {
        "model": "good",
        "threads": 1,
        "runtime": "LiteRT int8",
        "kB": 12,
        "p50 µs": 10.0,
        "p99 µs": 30.0,
        "samples/s": 100_000,
    }


def test_summary_names_what_is_slower(results):
    slow = copy.deepcopy(results)
    slow["models"]["worse"] = _model(True, (20, 10), (21, 12), 40_000)
    text = export_report.summary(slow)
    assert "0.78 on the median, 1.05 at worst (worse, 1 thread); goal at most 1, missed by worse." in text
    assert "Measured 2026-01-02T03:04:05+00:00 with `zoo benchmark export`" in text
    only = {**results, "models": {"conv": results["models"]["conv"]}}
    assert export_report.summary(only).startswith("No dense model was measured.")
    assert "## conv" in export_report.markdown(only)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "mnist-feed-forward-9"], "Unknown pretrained model 'mnist-feed-forward-9'. Did you mean 'mnist-"),
        (["--threads", "0"], "Invalid value for '--threads'"),
        (["--repeats", "0"], "Invalid value for '--repeats'"),
        (["--from-json", "absent.json"], "No such file: 'absent.json'"),
        (["--from-json", "other.json"], "'other.json' does not hold the results of `zoo benchmark export`"),
        (["--output", "other.json"], "Cannot write to 'other.json'"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(invoke, tmp_path, arguments, message):
    (tmp_path / "other.json").write_text('{"benchmark": "train", "models": {}}')
    assert message in only_error(invoke(*arguments, code=2))


def test_ctrl_c_ends_all_processes(tmp_path):
    command = [sys.executable, "-m", "zoo.cli", "benchmark", "export", "--model", NAME, "-o", str(tmp_path / "out")]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
        assert process.stderr.readline() == "exporting 1 model\n"
        own = psutil.Process(process.pid)
        while sum(child.cpu_times().user for child in own.children(recursive=True)) < 1:
            assert process.poll() is None
            time.sleep(0.05)
        children = own.children(recursive=True)  # in the middle of their work, which would take them longer than this:
        os.killpg(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert errors.split() == ["Interrupted."]
    _, alive = psutil.wait_procs(children, timeout=10)
    assert not alive
    assert not list((tmp_path / "out").glob("*"))


class TestRemote:
    def test_calls_and_errors(self):
        with Remote(list, (3, 1, 2)) as remote:
            assert remote.call("index", 2) == 2
            with pytest.raises(ValueError, match="9 is not in list"):
                remote.call("index", 9)
        with Remote(timing.Timed, "no such", 1) as remote, pytest.raises(KeyError):
            remote.call("open", None)

    def test_a_process_that_ends_is_an_error(self):
        with Remote(list) as remote, pytest.raises(ZooError, match="The process of list ended with -9"):
            os.kill(remote._process.pid, signal.SIGKILL)
            remote.call("clear")


def test_start_up(written):
    """A runtime for phones starts at least four times as fast as TensorFlow."""
    light = [timing.start_up(name, 1, written[0]) for name in ("LiteRT int8", "ONNX Runtime") for _ in range(2)]
    assert min(light) > 0.05
    assert timing.start_up("SavedModel", 1, written[0]) > 4 * min(light)


def test_a_fresh_process_that_fails_is_an_error(tmp_path):
    with pytest.raises(ZooError, match="A fresh process of ONNX Runtime ended with 1: .*No such file"):
        timing.start_up("ONNX Runtime", 1, runners.Exported(NAME, tmp_path))


def test_help():
    text = CliRunner().invoke(main, ["benchmark", "export", "--help"]).output
    for option in ("--model", "--repeats", "--threads", "--output", "--from-json", "--json", "minutes"):
        assert option in text
