"""The C++ sources of a file for microcontrollers: what a project needs to know of it, and an example of its use."""

import dataclasses
import hashlib
import math

import numpy as np

from zoo.exporting.metadata import Metadata
from zoo.exporting.micro.operators import method
from zoo.exporting.micro.trial import ALIGNMENT
from zoo.exporting.report import MicroRun
from zoo.exporting.runtime import Details

_TYPES = {"int8": "std::int8_t", "uint8": "std::uint8_t", "int16": "std::int16_t", "float32": "float"}
_SHOWN = 16  # outputs of the example that the device compares with
_PER_LINE = 16


@dataclasses.dataclass(frozen=True)
class Facts:
    """What the sources state.

    Attributes:
        content: bytes of the .tflite file.
        operators: names of its operators.
        details: of its signature.
        micro: what TFLite Micro made of it.
        metadata: of the file.
        is_plain: whether the reconstruction is one of the samples themselves, without preprocessing.
        answer: what TFLite Micro computed from `probe`, in the output's dtype.
    """

    content: bytes
    operators: tuple
    details: Details
    micro: MicroRun
    metadata: Metadata
    is_plain: bool
    answer: np.ndarray


def probe(details):
    """An input that a device can make without data, to compare its outputs with those of the PC."""
    steps = np.arange(math.prod(details.input_shape)) * 37 % 256
    if details.dtype == np.float32:
        values = steps / np.float32(256)
    else:
        values = steps + (-128 if details.dtype == np.int8 else 0)
    return values.astype(details.dtype).reshape(details.input_shape)


def of(facts):
    """Dict of file name to text."""
    return {"model.h": _header(facts), "model.cc": _array(facts), "main.cc": _example(facts)}


def _array(facts):
    content = facts.content
    rows = (content[start : start + _PER_LINE] for start in range(0, len(content), _PER_LINE))
    lines = "\n".join("    " + " ".join(f"0x{byte:02x}," for byte in row) for row in rows)
    return f"""// Written by zoo.export. The bytes of model.tflite, of SHA-256
// {hashlib.sha256(content).hexdigest()}.
#include "model.h"

namespace zoo_model {{

alignas({ALIGNMENT}) const unsigned char kModel[kModelBytes] = {{
{lines}
}};

}}  // namespace zoo_model
"""


def _header(facts):
    details, micro = facts.details, facts.micro
    registrations = "\n".join(
        f"  if (resolver.{method(operator)}() != kTfLiteOk) return kTfLiteError;" for operator in facts.operators
    )
    return f"""// Written by zoo.export. What a device must know of model.tflite: it computes "{micro.signature}".
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>

#include "tensorflow/lite/micro/micro_interpreter.h"
#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"

namespace tflite {{
namespace micro {{}}  // where TFLite Micro has its classes since 2026; before, they were in tflite
}}  // namespace tflite

namespace zoo_model {{

using namespace tflite;
using namespace tflite::micro;

constexpr std::size_t kModelBytes = {len(facts.content)};
extern const unsigned char kModel[kModelBytes];

// The smallest arena in which the model runs, measured in tflite-micro {micro.version} on a
// 64-bit PC with the reference kernels. Pointers of a 32-bit processor need less, kernels such as CMSIS-NN's more:
// shrink it until AllocateTensors fails. The arena must be aligned to {ALIGNMENT} bytes.
constexpr std::size_t kArenaBytes = {micro.arena_bytes};

using Input = {_TYPES[details.dtype.name]};
using Output = {_TYPES[facts.answer.dtype.name]};
{_shape("Input", details.input_shape)}
{_shape("Output", details.output_shape)}
{_statements(facts)}
using Interpreter = MicroInterpreter;
using Resolver = MicroMutableOpResolver<{len(facts.operators)}>;

// Registers exactly the operators of the model.
inline TfLiteStatus RegisterOperators(Resolver& resolver) {{
{registrations}
  return kTfLiteOk;
}}
{_functions(facts)}
}}  // namespace zoo_model
"""


def _shape(name, shape):
    sizes = ", ".join(map(str, shape)) or "1"
    return (
        f"constexpr int k{name}Shape[] = {{{sizes}}};  // of one sample\n"
        f"constexpr std::size_t k{name}Size = {math.prod(shape)};"
    )


def _float(value):
    """A C++ literal of the nearest float32."""
    text = f"{np.float32(value)!s}"
    return (text if {".", "e"} & set(text) else f"{text}.0") + "f"


def _statements(facts):
    lines = []
    for name, scale in (("Input", facts.details.input_scale), ("Output", facts.details.output_scale)):
        if scale is not None:
            lines.append(f"constexpr float k{name}Scale = {_float(scale[0])};")
            lines.append(f"constexpr int k{name}ZeroPoint = {scale[1]};")
    known = facts.metadata
    if known.sampling_rate is not None:
        lines.append(f"constexpr float kSamplingRate = {_float(known.sampling_rate)};  // samples per second")
    if known.unit:
        lines.append(f"// Samples are in {known.unit}.")
    if known.threshold is not None:
        lines.append("// Scores above it are anomalies.")
        lines.append(f"constexpr float kThreshold = {_float(known.threshold)};")
    return "\n".join(lines) + "\n" if lines else ""


def _functions(facts):
    parts = []
    if facts.details.input_scale is not None:
        limits = np.iinfo(facts.details.dtype)
        low, high = f"{limits.min}.0f", f"{limits.max}.0f"
        parts.append(f"""
// Samples as the integers that stand for them. Out-of-range samples become the nearest.
inline void Quantize(const float* samples, Input* input) {{
  for (std::size_t i = 0; i < kInputSize; ++i) {{
    const float value = std::nearbyint(samples[i] / kInputScale) + kInputZeroPoint;
    input[i] = static_cast<Input>(value < {low} ? {low} : value > {high} ? {high} : value);
  }}
}}
""")
    if facts.details.output_scale is not None:
        parts.append("""
// The number that an output stands for.
inline float Dequantize(Output value) { return (value - kOutputZeroPoint) * kOutputScale; }
""")
    scores_here = facts.micro.signature == "reconstruct" and facts.is_plain
    if scores_here:
        value = "output[i]" if facts.details.output_scale is None else "Dequantize(output[i])"
        parts.append(f"""
// The anomaly score, the mean squared error of the reconstruction of samples.
inline float Score(const float* samples, const Output* output) {{
  float sum = 0.0f;
  for (std::size_t i = 0; i < kInputSize; ++i) {{
    const float error = samples[i] - {value};
    sum += error * error;
  }}
  return sum / kInputSize;
}}
""")
    if facts.metadata.threshold is not None and (scores_here or facts.micro.signature == "score"):
        parts.append("""
inline bool IsAnomaly(float score) { return score > kThreshold; }
""")
    return "".join(parts)


def _example(facts):
    answer = facts.answer.reshape(-1)[:_SHOWN]
    is_float = answer.dtype == np.float32
    values = ", ".join(_float(v) if is_float else str(int(v)) for v in answer)
    steps = "i * 37 % 256"
    dtype = facts.details.dtype.name
    value = {"float32": f"({steps}) / 256.0f", "int8": f"{steps} - 128"}.get(dtype, steps)
    return f"""// Written by zoo.export: an example: it runs the model on a pattern and compares with the PC.
#include "model.h"

#include "tensorflow/lite/micro/micro_log.h"
#include "tensorflow/lite/schema/schema_generated.h"

namespace {{

constexpr std::size_t kMargin = 2048;  // for other kernels; shrink it until AllocateTensors fails
alignas({ALIGNMENT}) std::uint8_t arena[zoo_model::kArenaBytes + kMargin];
const zoo_model::Output kExpected[] = {{{values}}};

}}  // namespace

int main() {{
  static zoo_model::Resolver resolver;
  if (zoo_model::RegisterOperators(resolver) != kTfLiteOk) return 1;
  static zoo_model::Interpreter interpreter(tflite::GetModel(zoo_model::kModel), resolver, arena, sizeof(arena));
  if (interpreter.AllocateTensors() != kTfLiteOk) return 1;

  zoo_model::Input* input = interpreter.typed_input_tensor<zoo_model::Input>(0);
  for (int i = 0; i < static_cast<int>(zoo_model::kInputSize); ++i) {{
    input[i] = static_cast<zoo_model::Input>({value});
  }}
  if (interpreter.Invoke() != kTfLiteOk) return 1;

  const zoo_model::Output* output = interpreter.typed_output_tensor<zoo_model::Output>(0);
  float largest = 0.0f;
  for (std::size_t i = 0; i < sizeof(kExpected) / sizeof(kExpected[0]); ++i) {{
    const float difference = std::fabs(static_cast<float>(output[i]) - static_cast<float>(kExpected[i]));
    if (difference > largest) largest = difference;
  }}
  MicroPrintf("arena: %d bytes in use, after more for planning", static_cast<int>(interpreter.arena_used_bytes()));
  MicroPrintf("largest difference to the PC: %d thousandths", static_cast<int>(largest * 1000.0f));
  return 0;
}}
"""
