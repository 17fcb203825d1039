"""The structure of a .tflite file, checked before LiteRT sees it: LiteRT follows indices and shapes without a question.

A file is refused for whatever no runtime could run, and for what a file of the zoo never has: custom operators, data
outside of the FlatBuffer, several inputs or outputs of a signature.
"""

import math
import types

import numpy as np

from zoo.core.errors import ExportError
from zoo.exporting import tflite_operators
from zoo.exporting.metadata import KEY
from zoo.exporting.structure import MEMORY, MULTIPLICATIONS, Structure, number_in, require
from zoo.exporting.tflite_reader import Reader

_VERSION = 3
# TensorType: name as NumPy has it, bits of a value. Text, resources, variants and complex numbers are for no image.
_TYPES = {
    0: ("float32", 32), 1: ("float16", 16), 2: ("int32", 32), 3: ("uint8", 8), 4: ("int64", 64), 6: ("bool", 8),
    7: ("int16", 16), 9: ("int8", 8), 10: ("float64", 64), 12: ("uint64", 64), 15: ("uint32", 32), 16: ("uint16", 16),
    17: ("int4", 4),
}  # fmt: skip
_LIMITS = {n: (np.iinfo(n).min, np.iinfo(n).max) for n in ("int8", "uint8", "int16", "uint16", "int32", "uint32")}
_INPUTS = ("float32", "uint8", "int8", "int16")
_SCALES = (1e-30, 1e30)
# What LiteRT reads of these is a version, or nothing; others steer it.
_METADATA = {KEY.encode(), b"min_runtime_version", b"CONVERSION_METADATA", b"reduced_precision_support"}
# The operators that run another graph of the file; of these only WHILE, which recurrent layers become, is known here.
_WHILE, _WHILE_OPTIONS = 119, 93
_CUSTOM, _LAST = 32, 209
_REFUSED = {31, _CUSTOM, 51, 118, 127, 129, *range(136, 140), *range(142, 145), *range(162, 203), 204, *range(206, 210)}


def check(content: bytes) -> Structure:
    """Check the structure of the bytes of a .tflite file.

    Raises:
        ExportError: with the reason, to stand after the file's name and "is not a model that its runtime can load:".
    """
    reader = Reader(content)
    model = reader.root()
    require(model.version == _VERSION, f"it is of version {model.version} of the format, not {_VERSION}")
    require(not (model.external_buffer_groups or model.external_buffers), "it keeps data outside of itself")
    buffers = [_buffer(buffer) for buffer in model.buffers or ()]
    codes = [_code(code) for code in model.operator_codes or ()]
    graphs = [_Graph(graph, codes, buffers, reader) for graph in model.subgraphs or ()]
    require(sum(graph.memory for graph in graphs) <= MEMORY, "its tensors need too much memory")
    unchecked = {name for graph in graphs for name in graph.check()}
    multiplications = sum(graph.multiplications for graph in graphs)
    require(multiplications <= MULTIPLICATIONS, f"it needs {multiplications:.1g} multiplications for one call")
    _check_loops(graphs)
    _check_signatures(model.signature_defs or (), graphs)
    entries = model.metadata or ()
    unchecked.update(f"metadata {_text(e.name or b'')}" for e in entries if e.name not in _METADATA)
    return Structure(_metadata(entries, buffers), tuple(sorted(unchecked)))


def operators(content: bytes) -> tuple[str, ...]:
    """Sorted names of the operators that a .tflite file uses; those of Flex and custom operators are their own."""
    model = Reader(content).root()
    codes = model.operator_codes or ()
    used = {o.opcode_index for graph in model.subgraphs or () for o in graph.operators or ()}
    chosen = [codes[number_in(index, len(codes), "operator code")] for index in used]
    return tuple(sorted({_text(c.custom_code) if c.custom_code else _name(_builtin(c)) for c in chosen}))


def _text(content):
    try:
        return content.decode()
    except UnicodeDecodeError as problem:
        raise ExportError("one of its names is not UTF-8") from problem


def _name(builtin):
    if builtin in tflite_operators.OPERATORS:
        return tflite_operators.OPERATORS[builtin].name
    from ai_edge_litert.schema_py_generated import BuiltinOperator

    return next((name for name, number in vars(BuiltinOperator).items() if number == builtin), f"operator {builtin}")


def _builtin(code):
    return max(code.deprecated_builtin_code, code.builtin_code)  # as LiteRT does: one of them is the older field


def _code(code):
    builtin = _builtin(code)
    require(not code.custom_code and builtin != _CUSTOM, "it has a custom operator, which runs code of its own")
    require(0 <= builtin <= _LAST, f"it has an unknown operator, number {builtin}")
    require(builtin not in _REFUSED, f"it has the operator {_name(builtin)}, which zoo.export never writes")
    return builtin


def _buffer(buffer):
    require(not (buffer.offset or buffer.size), "it keeps the data of a tensor outside of the FlatBuffer")
    return buffer.data if buffer.data is not None and len(buffer.data) else None


class _Graph:
    """A subgraph: its tensors, with their values where they are constant, and its operators."""

    def __init__(self, table, codes, buffers, reader):
        self.memory = self.multiplications = 0
        self.tensors = [self._tensor(tensor, buffers) for tensor in table.tensors or ()]
        self.inputs, self.outputs = (self._numbers(n) for n in (table.inputs, table.outputs))
        self._operators = table.operators or ()
        self._codes, self._reader = codes, reader
        self.loops = []

    def _numbers(self, vector, optional=False):
        """The numbers of tensors in a vector; -1 stands for an optional one that is absent."""
        numbers = [] if vector is None else vector.tolist()
        for number in numbers:
            if not (optional and number == -1):
                number_in(number, len(self.tensors), "tensor")
        return numbers

    def _tensor(self, table, buffers):
        require(table.type in _TYPES, f"it has a tensor of an unsupported type, number {table.type}")
        dtype, bits = _TYPES[table.type]
        shape = () if table.shape is None else tuple(table.shape.tolist())
        require(len(shape) <= 8 and all(size >= 0 for size in shape), f"it has a tensor of shape {shape}")
        number_of_bytes = (math.prod(shape) * bits + 7) // 8
        require(number_of_bytes <= MEMORY, f"it has a tensor of shape {shape}, which needs too much memory")
        require(not (table.sparsity or table.variant_tensors or table.external_buffer), "it has a sparse tensor")
        data = buffers[number_in(table.buffer, len(buffers), "buffer")]
        if data is None:
            self.memory += number_of_bytes
        else:
            require(
                len(data) == number_of_bytes,
                f"it has a constant of {dtype} {shape} in {len(data)} bytes instead of {number_of_bytes}",
            )
            data = None if bits < 8 else data.view(dtype).reshape(shape)
        signature = () if table.shape_signature is None else tuple(table.shape_signature.tolist())
        require(
            not signature or (len(signature) == len(shape) and all(size >= -1 for size in signature)),
            f"it has a tensor of shape {shape}, or {signature}",
        )
        scale, zero_point = _quantization(table.quantization, dtype, shape)
        return types.SimpleNamespace(
            dtype=dtype,
            shape=shape,
            constant=buffers[table.buffer] is not None,
            data=data,
            scale=scale,
            zero_point=zero_point,
            channel_axis=table.quantization.quantized_dimension if table.quantization else 0,
            # What the operators' checks take for granted.
            ordinary=0 not in shape and bits >= 8 and not table.is_variable and -1 not in signature,
            variable=bool(table.is_variable),
        )

    def check(self):
        """Check what is computed from what; returns the names of the operators that are not checked any further."""
        known = {number for number, tensor in enumerate(self.tensors) if tensor.constant or tensor.variable}
        require(len(set(self.inputs)) == len(self.inputs) and not known & set(self.inputs), "a constant is its input")
        known.update(self.inputs)
        unchecked = set()
        for table in self._operators:
            builtin = self._codes[number_in(table.opcode_index, len(self._codes), "operator code")]
            inputs, outputs = self._numbers(table.inputs, optional=True), self._numbers(table.outputs)
            require(not (table.custom_options is not None or table.large_custom_options_offset), "a custom operator")
            require(known.issuperset(set(inputs) - {-1}), "it uses a tensor before it is computed")
            require(known.isdisjoint(outputs) and len(set(outputs)) == len(outputs), "it computes a tensor twice")
            known.update(outputs)
            if not self._is_checked(table, builtin, inputs, outputs):
                unchecked.add(_name(builtin))
        require(known.issuperset(self.outputs), "an output is never computed")
        return unchecked

    def _is_checked(self, table, builtin, inputs, outputs):
        if builtin == _WHILE:
            require(table.options and table.options_type == _WHILE_OPTIONS, "it has a loop without a body")
            options = self._reader.table(table.options, "WhileOptions")
            self.loops.append(((options.cond_subgraph_index, options.body_subgraph_index), len(inputs), len(outputs)))
            return False
        operator = tflite_operators.OPERATORS.get(builtin)
        taken, given = [None if n < 0 else self.tensors[n] for n in inputs], [self.tensors[n] for n in outputs]
        ordinary = all(tensor is None or tensor.ordinary for tensor in (*taken, *given))
        if operator is None or not ordinary or table.intermediates is not None or table.options_2_type:
            return False
        require(
            not table.options or operator.options_type == table.options_type,
            f"its {operator.name} has the options of another operator",
        )
        options = self._reader.table(table.options, operator.options) if table.options else None
        is_checked, multiplications = operator.checked(options, taken, given)
        self.multiplications += multiplications
        return is_checked


def _quantization(table, dtype, shape):
    """(scales, zero points) of a tensor, empty for one that is not quantised."""
    none = np.empty(0)
    if table is None:
        return none, none
    require(not table.details_type and not table.details, "it has a tensor with quantization of an unknown kind")
    scale = none if table.scale is None else table.scale
    zero_point = none if table.zero_point is None else table.zero_point
    if not len(scale):
        return none, none
    axis = table.quantized_dimension
    require(0 <= axis < max(len(shape), 1), f"it has scales along axis {axis} of a tensor of shape {shape}")
    require(
        len(scale) in (1, shape[axis] if shape else 1) and len(zero_point) in (len(scale), 0),
        f"it has {len(scale)} scales and {len(zero_point)} zero points for a tensor of shape {shape}",
    )
    usual = (scale >= _SCALES[0]) & (scale <= _SCALES[1])  # false for NaN
    require(usual.all(), f"it has a scale that is not a positive number from {_SCALES[0]} to {_SCALES[1]}")
    low, high = _LIMITS.get(dtype, (0, 0))
    require(((zero_point >= low) & (zero_point <= high)).all(), f"it has a zero point outside of {dtype}")
    return scale, zero_point


def _check_loops(graphs):
    """Every loop runs graphs that exist and take what it has; none runs itself."""
    inside = {}
    for number, graph in enumerate(graphs):
        inside[number] = set()
        for (condition, body), takes, gives in graph.loops:
            for index in (condition, body):
                number_in(index, len(graphs), "subgraph")
                inside[number].add(index)
                require(len(graphs[index].inputs) == takes, "a loop has the wrong number of inputs")
            require(len(graphs[body].outputs) == gives == takes, "a loop has the wrong number of outputs")
            require(len(graphs[condition].outputs) == 1, "a loop has several conditions")
    while leaves := {number for number, others in inside.items() if not others & inside.keys()}:
        inside = {number: others for number, others in inside.items() if number not in leaves}
    require(not inside, "a loop runs itself")


def _check_signatures(definitions, graphs):
    require(definitions, "it has no signature. Write it with zoo.export")
    names = [_text(definition.signature_key or b"") for definition in definitions]
    require(len(set(names)) == len(names) and all(names), f"its signatures have the names {names}")
    for name, definition in zip(names, definitions, strict=True):
        graph = graphs[number_in(definition.subgraph_index, len(graphs), "subgraph")]
        for entries, tensors in ((definition.inputs, graph.inputs), (definition.outputs, graph.outputs)):
            entries = entries or ()
            require(
                len(entries) == len(tensors) == 1,
                f"its signature {name!r} has not one input and one output, but those of several",
            )
            require(entries[0].tensor_index == tensors[0], f"its signature {name!r} is not that of its subgraph")
            label = _text(entries[0].name or b"")
            require(label and "\0" not in label + name, f"its signature {name!r} has a tensor without a proper name")
            shape = graph.tensors[tensors[0]].shape
            require(shape and 0 not in shape, f"its signature {name!r} takes or gives samples of shape {shape}")
        dtype = graph.tensors[graph.inputs[0]].dtype
        require(dtype in _INPUTS, f"its signature {name!r} takes {dtype}, not one of {', '.join(_INPUTS)}")


def _metadata(entries, buffers):
    """The zoo's metadata text, or None."""
    found = [entry for entry in entries if entry.name == KEY.encode()]
    require(len(found) <= 1, "it has two entries of metadata for zoo")
    for entry in entries:
        number_in(entry.buffer, len(buffers), "buffer")
    data = buffers[found[0].buffer] if found else None
    return None if not found else b"" if data is None else data.tobytes()
