""".tflite files changed field by field: the FlatBuffer stays well-formed, what it says does not."""

import copy
import struct

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

_INTEGERS = (-1, 0, 1, 2, 3, 5, 99, 127, 255, 1000, -128, 2**15, 2**31 - 1, -(2**31), 2**32 - 1, 2**40)
_FLOATS = (0.0, -1.0, 1e-38, 1e38, float("nan"), float("inf"), 0.5)


def objects(data: bytes):
    """The tables of a .tflite file as Python objects."""
    return schema.ModelT.InitFromObj(schema.Model.GetRootAs(data, 0))


def written(model) -> bytes:
    """The bytes of such objects."""
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def _fields(value, path=""):
    """(owner, key, value, path) of every field of a tree of objects."""
    items = ()
    if hasattr(value, "Pack"):
        items = vars(value).items()
    elif isinstance(value, list):
        items = enumerate(value)
    for key, inner in items:
        yield value, key, inner, f"{path}.{key}"
        yield from _fields(inner, f"{path}.{key}")


def _set(owner, key, value):
    if isinstance(owner, list):
        owner[key] = value
    else:
        setattr(owner, key, value)


def _field(model, rng):
    """Any field: a number, text, array or list of tables gets another value."""
    fields = [field for field in _fields(model) if field[2] is not None and ".data" not in field[3]]
    kinds = [field for field in fields if rng.random() < 0.3 or "signature" in field[3] or "metadata" in field[3]]
    owner, key, old, path = rng.choice(kinds or fields)
    if isinstance(old, bool):
        new = not old
    elif isinstance(old, int):
        new = rng.choice((*_INTEGERS, old + 1, old - 1))
    elif isinstance(old, float):
        new = rng.choice(_FLOATS)
    elif isinstance(old, bytes):
        new = rng.choice((b"", old + b"x", b"decode", b"x" * 100_000, b"\xff\xfe", b"a\0b", b"min_runtime_version"))
    elif isinstance(old, np.ndarray):
        new = old.copy()
        if new.size and rng.random() < 0.8:
            new.flat[rng.randrange(new.size)] = rng.choice((*_INTEGERS[:10], 2**31 - 1, -(2**31)))
        else:
            new = rng.choice((new[:-1], np.concatenate([new, new]), new[::-1], np.zeros(0, old.dtype)))
    elif isinstance(old, list) and old:
        new = rng.choice((old[:-1], old[1:], old[::-1], old + old[:1], [], old * 3))
    else:
        new = None
    _set(owner, key, new)
    return f"{path} = {str(new)[:60]}"


def _signature(model, rng):
    definition = rng.choice(model.signatureDefs)
    kind = rng.choice(("subgraph", "input", "output", "name", "twice", "none", "no inputs", "inputs of another"))
    if kind == "subgraph":
        definition.subgraphIndex = rng.choice((1, 4, 7, 1000, 2**31, 2**32 - 1))
    elif kind in ("input", "output"):
        side = definition.inputs if kind == "input" else definition.outputs
        rng.choice(side).tensorIndex = rng.choice((0, 1, 3, 1000, 2**31, 2**32 - 1))
    elif kind == "name":
        definition.signatureKey = rng.choice((b"", b"decode", b"serve", b"reconstruct", b"\xff", b"x" * 10_000))
    elif kind == "twice":
        model.signatureDefs.append(definition)
    elif kind == "none":
        model.signatureDefs = rng.choice(([], None))
    elif kind == "no inputs":
        definition.inputs = []
    else:
        definition.inputs = rng.choice(model.signatureDefs).outputs
    return kind


def _tensor(model, rng):
    graph = rng.choice(model.subgraphs)
    index = rng.randrange(len(graph.tensors))
    tensor = graph.tensors[index]
    kind = rng.choice(("shape", "shape", "signature", "buffer", "type", "quantization", "variable", "sparsity"))
    if kind in ("shape", "signature"):
        shape = list(tensor.shape if tensor.shape is not None else [])
        new = rng.choice(
            (
                [],
                [0],
                [-1],
                [2**31 - 1],
                [2**16, 2**16],
                [2**31 - 1] * 3,
                [1] * 100,
                [*shape, 1],
                shape[:-1],
                shape[::-1],
            )
        )
        setattr(tensor, "shape" if kind == "shape" else "shapeSignature", np.array(new, "int32"))
        kind = f"{kind} {new[:6]}"
    elif kind == "buffer":
        tensor.buffer = rng.choice((0, 1, len(model.buffers) - 1, len(model.buffers), 2**32 - 1, 2**31))
    elif kind == "type":
        tensor.type = rng.choice((*range(20), 99, -1))
    elif kind == "quantization":
        made = schema.QuantizationParametersT()
        made.scale = np.array(rng.choice(([0.0], [float("nan")], [1e38] * 100, [-1.0], [])), "float32")
        made.zeroPoint = np.array(rng.choice(([2**60], [0], [], [1] * 7)), "int64")
        made.quantizedDimension = rng.choice((0, 5, -1, 2**31 - 1))
        tensor.quantization = made
    elif kind == "variable":
        tensor.isVariable = True
    else:
        made = schema.SparsityParametersT()
        made.traversalOrder, made.blockMap, made.dimMetadata = np.array([5, -1], "int32"), np.array([9], "int32"), []
        tensor.sparsity = made
    return f"{kind} of tensor {index}"


def _operator(model, rng):
    graph = rng.choice([graph for graph in model.subgraphs if graph.operators])
    operator = rng.choice(graph.operators)
    kind = rng.choice(("inputs", "outputs", "opcode", "code", "order", "options", "loop", "drop", "arity", "custom"))
    if kind in ("inputs", "outputs"):
        side = getattr(operator, kind).copy()
        if len(side):
            side[rng.randrange(len(side))] = rng.choice((-1, -2, 0, 1, len(graph.tensors), 2**31 - 1, -(2**31)))
        setattr(operator, kind, side)
    elif kind == "arity":
        side = rng.choice(("inputs", "outputs"))
        setattr(operator, side, np.array(rng.choice(([], [0], [0] * 50)), "int32"))
    elif kind == "opcode":
        operator.opcodeIndex = rng.choice((0, 1, len(model.operatorCodes), 1000, 2**31, 2**32 - 1))
    elif kind == "code":
        code = rng.choice(model.operatorCodes)
        code.builtinCode = rng.choice((*range(0, 210, 3), 32, 117, 118, 119, 129, 999, 2**31 - 1, -1))
        code.deprecatedBuiltinCode = min(127, max(0, code.builtinCode))
        code.version = rng.choice((code.version, 0, 1, 99, -1))
        kind = f"code {code.builtinCode}"
    elif kind == "order":
        graph.operators = graph.operators[::-1]
    elif kind == "drop":
        graph.operators.remove(operator)
    elif kind == "options":
        operator.builtinOptionsType = rng.choice((0, 1, 5, 92, 93, 102, 127, 255))
        operator.builtinOptions = rng.choice((None, schema.Conv2DOptionsT(), schema.WhileOptionsT()))
        if isinstance(operator.builtinOptions, schema.Conv2DOptionsT):
            operator.builtinOptionsType = schema.BuiltinOptions.Conv2DOptions
            operator.builtinOptions.strideW = rng.choice((0, -1, 2**31 - 1))
    elif kind == "custom":
        code = schema.OperatorCodeT()
        code.builtinCode, code.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM, 32
        code.customCode = rng.choice((b"FlexConv2D", b"FlexReadFile", b"unknown", b"", b"TFLite_Detection_PostProcess"))
        model.operatorCodes.append(code)
        operator.opcodeIndex = len(model.operatorCodes) - 1
        operator.customOptions = np.frombuffer(b"\x00\x01\x02", "uint8")
        kind = f"custom {code.customCode.decode()}"
    else:  # a graph that calls itself for ever
        builtin, options = rng.choice(
            (
                (schema.BuiltinOperator.WHILE, schema.WhileOptionsT()),
                (schema.BuiltinOperator.IF, schema.IfOptionsT()),
                (schema.BuiltinOperator.CALL_ONCE, schema.CallOnceOptionsT()),
            )
        )
        for key in vars(options):
            setattr(options, key, rng.choice((0, 0, 1, 1000, -1)))
        code = schema.OperatorCodeT()
        code.builtinCode = code.deprecatedBuiltinCode = builtin
        code.deprecatedBuiltinCode = min(127, builtin)
        model.operatorCodes.append(code)
        operator.opcodeIndex = len(model.operatorCodes) - 1
        operator.builtinOptions = options
        operator.builtinOptionsType = getattr(schema.BuiltinOptions, type(options).__name__.removesuffix("T"))
        kind = type(options).__name__
    return kind


def _buffer(model, rng):
    used = [i for i, buffer in enumerate(model.buffers) if buffer.data is not None and len(buffer.data)]
    index = rng.choice(used)
    buffer = model.buffers[index]
    kind = rng.choice(("shorter", "longer", "empty", "offset", "values", "swapped"))
    data = np.asarray(buffer.data, "uint8")
    if kind == "shorter":
        buffer.data = data[: rng.randrange(len(data))]
    elif kind == "longer":
        buffer.data = np.concatenate([data, data])
    elif kind == "empty":
        buffer.data = None
    elif kind == "offset":
        buffer.offset, buffer.size = rng.choice((2, 100, 2**40, 2**63)), rng.choice((1, 10**6, 2**63))
        buffer.data = rng.choice((None, data))
    elif kind == "values":
        buffer.data = np.frombuffer(rng.randbytes(len(data)), "uint8")
    else:
        other = model.buffers[rng.choice(used)]
        buffer.data, other.data = other.data, buffer.data
    return f"{kind}, buffer {index}"


def _graph(model, rng):
    kind = rng.choice(("inputs", "outputs", "none", "copy", "many", "version", "metadata buffer", "metadata twice"))
    graph = rng.choice(model.subgraphs)
    if kind in ("inputs", "outputs"):
        setattr(graph, kind, np.array(rng.choice(([], [0], [1000], [-1], [2**31 - 1], [0] * 9)), "int32"))
    elif kind == "none":
        model.subgraphs = []
    elif kind == "copy":
        model.subgraphs.insert(0, copy.copy(graph))
    elif kind == "many":
        model.subgraphs += [copy.copy(graph) for _ in range(500)]
    elif kind == "version":
        model.version = rng.choice((0, 1, 2, 4, 2**32 - 1))
    elif model.metadata:
        entry = rng.choice(model.metadata)
        if kind == "metadata buffer":
            entry.buffer = rng.choice((0, 1, len(model.buffers), 2**32 - 1))
        else:
            model.metadata.append(entry)
    return kind


MUTATIONS = {
    "fields": _field,
    "signatures": _signature,
    "tensors": _tensor,
    "operators": _operator,
    "buffers": _buffer,
    "graphs": _graph,
}


def mutation(name):
    """Function of (bytes of a .tflite file, rng) that returns the changed bytes and what was changed."""

    def mutate(data, rng):
        for _ in range(50):
            model = objects(data)
            detail = MUTATIONS[name](model, rng)
            try:
                changed = written(model)
            except (struct.error, TypeError, ValueError, AttributeError, OverflowError):
                continue  # a number that its field cannot hold
            return changed, detail
        raise RuntimeError(f"no {name} could be written")

    return mutate


def with_metadata(data, mutate):
    """The bytes of a .tflite file whose metadata text is changed by a function of bytes, and what was changed."""
    model = objects(data)
    entry = next(entry for entry in model.metadata if entry.name == b"zoo")
    buffer = model.buffers[entry.buffer]
    changed, detail = mutate(bytes(np.asarray(buffer.data, "uint8")))
    buffer.data = np.frombuffer(changed, "uint8")
    return written(model), detail
