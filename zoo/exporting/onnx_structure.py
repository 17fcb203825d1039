"""The structure of an .onnx file, checked before ONNX Runtime sees it.

A file is refused for whatever no runtime could run, and for what a file of the zoo never has: data in other files,
operators of other domains, functions, branches. ONNX Runtime checks shapes itself, but divides by what attributes say,
and computes on loading what depends on constants alone.
"""

import dataclasses
import math

from zoo.core.errors import ExportError
from zoo.exporting import onnx_reader
from zoo.exporting.metadata import KEY
from zoo.exporting.structure import MEMORY, Structure, require

# TensorProto.DataType: field that holds values where raw_data does not, bits of a value.
_TYPES = {
    1: ("float_data", 32), 2: ("int32_data", 8), 3: ("int32_data", 8), 4: ("int32_data", 16), 5: ("int32_data", 16),
    6: ("int32_data", 32), 7: ("int64_data", 64), 9: ("int32_data", 8), 10: ("int32_data", 16),
    11: ("double_data", 64), 12: ("uint64_data", 32), 13: ("uint64_data", 64),
}  # fmt: skip
_DATA = ("raw_data", "float_data", "int32_data", "int64_data", "double_data", "uint64_data")
_FLOAT, _UINT8, _INT16, _INT64 = 1, 2, 5, 7
# Branches and scans are nothing that zoo.export writes; recurrent layers become loops.
_REFUSED = {"If", "Scan", "SequenceMap"}
_LOOP = "Loop"

_SIZE, _FLAG, _AXIS = (1, 1 << 16), (0, 1), (-8, 8)
_WINDOW: dict[str, tuple[int, int] | None] = {
    "strides": _SIZE, "dilations": _SIZE, "kernel_shape": _SIZE, "pads": (0, 1 << 16), "group": _SIZE,
    "output_padding": (0, 1 << 16), "output_shape": _SIZE, "ceil_mode": _FLAG, "count_include_pad": _FLAG,
    "storage_order": _FLAG, "auto_pad": None,
}  # fmt: skip
_REDUCTION: dict[str, tuple[int, int] | None] = {"axes": _AXIS, "keepdims": _FLAG, "noop_with_empty_axes": _FLAG}
_PLAIN = (
    "Abs", "Add", "Clip", "Div", "Erf", "Exp", "GlobalAveragePool", "GlobalMaxPool", "Identity", "Log", "MatMul", "Max",
    "Min", "Mul", "Neg", "Reciprocal", "Relu", "Reshape", "Sigmoid", "Slice", "Softplus", "Sqrt", "Squeeze", "Sub",
    "Tanh", "Unsqueeze",
)  # fmt: skip
# Operators that ONNX Runtime runs safely with any inputs if these are the attributes: smallest and largest integer of
# each, None for texts and floats.
_CHECKED: dict[str, dict[str, tuple[int, int] | None]] = {
    **{name: {} for name in _PLAIN},
    **dict.fromkeys(("Conv", "ConvTranspose", "MaxPool", "AveragePool"), _WINDOW),
    **dict.fromkeys(("ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin"), _REDUCTION),
    "Cast": {"to": (1, 13), "saturate": _FLAG},
    "Concat": {"axis": _AXIS},
    "Elu": {"alpha": None},
    "Flatten": {"axis": _AXIS},
    "Gather": {"axis": _AXIS},
    "Gelu": {"approximate": None},
    "Gemm": {"alpha": None, "beta": None, "transA": _FLAG, "transB": _FLAG},
    "LeakyRelu": {"alpha": None},
    "OneHot": {"axis": _AXIS},
    "Pad": {"mode": None},
    "Selu": {"alpha": None, "gamma": None},
    "Shape": {"start": _AXIS, "end": _AXIS},
    "Softmax": {"axis": _AXIS},
    "Split": {"axis": _AXIS, "num_outputs": _SIZE},
    "TopK": {"axis": _AXIS, "largest": _FLAG, "sorted": _FLAG},
    "Tile": {},
    "Transpose": {"perm": (0, 8)},
}
# Their second input says how much they write.
_AMOUNTS = {"OneHot", "Pad", "Tile"}


def check(content: bytes) -> Structure:
    """Check the structure of the bytes of an .onnx file.

    Raises:
        ExportError: with the reason, to stand after the file's name and "is not a model that its runtime can load:".
    """
    model = onnx_reader.read(content)
    require(model.graph is not None, "it has no graph")
    require(model.ir_version is not None and 3 <= model.ir_version <= 20, "it is of an unknown version of the format")
    domains = [(_text(opset.domain), opset.version) for opset in model.opset_import]
    require(len({name for name, _ in domains}) == len(domains), "it names an operator set twice")
    known = all(name in ("", "ai.onnx", "ai.onnx.ml") and version and 1 <= version <= 30 for name, version in domains)
    require(domains and known, f"it needs the operator sets {domains}")
    unchecked: set[str] = set()
    constants = _graph(model.graph, frozenset(), unchecked)
    _check_ends(model.graph, constants)
    return Structure(_metadata(model.metadata_props), tuple(sorted(unchecked)))


def operators(content: bytes) -> tuple[str, ...]:
    """Sorted names of the operators that an .onnx file uses; with their domain if that is not the standard's."""
    nodes = onnx_reader.read(content).graph.node
    names = {(_text(node.domain), _text(node.op_type)) for node in nodes}
    return tuple(sorted(f"{domain}.{name}" if domain else name for domain, name in names))


def _text(content):
    try:
        return bytes(content or b"").decode()
    except UnicodeDecodeError as problem:
        raise ExportError("one of its texts is not UTF-8") from problem


def _metadata(entries):
    found = [entry for entry in entries if bytes(entry.key or b"") == KEY.encode()]
    require(len(found) <= 1, "it has two entries of metadata for zoo")
    return bytes(found[0].value or b"") if found else None


def _graph(graph, outer, unchecked):
    """Check a graph, to whose nodes the values of `outer` are known; returns its constants by name.

    Names of operators whose use is not checked here are added to `unchecked`.
    """
    constants = {}
    for tensor in graph.initializer:
        name = _text(tensor.name)
        require(name and name not in constants, f"it has two constants of the name {name!r}, or one without a name")
        constants[name] = _constant(tensor)
    inputs = [_text(value.name) for value in graph.input]
    require(len(set(inputs)) == len(inputs) and all(inputs), "it has an input without a name of its own")
    known = {*outer, *constants, *inputs}
    # What depends on constants alone is computed on loading, however large it is.
    varying = {*outer, *inputs} - constants.keys()
    for node in graph.node:
        takes, gives = [_text(name) for name in node.input], [_text(name) for name in node.output]
        require(known.issuperset(name for name in takes if name), "it uses a value before it is computed")
        named = [name for name in gives if name]
        require(known.isdisjoint(named) and len(set(named)) == len(named), "it computes a value twice")
        name = _text(node.op_type)
        require(
            _text(node.domain) in ("", "ai.onnx") and not _text(node.overload),
            f"it has the operator {_text(node.domain)}.{name}, which is not one of the standard's",
        )
        require(name not in _REFUSED, f"it has the operator {name}, which zoo.export never writes")
        checked = _attributes(name, node.attribute, frozenset(known), unchecked)
        amounts = [constants[value] for value in takes[1:2] if name in _AMOUNTS and value in constants]
        require(
            all(abs(n) <= _SIZE[1] for amount in amounts for n in amount.integers),
            f"its {name} would write a tensor that is too large",
        )
        if not checked or varying.isdisjoint(takes) or not _divides_safely(name, takes, constants):
            unchecked.add(name)
        known.update(named)
        varying.update(named)
    for value in graph.output:
        require(_text(value.name) in known, "an output is never computed")
    return constants


def _attributes(operator, attributes, known, unchecked):
    """Whether the attributes of a node are all known to be safe; those that no node may have are errors."""
    allowed, names = _CHECKED.get(operator), set()
    checked = allowed is not None
    for attribute in attributes:
        name = _text(attribute.name)
        require(name not in names, f"its {operator} has {name} twice")
        names.add(name)
        if attribute.t is not None:
            _constant(attribute.t)
        if attribute.g is not None:
            require(operator == _LOOP, f"its {operator} has a graph of its own")
            _graph(attribute.g, known, unchecked)
        if not checked or name not in allowed:
            checked = False
        elif allowed[name] is not None:
            least, most = allowed[name]
            numbers = [*attribute.ints, *([] if attribute.i is None else [attribute.i])]
            require(all(least <= number <= most for number in numbers), f"its {operator} has {name} of {numbers[:8]}")
    return checked


def _divides_safely(operator, takes, constants):
    """Integers divided by 0 end the process; which inputs are integers, the file does not say of all."""
    if operator != "Div":
        return True
    divisor = constants.get(takes[1]) if len(takes) == 2 else None
    return divisor is not None and (
        divisor.type == _FLOAT or (divisor.integers and all(n > 0 for n in divisor.integers))
    )


@dataclasses.dataclass(frozen=True)
class _Constant:
    """A constant: its type, and its values if these are a few integers of 64 bits."""

    type: int
    integers: tuple[int, ...]


def _constant(tensor):
    require(tensor.data_type in _TYPES, f"it has a constant of an unsupported type, number {tensor.data_type}")
    require(not tensor.data_location, "it keeps the data of a constant in another file")
    field, bits = _TYPES[tensor.data_type]
    shape = tuple(tensor.dims)
    require(len(shape) <= 8 and all(0 <= size <= MEMORY for size in shape), f"it has a constant of shape {shape}")
    count = math.prod(shape)
    # Empty bytes count as no bytes.
    filled = [name for name in _DATA if getattr(tensor, name) is not None and len(getattr(tensor, name))]
    require(len(filled) <= 1 and filled in ([], ["raw_data"], [field]), "it has a constant with data of another type")
    if filled == ["raw_data"]:
        found, expected = len(tensor.raw_data), count * bits // 8
    else:
        found, expected = sum(1 if isinstance(n, (int, float)) else len(n) for n in getattr(tensor, field)), count
    require(found == expected, f"it has a constant of shape {shape} with {found} bytes or values, not {expected}")
    integers = ()
    if tensor.data_type == _INT64 and count <= 64:
        integers = tuple(tensor.raw_data.cast("q") if filled == ["raw_data"] else tensor.int64_data)
    return _Constant(tensor.data_type, integers)


def _check_ends(graph, constants):
    """One input of fixed shape, apart from the number of samples, and at least one output of a fixed shape."""
    inputs = [value for value in graph.input if _text(value.name) not in constants]
    require(len(inputs) == 1, f"it has {len(inputs)} inputs, not one")
    require(graph.output, "it has no output")
    for value in (*inputs, *graph.output):
        name = _text(value.name)
        tensor = value.type and value.type.tensor_type
        require(tensor is not None and tensor.shape is not None, f"its value {name!r} has no shape")
        sizes = [dimension.dim_value for dimension in tensor.shape.dim]
        require(
            1 <= len(sizes) <= 8 and all(size is not None and size >= 1 for size in sizes[1:]),
            f"its value {name!r} is not of a fixed shape, apart from the number of samples",
        )
        require(4 * math.prod(sizes[1:]) <= MEMORY, f"its value {name!r} needs too much memory")
        allowed = (_FLOAT, _UINT8, _INT16) if value is inputs[0] else _TYPES
        require(tensor.elem_type in allowed, f"its value {name!r} is of an unsupported type, number {tensor.elem_type}")
