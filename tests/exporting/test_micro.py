"""Files for microcontrollers: run in TFLite Micro itself, compared with LiteRT, as sources that compile."""

import dataclasses
import json
import re
import shutil
import subprocess
import sys

import keras
import numpy as np
import pytest
from click.testing import CliRunner

import zoo
from zoo.cli import main as commands
from zoo.core.errors import ExportError, ParityError, UnknownNameError
from zoo.exporting import runtime
from zoo.exporting.micro import kernels, operators, sources, trial, writing
from zoo.exporting.tflite_structure import operators as operators_of

pytest.importorskip("tflite_micro", reason='tflite-micro is not installed: pip install "autoencoder-zoo[micro]"')

# What the sources use of TFLite Micro, as its headers declare it; enough to compile, and to run what is ours.
_RESOLVER = """
#pragma once
BEGIN
class MicroOpResolver {};
template <unsigned int tOpCount>
class MicroMutableOpResolver : public MicroOpResolver {
 public:
  static constexpr unsigned int kCount = tOpCount;
  unsigned int registered = 0;
  TfLiteStatus Add() { return registered++ < tOpCount ? kTfLiteOk : kTfLiteError; }
METHODS
};
END
"""
_INTERPRETER = """
#pragma once
#include <cstddef>
#include <cstdint>
STATUS
namespace tflite {
struct Model;
}
BEGIN
class MicroOpResolver;
struct MicroInterpreter {
  MicroInterpreter(const Model* model, const MicroOpResolver& resolver, std::uint8_t* arena, std::size_t size);
  TfLiteStatus AllocateTensors();
  TfLiteStatus Invoke();
  std::size_t arena_used_bytes() const;
  template <class T> T* typed_input_tensor(int index);
  template <class T> T* typed_output_tensor(int index);
};
END
"""
_STATUS = "enum TfLiteStatus { kTfLiteOk = 0, kTfLiteError = 1 };"
_STATUS_OF_TODAY = f"""
namespace tflite {{ namespace micro {{ {_STATUS} }} }}
namespace tflite {{ using micro::TfLiteStatus; using micro::kTfLiteOk; using micro::kTfLiteError; }}
using ::tflite::micro::TfLiteStatus;
using ::tflite::micro::kTfLiteOk;
using ::tflite::micro::kTfLiteError;
"""
# Where its versions have the classes: (beginning and end of a namespace, TfLiteStatus).
_NAMESPACES = {
    "until 2026": ("namespace tflite {", "}", _STATUS),
    "since 2026": ("namespace tflite { namespace micro {", "} }", _STATUS_OF_TODAY),
}
_PROGRAM = """
#include "model.h"
#include <cstdio>
int main() {
  zoo_model::Resolver resolver;
  if (zoo_model::RegisterOperators(resolver) != kTfLiteOk || resolver.registered != resolver.kCount) return 1;
  if (reinterpret_cast<std::uintptr_t>(zoo_model::kModel) % 16) return 2;
  std::fwrite(zoo_model::kModel, 1, sizeof(zoo_model::kModel), stdout);
  BODY
  return 0;
}
"""


def signals(shape, count=300):
    return np.cumsum(np.random.default_rng(0).normal(0, 0.1, (count, *shape)), axis=1).astype("float32")


def convolutional(**options):
    keras.utils.set_random_seed(0)
    return zoo.convolutional((32, 2), 4, (4, 8), output_activation="linear", **options)


def exported(model, directory, x, **options):
    """(what the report says of the file, directory of the files)."""
    report = zoo.export(model, directory, "micro", calibration=x, **options)
    return report.files["micro"], directory / "micro"


@pytest.fixture(scope="module")
def reconstructing(tmp_path_factory):
    """(model, samples, facts, directory) of a 1-D convolutional autoencoder with a threshold."""
    model, x = convolutional(), signals((32, 2))
    return model, x, *exported(model, tmp_path_factory.mktemp("micro"), x, threshold=0.25)


def micro_outputs(directory, x):
    """What TFLite Micro computes of samples, as floats."""
    content = (directory / "model.tflite").read_bytes()
    (details,) = zoo.lite.load(directory / "model.tflite")._runtime.signatures.values()
    if details.input_scale:
        x = runtime.quantized(x, details.dtype, *details.input_scale)
    outputs = trial.run(content, x).outputs
    scale, zero_point = details.output_scale or (1, 0)
    return (outputs.astype("float32") - zero_point) * np.float32(scale)


def compiled(directory, folder, body="", version="since 2026"):
    """Output of a program that is compiled with the sources; TFLite Micro is replaced by what declares it."""
    begin, end, status = _NAMESPACES[version]
    methods = re.findall(r"resolver\.(Add\w+)\(\)", (directory / "model.h").read_text())
    micro = folder / "tensorflow" / "lite" / "micro"
    (folder / "tensorflow" / "lite" / "schema").mkdir(parents=True)
    micro.mkdir()
    declared = "\n".join(f"  TfLiteStatus {name}() {{ return Add(); }}" for name in methods)
    for name, text in (("micro_mutable_op_resolver", _RESOLVER), ("micro_interpreter", _INTERPRETER)):
        for key, value in {"METHODS": declared, "BEGIN": begin, "END": end, "STATUS": status}.items():
            text = text.replace(key, value)
        (micro / f"{name}.h").write_text(text)
    (micro / "micro_log.h").write_text("void MicroPrintf(const char* format, ...);\n")
    schema = "namespace tflite { const Model* GetModel(const void* bytes); }\n"
    (folder / "tensorflow" / "lite" / "schema" / "schema_generated.h").write_text(schema)
    (folder / "program.cc").write_text(_PROGRAM.replace("BODY", body))
    command = ["g++", "-std=c++17", "-Wall", "-Werror", f"-I{folder}", f"-I{directory}"]
    subprocess.run([*command, "-fsyntax-only", directory / "main.cc"], check=True)
    program = folder / "program"
    subprocess.run([*command, folder / "program.cc", directory / "model.cc", "-o", program], check=True)
    return subprocess.run([program], capture_output=True, check=True).stdout


needs_compiler = pytest.mark.skipif(shutil.which("g++") is None, reason="no C++ compiler")


def test_outputs_are_those_of_litert_and_keras(reconstructing):
    model, x, file, directory = reconstructing
    phone = zoo.lite.load(directory / "model.tflite")
    assert phone.signatures == ("reconstruct",)
    assert phone.threshold == 0.25
    outputs = micro_outputs(directory, x[:100])
    (details,) = phone._runtime.signatures.values()
    assert details.dtype == np.int8
    steps = np.abs(outputs - phone.reconstruct(x[:100])) / details.output_scale[0]
    np.testing.assert_allclose(steps, np.rint(steps), atol=1e-3)
    assert steps.max() <= 4
    assert steps.mean() < 0.2
    assert file.micro.max_steps <= 4
    assert file.micro.mean_steps < 0.2
    assert file.micro.max_difference == pytest.approx(file.micro.max_steps * details.output_scale[0], rel=1e-3)
    assert np.abs(outputs - model.reconstruct(x[:100])).max() < 10 * details.output_scale[0]


def test_report(reconstructing):
    _, _, file, directory = reconstructing
    stored = json.loads((directory.parent / "report.json").read_text())["files"]["micro"]
    assert stored["file"] == "micro/model.tflite"
    assert stored["size_bytes"] == (directory / "model.tflite").stat().st_size
    assert stored["quantization"] == "int8"
    assert stored["micro"]["arena_bytes"] == file.micro.arena_bytes
    assert stored["micro"]["samples"] == 64
    assert stored["micro"]["operators"] == {
        key: {"max_steps": d.max_steps, "mean_steps": d.mean_steps, "max_difference": d.max_difference}
        for key, d in file.micro.operators.items()
    }
    assert stored["operators"] == ["CONV_2D", "FULLY_CONNECTED", "RELU", "RESHAPE", "TRANSPOSE_CONV"]


def test_the_arena_is_the_smallest(reconstructing):
    *_, file, directory = reconstructing
    code = """
import sys
import numpy as np
from tflite_micro import runtime
interpreter = runtime.Interpreter.from_file(sys.argv[1], arena_size=int(sys.argv[2]))
interpreter.set_input(np.ones((1, 32, 2), "int8"), 0)
interpreter.invoke()
sys.stdout.buffer.write(interpreter.get_output(0).tobytes())
"""

    def run(size):
        done = subprocess.run([sys.executable, "-c", code, directory / "model.tflite", str(size)], capture_output=True)
        return done.stdout if done.returncode == 0 else None

    arena = file.micro.arena_bytes
    assert arena % 16 == 0
    assert run(arena) == run(10 * arena) != b""
    assert run(arena - 16) is None
    assert f"kArenaBytes = {arena};" in (directory / "model.h").read_text()


@needs_compiler
@pytest.mark.parametrize("version", list(_NAMESPACES))
def test_sources_compile_and_compute(reconstructing, version, tmp_path):
    model, x, _, directory = reconstructing
    samples, reconstruction = x[0].reshape(-1), model.reconstruct(x[:1]).reshape(-1)
    (details,) = zoo.lite.load(directory / "model.tflite")._runtime.signatures.values()
    as_int8 = runtime.quantized(reconstruction, details.dtype, *details.output_scale)
    values = ", ".join(f"{float(value)!r}f" for value in np.append(samples[:-1], 1e6))  # the last one is out of range
    body = f"""
  const float samples[] = {{{values}}};
  const zoo_model::Output output[] = {{{", ".join(map(str, as_int8))}}};
  zoo_model::Input input[zoo_model::kInputSize];
  zoo_model::Quantize(samples, input);
  std::fwrite(input, 1, sizeof(input), stdout);
  float results[] = {{zoo_model::Score(samples, output), zoo_model::Dequantize(output[0]),
                     zoo_model::IsAnomaly(0.26f) ? 1.0f : 0.0f, zoo_model::IsAnomaly(0.24f) ? 1.0f : 0.0f}};
  std::fwrite(results, 1, sizeof(results), stdout);"""
    content = (directory / "model.tflite").read_bytes()
    printed = compiled(directory, tmp_path, body, version)
    assert printed[: len(content)] == content
    given = np.append(samples[:-1], np.float32(1e6))
    expected = runtime.quantized(given, details.dtype, *details.input_scale)
    np.testing.assert_array_equal(np.frombuffer(printed, "int8", 64, len(content)), expected)
    assert expected[-1] == 127
    floats = np.frombuffer(printed, "float32", offset=len(content) + 64)
    scale, zero_point = details.output_scale
    meant = (as_int8.astype("float32") - zero_point) * np.float32(scale)
    assert floats[0] == pytest.approx(np.mean((given.astype("float64") - meant) ** 2), rel=1e-5)
    assert floats[1] == pytest.approx(meant[0], rel=1e-6)
    assert list(floats[2:]) == [1, 0]


def test_the_resolver_registers_the_operators_of_the_file(reconstructing):
    *_, directory = reconstructing
    header = (directory / "model.h").read_text()
    found = operators_of((directory / "model.tflite").read_bytes())
    assert re.findall(r"resolver\.(\w+)\(\)", header) == [operators.method(name) for name in found]
    assert f"MicroMutableOpResolver<{len(found)}>" in header
    expected = {"CONV_2D": "AddConv2D", "PADV2": "AddPadV2", "SPLIT_V": "AddSplitV", "CUMSUM": "AddCumSum"}
    assert {name: operators.method(name) for name in expected} == expected


def test_bytes_of_the_weights_are_aligned(reconstructing):
    from zoo.engine import keras_internals

    *_, directory = reconstructing
    content = (directory / "model.tflite").read_bytes()
    for buffer in keras_internals.tflite_objects(content).buffers:
        if buffer.data is not None and np.any(buffer.data) and len(buffer.data) > 16:
            assert content.find(bytes(buffer.data)) % 16 == 0


def test_the_example_expects_what_the_interpreter_computes(reconstructing):
    *_, directory = reconstructing
    (details,) = zoo.lite.load(directory / "model.tflite")._runtime.signatures.values()
    probe = sources.probe(details)
    assert probe.dtype == np.int8
    assert probe.reshape(-1)[:3].tolist() == [-128, -91, -54]  # i * 37 % 256 - 128
    outputs = trial.run((directory / "model.tflite").read_bytes(), probe[None]).outputs.reshape(-1)[:16]
    assert f"kExpected[] = {{{', '.join(map(str, outputs))}}};" in (directory / "main.cc").read_text()


@needs_compiler
def test_a_detector_computes_its_score_from_raw_samples(tmp_path):
    x = signals((32, 2))
    backbone = zoo.preprocessed(
        convolutional(),
        [zoo.preprocessing.Standardize().fitted(x)],
        sampling_rate=360.0,
        unit="mV",
        raw=zoo.preprocessing.Rescale(1 / 200, integers="int16"),
    )
    model = zoo.detector(backbone, threshold=0.5)
    integers = np.rint(x * 200).astype("int16")
    file, directory = exported(model, tmp_path / "exported", integers, raw_input=True)
    assert file.micro.signature == "score"
    assert file.micro.max_steps is None
    device = micro_outputs(directory, integers[:50])
    phone = zoo.lite.load(directory / "model.tflite")
    assert (phone.signatures, phone.dtype, phone.sampling_rate) == (("score",), np.int16, 360.0)
    np.testing.assert_allclose(device, phone.score(integers[:50]), rtol=0.05)
    np.testing.assert_allclose(device, model.score(integers[:50] / np.float32(200)), rtol=0.1)
    header = (directory / "model.h").read_text()
    for line in (
        "using Input = std::int16_t;",
        "using Output = float;",
        "kSamplingRate = 360.0f;",
        "kThreshold = 0.5f;",
    ):
        assert line in header
    assert "in mV" in header
    assert "IsAnomaly" in header
    assert "inline void Quantize(" not in header
    compiled(directory, tmp_path / "build")


@pytest.mark.parametrize("options", [{"tied_weights": True}, {"strides": 1, "pooling": 2}])
def test_transposed_convolutions_of_signals(options, tmp_path):
    model, x = convolutional(**options), signals((32, 2))
    file, directory = exported(model, tmp_path, x)
    assert "TRANSPOSE_CONV" in file.operators
    expected = zoo.lite.load(directory / "model.tflite").reconstruct(x[:20])
    assert np.sqrt(np.mean((micro_outputs(directory, x[:20]) - expected) ** 2)) < 0.02 * np.abs(expected).max()


def test_parts_and_signatures(tmp_path):
    model, x = convolutional(), signals((32, 2))
    assert exported(model.encoder, tmp_path / "encoder", x)[0].micro.signature == "encode"
    _, directory = exported(model, tmp_path / "encode", x, signature="encode")
    assert zoo.lite.load(directory / "model.tflite").encode(x[0]).shape == (4,)
    assert "Score(" not in (directory / "model.h").read_text()
    with pytest.raises(UnknownNameError, match="Unknown signature 'classify'"):
        exported(model, tmp_path / "other", x, signature="classify")
    with pytest.raises(ExportError, match="signature is for the format 'micro'"):
        zoo.export(model, tmp_path / "other", "tflite", signature="encode")
    assert not (tmp_path / "other").exists()


def test_next_to_other_formats(tmp_path):
    """int8 is micro's: the .tflite file stays as it was asked for."""
    model, x = convolutional(), signals((32, 2))
    report = zoo.export(model, tmp_path, ("tflite", "micro"), calibration=x, samples=x[:100])
    assert report.files["tflite"].quantization is None
    assert report.files["tflite"].max_difference < 1e-5
    assert report.files["tflite"].micro is None
    assert report.files["micro"].max_difference > 1e-5


def test_what_is_lacking_is_refused_by_name(tmp_path):
    x = signals((32,))
    topk = zoo.sparse(zoo.feed_forward((32,), 16, output_activation="linear"), zoo.sparsity.TopK(3))
    with pytest.raises(
        ExportError, match="lacks the operator ONE_HOT, TOPK_V2: it is of TopK sparsity: use .*L1 or KL"
    ):
        exported(topk, tmp_path / "topk", x)
    gelu = zoo.feed_forward((32,), 4, (8,), activation="gelu", output_activation="linear")
    with pytest.raises(ExportError, match='lacks the operator GELU: use the activation "relu"'):
        exported(gelu, tmp_path / "gelu", x)
    softplus = zoo.feed_forward((32,), 4, (8,), activation="softplus", output_activation="linear")
    with pytest.raises(ExportError, match="TFLite Micro does not run this model. It says: .*"):
        exported(softplus, tmp_path / "softplus", x)
    assert not any(tmp_path.iterdir())


def test_a_file_that_ends_the_interpreter_ends_only_that(reconstructing):
    *_, directory = reconstructing
    content = (directory / "model.tflite").read_bytes()
    with pytest.raises(ExportError, match="TFLite Micro does not run this model"):
        trial.run(content[: len(content) // 4], np.zeros((1, 32, 2), "int8"))


def test_every_operator_is_that_of_litert(reconstructing):
    """All are equal, but for what TFLite Micro rounds twice."""
    *_, file, _ = reconstructing
    found = file.micro.operators
    assert list(found) == [f"{name}, int8" for name in file.operators]
    assert {key for key, d in found.items() if d.max_steps} <= {"FULLY_CONNECTED, int8"}
    assert found["FULLY_CONNECTED, int8"].max_steps <= 1
    assert found["FULLY_CONNECTED, int8"].mean_steps < 0.05


def test_an_operator_without_a_reference_kernel_is_compared_too(tmp_path):
    model = zoo.feed_forward((32,), 4, (8,), activation="elu", output_activation="linear")
    file, _ = exported(model, tmp_path, signals((32,)))
    assert set(file.micro.operators) == {
        "DEQUANTIZE, float32", "ELU, float32", "FULLY_CONNECTED, int8", "QUANTIZE, int8"
    }  # fmt: skip
    assert file.micro.operators["ELU, float32"].max_difference < 1e-5


@pytest.fixture(scope="module")
def scoring(tmp_path_factory):
    """(operators apart, samples, run of TFLite Micro) of a score, whose graph branches: it takes its samples twice."""
    keras.utils.set_random_seed(0)
    x, model = signals((32,)), zoo.detector(zoo.feed_forward((32,), 4, (8,), output_activation="linear"))
    _, directory = exported(model, tmp_path_factory.mktemp("scoring"), x)
    content = (directory / "model.tflite").read_bytes()
    apart = kernels.Apart.of(content)
    return apart, x[:4], trial.run(content, x[:4], apart.tensors)


def test_operators_apart_are_those_of_the_file(scoring):
    apart, x, run = scoring
    assert [*apart.operators[:1], *apart.operators[-2:]] == ["QUANTIZE", "SQUARED_DIFFERENCE", "MEAN"]
    assert len(apart.inputs) == len(apart.operators) + 1
    assert apart.inputs.count(apart.inputs[0]) == 2
    np.testing.assert_array_equal(run.kept[apart.inputs[0]].reshape(x.shape), x)
    np.testing.assert_array_equal(run.kept[apart.outputs[-1]].reshape(run.outputs.shape), run.outputs)
    found = kernels.compare(apart, run.kept)
    assert (found["QUANTIZE, int8"].max_steps, found["MEAN, float32"].max_steps) == (0, None)
    assert found["MEAN, float32"].max_difference < 1e-6


@pytest.mark.parametrize(
    ("operator", "off", "words"),
    [
        ("QUANTIZE", 2, "int8 values differ by 2, allowed is 1"),
        ("FULLY_CONNECTED", 3, "int8 values differ by [234], allowed is 1"),
        ("MEAN", 1e-4, "float32 values differ by 0.0001, allowed is 1e-05"),
        ("SQUARED_DIFFERENCE", np.nan, "float32 values differ by nan"),
    ],
)
def test_an_operator_that_computes_something_else_is_a_parity_error(operator, off, words, scoring):
    apart, _, run = scoring
    index = apart.outputs[apart.operators.index(operator)]
    changed = run.kept[index].copy()
    changed.flat[0] += off if changed.flat[0] < 100 else -off
    with pytest.raises(ParityError, match=f"In TFLite Micro, the operator {operator} .* in LiteRT: {words}"):
        kernels.compare(apart, {**run.kept, index: changed})


def test_nothing_is_written_with_another_operator(tmp_path, monkeypatch):
    run = trial.run

    def wrong(content, samples, kept):
        found = run(content, samples, kept)
        last = kernels.Apart.of(content).outputs[-1]
        return dataclasses.replace(found, kept={**found.kept, last: np.roll(found.kept[last], 1, axis=0)})

    monkeypatch.setattr(writing.trial, "run", wrong)
    with pytest.raises(ParityError, match="In TFLite Micro, the operator RESHAPE computes something else"):
        exported(convolutional(), tmp_path / "exported", signals((32, 2)))
    assert not (tmp_path / "exported").exists()


def test_without_the_package(tmp_path, monkeypatch):
    """It is said before anything is read, for the function and the command."""
    monkeypatch.setattr(trial.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(zoo, "load", lambda name: pytest.fail("the model was loaded"))
    words = 'which is not installed: pip install "autoencoder-zoo[micro]"'
    with pytest.raises(ExportError, match=re.escape(words)):
        zoo.export("not even a model", tmp_path / "exported", ("tflite", "micro"))
    answer = CliRunner().invoke(commands, ["export", "mnist-tied-feed-forward-32", "--format", "micro"])
    assert answer.exit_code == 2
    assert answer.output.startswith("Error: The format 'micro' is tried in the interpreter of TFLite Micro")
    assert answer.output.endswith(f"{words}\n")
