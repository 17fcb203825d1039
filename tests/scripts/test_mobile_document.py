"""docs/mobile.md: names, types and shapes in its table and its code are those of an exported file."""

import json
import math
import pathlib
import re
import shlex
import shutil
import subprocess

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from ai_edge_litert.schema_py_generated import Model

import zoo
from zoo.cli import main
from zoo.engine.contract import Contract

ROOT = pathlib.Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "mobile.md").read_text(encoding="utf-8")
COMMANDS = [
    shlex.split(line)
    for block in re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL)
    for line in block.splitlines()
    if line.startswith("zoo ")
]
NAME = COMMANDS[0][2]


def code(language, having):
    """The one code block of a language that contains a text."""
    (block,) = [b for b in re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL) if having in b]
    return block


def described(path):
    """{signature: ((input, dtype, shape), (output, dtype, shape))} of a .tflite file, as LiteRT says."""
    interpreter = Interpreter(str(path))
    found = {}
    for signature in interpreter.get_signature_list():
        runner = interpreter.get_signature_runner(signature)
        sides = (runner.get_input_details(), runner.get_output_details())
        found[signature] = tuple(
            (name, details["dtype"].__name__, tuple(map(int, details["shape"])))
            for side in sides
            for name, details in side.items()
        )
    return found


def shape(text):
    return tuple(int(size) for size in text.split(","))


def minimum_runtime(path):
    """The version of the runtime that a .tflite file asks for, as numbers."""
    model = Model.GetRootAs(path.read_bytes(), 0)
    entries = {model.Metadata(i).Name(): model.Metadata(i).Buffer() for i in range(model.MetadataLength())}
    text = model.Buffers(entries[b"min_runtime_version"]).DataAsNumpy().tobytes().decode().strip("\0")
    return tuple(map(int, text.split(".")))


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    directory = tmp_path_factory.mktemp("exported")
    zoo.export(zoo.load(NAME), directory, "tflite", threshold=0.028)
    return directory


@pytest.fixture(scope="module")
def file(exported):
    return described(exported / "model.tflite")


def test_the_table_lists_every_signature(file):
    side = r"`(\w+)` (\w+) \(([\d, ]+)\)"
    rows = re.findall(rf"\| `(\w+)` \| {side} \| {side} \|", TEXT)
    table = {row[0]: ((row[1], row[2], shape(row[3])), (row[4], row[5], shape(row[6]))) for row in rows}
    assert table == file


def test_kotlin_with_the_interpreter(exported, file):
    source = code("kotlin", "import org.tensorflow.lite.Interpreter")
    expected = re.findall(r'expect\("(\w+)", "(\w+)", intArrayOf\((.+?)\), "(\w+)", intArrayOf\((.+?)\)\)', source)
    assert [e[0] for e in expected] == ["encode", "score"]
    (dtype,) = re.findall(r"DataType\.(\w+)", source)
    for signature, input_name, takes, output_name, gives in expected:
        assert file[signature] == (
            (input_name, dtype.lower(), shape(takes)),
            (output_name, dtype.lower(), shape(gives)),
        )
    calls = re.findall(r'run\("(\w+)", "(\w+)", pixels\(image\), "(\w+)", (\d+)\)', source)
    assert [call[0] for call in calls] == ["encode", "score"]
    for signature, input_name, output_name, size in calls:
        (takes, _, _), (gives, _, gives_shape) = file[signature]
        assert (input_name, output_name, int(size)) == (takes, gives, math.prod(gives_shape))
    assert re.findall(r"IntArray\((\d+) \* (\d+)\)", source) == [("28", "28")]
    assert math.prod(file["encode"][0][2]) == 28 * 28
    read_from_the_export(exported, re.findall(r'assets\.open(?:Fd)?\("(.+?)"\)', source))
    assert re.findall(r'report\.\w+\("(\w+)"\)', source) == ["threshold", "threshold"]


def test_kotlin_with_compiled_model(file):
    source = code("kotlin", "import com.google.ai.edge.litert.CompiledModel")
    (takes, _, takes_shape), (gives, _, _) = file["encode"]
    assert re.findall(r'createInputBuffer\("(\w+)", "(\w+)"\)', source) == [(takes, "encode")]
    assert re.findall(r'createOutputBuffer\("(\w+)", "(\w+)"\)', source) == [(gives, "encode")]
    used = re.findall(r'run\(mapOf\("(\w+)" to \w+\), mapOf\("(\w+)" to \w+\), "(\w+)"\)', source)
    assert used == [(takes, gives, "encode")]
    assert "pixels.size == 28 * 28" in source
    assert math.prod(takes_shape) == 28 * 28


def test_swift(exported, file):
    source = code("swift", "import TensorFlowLite")
    runners = dict(re.findall(r'(\w+) = try interpreter\.signatureRunner\(with: "(\w+)"\)', source))
    assert runners == {"encoder": "encode", "scorer": "score"}
    expected = re.findall(r'expect\((\w+), takes: "(\w+)", \[(.+?)\], gives: "(\w+)", \[(.+?)\]\)', source)
    assert [e[0] for e in expected] == list(runners)
    (dtype,) = re.findall(r"dataType == \.(\w+)", source)
    for runner, input_name, takes, output_name, gives in expected:
        assert file[runners[runner]] == ((input_name, dtype, shape(takes)), (output_name, dtype, shape(gives)))
        assert re.findall(rf'{runner}\.invoke\(with: \["(\w+)": ', source) == [input_name]
        assert re.findall(rf'{runner}\.output\(named: "(\w+)"\)', source) == [output_name]
    assert re.findall(r"count: (\d+) \* (\d+)", source) == [("28", "28")]
    resources = re.findall(r'forResource: "(\w+)", (?:ofType|withExtension): "(\w+)"', source)
    read_from_the_export(exported, [".".join(resource) for resource in resources])
    assert re.findall(r'described\?\["(\w+)"\]', source) == ["threshold"]


def read_from_the_export(exported, names):
    """An app reads these files, and the threshold where both classes look for it."""
    written = sorted(path.name for path in exported.iterdir())
    assert [*written] == ["manifest.json", *sorted(names)] == ["manifest.json", "model.tflite", "report.json"]
    assert json.loads((exported / "report.json").read_text(encoding="utf-8"))["threshold"] == 0.028


def test_raw_input_and_parts_are_as_the_document_says(file, tmp_path):
    (taken, dtype) = re.search(r"in place of `image` it\s+takes `(\w+)`, (\w+)", TEXT).groups()
    zoo.export(zoo.load_encoder(NAME), tmp_path, "tflite", raw_input=True)
    ((_, _, sizes), output) = file["encode"]
    assert described(tmp_path / "model.tflite") == {"encode": ((taken, dtype, sizes), output)}


@pytest.fixture(scope="module")
def signal_file(tmp_path_factory):
    """What a model that takes 140 samples of one channel is, exported."""
    directory = tmp_path_factory.mktemp("signal")
    backbone = zoo.feed_forward((140,), 4, (8,), output_activation="linear")
    model = zoo.preprocessed(backbone, zoo.preprocessing.PerWindowStandardize(), sampling_rate=125)
    zoo.export(zoo.detector(model, threshold=1.0), directory, "tflite")
    return described(directory / "model.tflite")


def test_uses_of_the_signal_stream(signal_file):
    ((takes, _, shape_), (gives, _, _)) = signal_file["score"]
    side = r"`(\w+)` (\w+) \(([\d, ]+)\)"
    ((signature, *sides),) = re.findall(rf"signature `(\w+)` takes {side}, and gives {side}", TEXT)
    stated = (sides[0], sides[1], shape(sides[2])), (sides[3], sides[4], shape(sides[5]))
    assert stated == signal_file[signature]
    kotlin, swift = code("kotlin", "val stream = SignalStream("), code("swift", "let stream = SignalStream(")
    cpp = code("cpp", "SignalStream stream(")
    run = r'mapOf\("(\w+)" to FloatBuffer.wrap\(window\)\), mapOf\("(\w+)" to score\), "(\w+)"'
    assert re.findall(run, kotlin) == [(takes, gives, "score")]
    assert re.findall(r'with: \["(\w+)": |named: "(\w+)"', swift) == [(takes, ""), ("", gives)]
    assert re.findall(r'(?:Runner|tensor)\("(\w+)"\)', cpp) == ["score", takes, gives]
    for source in (kotlin, swift):
        assert re.findall(r"length: 140|length = 140|channels: 1|channels = 1", source) != []
    numbers = [
        re.findall(r"\d+", re.search(r"SignalStream[^{\[]+threshold[^{\[]+", s)[0]) for s in (kotlin, swift, cpp)
    ]
    assert numbers == [[str(shape_[1]), "1", "70", "2", "3"]] * 3


MAIN = {
    "kotlin": """
fun main() {
    val stream = SignalStream(5, 2, readln().toInt(), 40f, 2, 3) { window ->
        window.withIndex().sumOf { (i, value) -> ((i + 1) * value).toDouble() }.toFloat()
    }
    for (line in generateSequence(::readlnOrNull)) {
        val sample = line.split(" ").map { it.toFloat() }.toFloatArray()
        stream.push(*sample)?.let { println("${it.start} ${it.score} ${if (it.alarm) 1 else 0}") }
    }
}
""",
    "swift": """
let stream = SignalStream(length: 5, channels: 2, hop: Int(readLine()!)!, threshold: 40, k: 2, n: 3) { window in
    window.enumerated().reduce(0) { $0 + Float($1.0 + 1) * $1.1 }
}
while let line = readLine() {
    if let window = try stream.push(line.split(separator: " ").map { Float($0)! }) {
        print(window.start, window.score, window.alarm ? 1 : 0)
    }
}
""",
    "cpp": """
#include <cstdio>
int main() {
  int hop;
  if (std::scanf("%d", &hop) != 1) return 1;
  SignalStream stream(5, 2, hop, 40, 2, 3, [](const std::vector<float>& window) {
    float sum = 0;
    for (std::size_t i = 0; i < window.size(); ++i) sum += (i + 1) * window[i];
    return sum;
  });
  for (float sample[2]; std::scanf("%f %f", sample, sample + 1) == 2;) {
    if (auto w = stream.push(sample)) std::printf("%d %g %d\\n", static_cast<int>(w->start), w->score, w->alarm);
  }
}
""",
}
COMPILE = {
    "kotlin": ("kotlinc", "stream.kt", ["kotlinc", "-Werror", "stream.kt", "-include-runtime", "-d", "stream.jar"]),
    "swift": ("swiftc", "main.swift", ["swiftc", "-warnings-as-errors", "main.swift", "-o", "stream"]),
    "cpp": (
        "g++",
        "stream.cc",
        ["g++", "-std=c++17", "-O2", "-Wall", "-Wextra", "-Werror", "-fsanitize=address,undefined", "stream.cc", "-o",
         "stream"],
    ),
}  # fmt: skip
RUN = {"kotlin": ["java", "-jar", "stream.jar"], "swift": ["./stream"], "cpp": ["./stream"]}


class SumOfProducts:
    """Scores a window with Σ (i + 1) xᵢ, which is exact for small whole numbers."""

    input_shape, threshold, contract = (5, 2), 40.0, Contract((5, 2), unit_range=False)

    def score(self, x):
        return x.reshape(1, 10) @ np.arange(1, 11, dtype="float32")


@pytest.mark.parametrize("language", MAIN)
def test_the_signal_stream_is_zoo_lite_stream(language, tmp_path):
    """Compiled, and run on whole numbers with a gap: start, score and alarm of every window are the same."""
    compiler, name, command = COMPILE[language]
    if not shutil.which(compiler):
        pytest.skip(f"{compiler} is not installed")
    having = {"cpp": "#pragma once", "kotlin": "class SignalStream(", "swift": "class SignalStream {"}[language]
    (tmp_path / name).write_text(code(language, having).replace("#pragma once", "") + MAIN[language])
    subprocess.run(command, cwd=tmp_path, check=True)
    samples = np.random.default_rng(0).integers(-3, 5, (200, 2)).astype("float32")
    samples[40, 1], samples[41:43] = np.nan, np.inf
    rows = [f"{a} {b}".replace("nan", "NaN").replace("inf", "Infinity") for a, b in samples.tolist()]
    for hop in (1, 3, 7):
        text = "\n".join([str(hop), *rows])
        done = subprocess.run(RUN[language], cwd=tmp_path, input=text, capture_output=True, text=True, check=True)
        found = np.array([line.split() for line in done.stdout.splitlines()], float)
        windows = zoo.lite.Stream(SumOfProducts(), hop=hop, k=2, n=3).push(samples)
        np.testing.assert_array_equal(found, [(w.start, w.score, w.alarm) for w in windows])
        assert np.isnan(found[:, 1]).any()
        assert set(found[:, 2]) == {0, 1}


@pytest.mark.filterwarnings("ignore:int8 calibrated on 20 samples")
def test_minimum_runtimes_are_as_the_document_says(exported, mnist_like, tmp_path):
    """Of a model with convolutions and dense layers, which ask for the newest."""
    pattern = r"needs a runtime of ([\d.]+) or newer.*all but `dynamic` ask for ([\d.]+) at most"
    dynamic, others = (tuple(map(int, version.split("."))) for version in re.search(pattern, TEXT).groups())
    model, x = zoo.load("mnist-convolutional-8"), mnist_like[:20]
    zoo.export(model, tmp_path / "dynamic", "tflite", quantization="dynamic", samples=x)
    zoo.export(model, tmp_path / "int8", "tflite", quantization="int8", calibration=x, samples=x, force=True)
    assert minimum_runtime(tmp_path / "dynamic" / "model.tflite")[:2] == dynamic
    assert minimum_runtime(tmp_path / "int8" / "model.tflite")[:2] == others
    assert minimum_runtime(exported / "model.tflite")[:2] <= others


def test_commands_are_accepted():
    """The shell lines parse, and every option in running text is one of zoo export's."""
    assert len(COMMANDS) == 1
    for _, command, *arguments in COMMANDS:
        main.commands[command].make_context(command, list(arguments))
    options = {option for parameter in main.commands["export"].params for option in parameter.opts}
    mentioned = set(re.findall(r"`(--[a-z-]+)", TEXT))
    assert mentioned >= {"--part", "--raw-input", "--batch-size", "--threshold-quantile"}
    assert mentioned <= options
    for command in re.findall(r"`zoo ([a-z]+)", TEXT):
        assert command in main.commands
    assert re.search(r"^arm64:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)


def test_the_part_on_arm_is_generated_from_what_was_measured(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    import check_arm64

    results = json.loads(check_arm64.RESULTS.read_text(encoding="utf-8"))
    assert check_arm64.with_part(TEXT, results) == TEXT
    measured = [name for name in check_arm64.SETS if name in results["models"]]
    assert list(results["models"]) == measured
    assert tuple(results["processors"]) == tuple(check_arm64.PROCESSORS)
    assert (results["here"]["machine"], results["there"]["machine"]) == ("x86_64", "aarch64")
    assert check_arm64.outside(results) == []
    integers = [
        compared
        for modes in results["models"].values()
        for signatures in modes["int8"].values()
        for signature, compared in signatures.items()
        if signature not in ("score", "error")
    ]
    assert len(integers) == 3 * len(measured) * len(check_arm64.PROCESSORS)
    assert {compared["differing"] for compared in integers} == {0}
