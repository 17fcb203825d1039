"""Every operator of a file alone: what TFLite Micro computes of its inputs, compared with LiteRT's kernels."""

import dataclasses

import numpy as np

from zoo.core.errors import ParityError
from zoo.exporting import flatbuffer
from zoo.exporting.report import MicroDifference

# TFLite Micro rounds the sums of FULLY_CONNECTED twice, LiteRT once: some are then one step apart.
_STEPS = 1
_FLOATS = 1e-5  # of the largest value: sums in another order


@dataclasses.dataclass(frozen=True)
class Apart:
    """A file whose operators each take inputs of their own.

    Attributes:
        content: bytes of a .tflite file, without signatures.
        inputs, outputs: indices of the tensors of the original file that its inputs and outputs stand for.
        operators: for each output, the name of its operator.
    """

    content: bytes
    inputs: list
    outputs: list
    operators: list

    @classmethod
    def of(cls, content: bytes) -> "Apart":
        return cls(*flatbuffer.with_operators_apart(content))

    @property
    def tensors(self) -> list:
        """Indices of all these tensors."""
        return sorted({*self.inputs, *self.outputs})


def compare(apart: Apart, values: dict, optimized: bool = False) -> dict[str, MicroDifference]:
    """Differences of TFLite Micro to LiteRT, by "operator, dtype".

    Args:
        apart: of the file.
        values: dict of each of `apart.tensors` to what TFLite Micro computed, array (samples, ...).
        optimized: compare with the kernels that a phone runs, which differ between processors, not with the reference.

    Raises:
        ParityError: an operator is off by more than one step, or by more than float32 rounds.
    """
    expected = _reference(apart, values, optimized)
    found: dict[str, list] = {}
    for operator, index, reference in zip(apart.operators, apart.outputs, expected, strict=True):
        found.setdefault(f"{operator}, {reference.dtype}", []).append(_difference(operator, values[index], reference))
    return {key: _largest(found[key]) for key in sorted(found)}


def _reference(apart, values, optimized):
    try:
        interpreter = _interpreter(apart.content, "AUTO" if optimized else "BUILTIN_REF")
    except ValueError:  # there is no reference kernel of ELU and some others
        interpreter = _interpreter(apart.content, "BUILTIN_WITHOUT_DEFAULT_DELEGATES")
    takes, gives = interpreter.get_input_details(), interpreter.get_output_details()
    rows = []
    for sample in zip(*(values[index] for index in apart.inputs), strict=True):
        for details, value in zip(takes, sample, strict=True):
            interpreter.set_tensor(details["index"], value.reshape(details["shape"]))
        interpreter.invoke()
        rows.append([interpreter.get_tensor(details["index"]) for details in gives])
    return [np.stack(column) for column in zip(*rows, strict=True)]


def _interpreter(content, resolver):
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    kernels = OpResolverType[resolver]
    interpreter = Interpreter(model_content=content, num_threads=1, experimental_op_resolver_type=kernels)
    interpreter.allocate_tensors()
    return interpreter


def _difference(operator, values, reference):
    difference = np.abs(values.reshape(reference.shape).astype("float64") - reference)
    largest = float(difference.max())
    is_float = reference.dtype.kind == "f"
    allowed = _FLOATS * max(1.0, float(np.abs(reference).max())) if is_float else _STEPS
    if not largest <= allowed:  # so that NaN fails too
        raise ParityError(
            f"In TFLite Micro, the operator {operator} computes something else than in LiteRT: {reference.dtype} values"
            f" differ by {largest:.3g}, allowed is {allowed:.3g}. Nothing was written."
        )
    return MicroDifference(*((None, None) if is_float else (int(largest), float(difference.mean()))), largest)


def _largest(differences):
    """Of several operators of one kind, each entry's largest."""
    columns = zip(*map(dataclasses.astuple, differences), strict=True)
    return MicroDifference(*(None if None in column else max(column) for column in columns))
