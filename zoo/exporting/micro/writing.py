"""Writing the files for microcontrollers: convert, try in TFLite Micro, compare with LiteRT, write the sources."""

import dataclasses

import numpy as np

from zoo.core.errors import unknown_name
from zoo.exporting import flatbuffer, metadata, runtime, tflite, tflite_structure
from zoo.exporting.micro import kernels, operators, sources, trial
from zoo.exporting.opening import opened
from zoo.exporting.report import MicroRun

_SAMPLES = 64


def write(target, path, plan):
    """Write ``model.tflite`` with one signature, and next to it ``model.h``, ``model.cc`` and ``main.cc``.

    The file's inputs and outputs are int8, as the device's code expects. They are float32 where that would cost what
    the file is for: the score and the error of a detector, and samples before the model's own preprocessing.

    Returns:
        `Written`, with what TFLite Micro makes of the file.

    Raises:
        ExportError: tflite-micro is not installed, or TFLite Micro lacks an operator or refuses the file.
        ParityError: an operator computes something else than in LiteRT.
    """
    name = _chosen(target, plan.signature)
    target = dataclasses.replace(target, signatures={name: target.signatures[name]})
    in_integers = target.dtype == "float32" and name not in ("score", "error") and not target.floating
    plan = dataclasses.replace(
        plan,
        batch_size=1,
        quantization=dataclasses.replace(plan.quantization, integer_io="int8" if in_integers else None),
        metadata=metadata.of_target(target, plan.metadata.threshold),
    )
    path.parent.mkdir()
    written = tflite.write(target, path, plan)
    content = path.read_bytes()
    found = tflite_structure.operators(content)
    operators.check(found)
    engine = opened(path, check=tflite_structure.check, engine=runtime.LiteRT)
    details = engine.signatures[name]
    samples = plan.quantization.calibration[name]
    samples = samples[np.linspace(0, len(samples) - 1, min(_SAMPLES, len(samples))).astype(int)]
    probe = sources.probe(details)
    taken = samples if details.input_scale is None else runtime.quantized(samples, details.dtype, *details.input_scale)
    apart = kernels.Apart.of(content)
    run = trial.run(content, np.concatenate([taken, probe[None]]), apart.tensors)
    micro = MicroRun(
        *_differences(run, engine, taken, flatbuffer.output_step(content)),
        signature=name,
        arena_bytes=run.arena_bytes,
        samples=len(samples),
        operators=kernels.compare(apart, run.kept),
        version=run.version,
    )
    facts = sources.Facts(content, found, details, micro, plan.metadata, not target.floating, run.outputs[-1])
    for file, text in sources.of(facts).items():
        (path.parent / file).write_text(text, encoding="utf-8")
    return dataclasses.replace(written, micro=micro)


def _chosen(target, given):
    if given is None:
        return "score" if "error" in target.signatures else target.default.name
    if given not in target.signatures:
        raise unknown_name("signature", given, target.signatures)
    return given


def _differences(run, engine, taken, step):
    """Of the whole file to LiteRT: (largest in steps of the output, their mean, largest as floats); see `MicroRun`."""
    ((name, details),) = engine.signatures.items()
    expected, outputs = engine.run(name, taken), run.outputs[:-1]
    scale, zero_point = details.output_scale or (1.0, 0)
    difference = np.abs((outputs.astype("float32") - zero_point) * np.float32(scale) - expected)
    if not step:
        return None, None, float(difference.max())
    steps = np.rint(difference / step)
    return int(steps.max()), float(steps.mean()), float(difference.max())
