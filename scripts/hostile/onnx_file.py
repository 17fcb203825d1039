""".onnx files changed by the library that wrote them."""

import numpy as np
import onnx
from onnx import TensorProto, helper

_DIMENSIONS = ([], [0], [-1], [2**40], [2**31, 2**31], [1] * 60, [2**62])


def _node(model, rng):
    graph = model.graph
    node = rng.choice(graph.node)
    kind = rng.choice(("type", "domain", "input", "output", "attribute", "drop", "order", "twice", "inputs", "name"))
    if kind == "type":
        node.op_type = rng.choice(("Loop", "If", "Scan", "Nothing", "", "MatMul", "ConstantOfShape", "Softmax", "Tile"))
        kind = f"type {node.op_type}"
    elif kind == "domain":
        node.domain = rng.choice(("com.microsoft", "ai.onnx.ml", "evil", "ai.onnx.training", "\0"))
        kind = f"domain {node.domain!r}"
    elif kind in ("input", "output"):
        side = getattr(node, kind)
        if side:
            names = [name for n in graph.node for name in (*n.input, *n.output)]
            side[rng.randrange(len(side))] = rng.choice((*names, "", "nothing"))
    elif kind == "attribute":
        node.attribute.append(
            rng.choice(
                (
                    helper.make_attribute("pads", [2**40] * 4),
                    helper.make_attribute("strides", [0, 0]),
                    helper.make_attribute("axis", 2**40),
                    helper.make_attribute("group", 0),
                    helper.make_attribute("body", graph),
                    helper.make_attribute("alpha", float("nan")),
                )
            )
        )
        if rng.random() < 0.5 and len(node.attribute) > 1:
            node.attribute[0].name = "unknown"
    elif kind == "drop":
        graph.node.remove(node)
    elif kind == "order":
        nodes = list(graph.node)[::-1]
        del graph.node[:]
        graph.node.extend(nodes)
    elif kind == "twice":
        graph.node.append(node)
    elif kind == "inputs":
        del node.input[:]
    else:
        node.name = "x" * 100_000
    return kind


def _weights(model, rng):
    tensor = rng.choice(model.graph.initializer)
    kind = rng.choice(("dims", "dims", "type", "data", "shorter", "twice", "name", "segment"))
    if kind == "dims":
        dims = rng.choice(_DIMENSIONS)
        del tensor.dims[:]
        tensor.dims.extend(dims)
        kind = f"dims {dims[:5]}"
    elif kind == "type":
        tensor.data_type = rng.choice((*range(24), 99, -1))
    elif kind == "data":
        tensor.raw_data = rng.randbytes(len(tensor.raw_data))
    elif kind == "shorter":
        tensor.raw_data = tensor.raw_data[:-4]
    elif kind == "twice":
        model.graph.initializer.append(tensor)
    elif kind == "name":
        tensor.name = rng.choice(("", "other", model.graph.input[0].name))
    else:
        tensor.segment.begin, tensor.segment.end = 0, 2**60
    return kind


def _external(model, rng, canary):
    """Weights that lie in another file, which nobody may open."""
    tensor = rng.choice(model.graph.initializer)
    size = len(tensor.raw_data)
    target = rng.choice(
        (str(canary / "secret.txt"), "../canary/secret.txt", "canary/secret.txt", "/dev/zero", "file:x")
    )
    if rng.random() < 0.7:
        tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", target), ("offset", rng.choice(("0", "-1", "4096", "x"))), ("length", str(size))):
        tensor.external_data.add(key=key, value=value)
    if rng.random() < 0.3:  # in a node instead
        constant = TensorProto()
        constant.CopyFrom(tensor)
        model.graph.initializer.remove(tensor)
        model.graph.node.insert(0, helper.make_node("Constant", [], [tensor.name], value=constant))
    return target


def _graph(model, rng):
    graph = model.graph
    kind = rng.choice(
        (
            "inputs",
            "outputs",
            "input shape",
            "output shape",
            "opset",
            "no opset",
            "ir",
            "function",
            "sparse",
            "domain",
            "text",
        )
    )
    if kind in ("inputs", "outputs"):
        side = getattr(graph, kind[:-1])
        rng.choice((lambda: side.pop(), lambda: side.append(side[0]), lambda: side[0].ClearField("type")))()
    elif kind in ("input shape", "output shape"):
        dims = rng.choice(graph.input if kind[0] == "i" else graph.output)
        dims = dims.type.tensor_type.shape.dim
        if dims:
            rng.choice(dims).dim_value = rng.choice((0, -1, 2**40, 2**63 - 1, 1, 7))
        if rng.random() < 0.3:
            dims.add().dim_value = 3
    elif kind == "opset":
        rng.choice(model.opset_import).version = rng.choice((0, 1, 5, 99, 2**60, -1))
    elif kind == "no opset":
        del model.opset_import[:]
    elif kind == "ir":
        model.ir_version = rng.choice((0, 1, 3, 99, -1))
    elif kind == "function":
        node = rng.choice(graph.node)
        call = helper.make_node(node.op_type, list(node.input), list(node.output))
        function = helper.make_function("", node.op_type, list(node.input), list(node.output), [call], [])
        model.functions.append(function)  # that calls itself
    elif kind == "sparse":
        sparse = graph.sparse_initializer.add()
        sparse.dims.extend([2**40])
        sparse.values.CopyFrom(helper.make_tensor("s", TensorProto.FLOAT, [1], [1.0]))
        sparse.indices.CopyFrom(helper.make_tensor("i", TensorProto.INT64, [1], [2**39]))
    elif kind == "domain":
        model.opset_import.add(domain="evil", version=1)
    else:
        model.doc_string = "x" * 1_000_000
    return kind


def _bomb(model, rng):
    """A small graph that takes gigabytes, or for ever, when it runs."""
    graph, output = model.graph, model.graph.output[0].name
    for node in graph.node:
        node.output[:] = [f"{name}_" if name == output else name for name in node.output]
        node.input[:] = [f"{name}_" if name == output else name for name in node.input]
    kind = rng.choice(("ConstantOfShape", "Tile", "Loop", "RandomNormal", "Resize"))
    shape = np.array([2**17, 2**17], "int64")
    if kind == "ConstantOfShape":
        graph.initializer.append(helper.make_tensor("bomb", TensorProto.INT64, [2], shape))
        graph.node.append(helper.make_node(kind, ["bomb"], [output]))
    elif kind == "RandomNormal":
        graph.node.append(helper.make_node(kind, [], [output], shape=[2**17, 2**17]))
    elif kind == "Loop":
        body = helper.make_graph(
            [helper.make_node("Identity", ["more"], ["more_"]), helper.make_node("Identity", ["v"], ["v_"])],
            "body",
            [
                helper.make_tensor_value_info("i", TensorProto.INT64, []),
                helper.make_tensor_value_info("more", TensorProto.BOOL, []),
                helper.make_tensor_value_info("v", TensorProto.FLOAT, None),
            ],
            [
                helper.make_tensor_value_info("more_", TensorProto.BOOL, []),
                helper.make_tensor_value_info("v_", TensorProto.FLOAT, None),
            ],
        )
        graph.initializer.append(helper.make_tensor("count", TensorProto.INT64, [], [2**62]))
        graph.initializer.append(helper.make_tensor("true", TensorProto.BOOL, [], [True]))
        graph.node.append(helper.make_node("Loop", ["count", "true", f"{output}_"], [output], body=body))
    else:
        rank = len(model.graph.output[0].type.tensor_type.shape.dim)
        repeats = [2**16] * rank
        if kind == "Tile":
            graph.initializer.append(helper.make_tensor("bomb", TensorProto.INT64, [rank], repeats))
            graph.node.append(helper.make_node("Tile", [f"{output}_", "bomb"], [output]))
        else:
            graph.initializer.append(helper.make_tensor("bomb", TensorProto.FLOAT, [rank], [1e5] * rank))
            graph.node.append(helper.make_node("Resize", [f"{output}_", "", "bomb"], [output]))
    return kind


def _written(change):
    def mutate(data, rng):
        model = onnx.load_from_string(data)
        detail = change(model, rng)
        return model.SerializeToString(), detail

    return mutate


nodes, weights, graph, bomb = (_written(change) for change in (_node, _weights, _graph, _bomb))


def external(data, rng, canary):
    """The bytes of an .onnx file whose weights lie elsewhere, and where."""
    return _written(lambda model, rng: _external(model, rng, canary))(data, rng)


def with_metadata(data, mutate):
    """The bytes of an .onnx file whose metadata text is changed by a function of bytes, and what was changed."""
    model = onnx.load_from_string(data)
    entry = next(entry for entry in model.metadata_props if entry.key == "zoo")
    changed, detail = mutate(entry.value.encode())
    try:
        entry.value = changed.decode()
    except UnicodeDecodeError:
        entry.value, detail = "", "empty"
    return model.SerializeToString(), detail
