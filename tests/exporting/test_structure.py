"""Files that would crash, hang or mislead their runtime, each refused with its reason before the runtime sees it."""

import os

import numpy as np
import pytest

import zoo
from zoo.core.errors import DataNotFoundError, ExportError, UnknownNameError
from zoo.exporting import metadata, onnx_structure, seal, tflite_reader, tflite_structure
from zoo.exporting.structure import Structure

X = np.random.default_rng(0).random((200, 12, 12, 1), "float32")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The content of exported files by name."""
    root = tmp_path_factory.mktemp("exported")
    model = zoo.convolutional((12, 12, 1), 4, (3, 2))
    model.compile("adam")
    model.fit(X, epochs=30, verbose=0)
    zoo.export(model, root, ("tflite", "onnx"), threshold=0.5, samples=X[:9])
    zoo.export(model, root / "int8", "tflite", quantization="int8", calibration=X, samples=X, tolerance=1)
    return {
        "tflite": (root / "model.tflite").read_bytes(),
        "onnx": (root / "model.onnx").read_bytes(),
        "int8": (root / "int8" / "model.tflite").read_bytes(),
    }


def _unsealed(content, change):
    """The content of a .tflite file whose objects a function has changed."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(content, 0)
    change(model)
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def _tflite(content, change):
    return seal.sealed(_unsealed(content, change))


def _onnx(content, change):
    import onnx

    model = onnx.ModelProto.FromString(content)
    change(model)
    return seal.sealed(model.SerializeToString())


def _operator(model, code, graph=2):
    """The first operator of a graph with this code; 2 is "reconstruct", 3 "score"."""
    operators = model.subgraphs[graph].operators
    return next(o for o in operators if model.operatorCodes[o.opcodeIndex].builtinCode == code)


def _with(path, value):
    """A change that sets one place of the objects: `path` leads there, with numbers for elements."""

    def change(model):
        *steps, last = path.split(".")
        place = model
        for step in steps:
            place = place[int(step)] if step.isdigit() else getattr(place, step)
        setattr(place, last, value)

    return change


def _options(code, name, value):
    return lambda model: setattr(_operator(model, code).builtinOptions, name, value)


def _constant(code, position, values, graph=2):
    """A change of the values of an operator's constant input."""

    def change(model):
        tensor = model.subgraphs[graph].tensors[_operator(model, code, graph).inputs[position]]
        model.buffers[tensor.buffer].data = np.asarray(values, "int32").view("uint8")

    return change


def _loop(model):
    from ai_edge_litert import schema_py_generated as schema

    operator = _operator(model, 14)
    code = model.operatorCodes[operator.opcodeIndex]
    code.builtinCode = code.deprecatedBuiltinCode = 119
    for graph in model.subgraphs:
        for each in graph.operators:
            if each.opcodeIndex == operator.opcodeIndex:
                each.builtinOptionsType, each.builtinOptions = 93, schema.WhileOptionsT()
                each.builtinOptions.condSubgraphIndex = each.builtinOptions.bodySubgraphIndex = 2


def _custom(model):
    code = model.operatorCodes[0]
    code.customCode, code.builtinCode, code.deprecatedBuiltinCode = b"FlexErfinv", 32, 32


def _if(model):
    code = model.operatorCodes[0]
    code.builtinCode = code.deprecatedBuiltinCode = 118


# Conv2D 3, logistic 14, reshape 22, transposed convolution 67, mean 40, fully connected 9.
TFLITE = {
    "version": (_with("version", 4), "of version 4 of the format, not 3"),
    "a signature of no subgraph": (_with("signatureDefs.1.subgraphIndex", 9), "refers to subgraph 9, but has 4"),
    "a signature of another subgraph": (_with("signatureDefs.1.subgraphIndex", 3), "'encode' is not that of its sub"),
    "a signature of another tensor": (_with("signatureDefs.1.inputs.0.tensorIndex", 1), "'encode' is not that of its"),
    "no signature": (_with("signatureDefs", []), "it has no signature. Write it with zoo.export"),
    "two of a name": (_with("signatureDefs.0.signatureKey", b"encode"), r"names \['encode', 'encode'"),
    "a name that is no text": (_with("signatureDefs.0.signatureKey", b"\xff"), "one of its names is not UTF-8"),
    "a tensor that is not there": (_with("subgraphs.2.operators.0.inputs", np.array([99])), "refers to tensor 99, but"),
    "a buffer that is not there": (_with("subgraphs.2.tensors.0.buffer", 999), "refers to buffer 999, but has"),
    "an operator that is not there": (_with("subgraphs.2.operators.0.opcodeIndex", 77), "operator code 77, but has"),
    "a negative size": (_with("subgraphs.2.tensors.0.shape", np.array([1, -12, 12, 1], "int32")), "tensor of shape"),
    "a large size": (_with("subgraphs.2.tensors.0.shape", np.array([9] * 8 + [1], "int32")), "tensor of shape"),
    "an absurd size": (_with("subgraphs.2.tensors.0.shape", np.array([1 << 30] * 2, "int32")), "too much memory"),
    "another type": (_with("subgraphs.2.tensors.0.type", 5), "an unsupported type, number 5"),
    "external data": (_with("buffers.1.offset", 64), "keeps the data of a tensor outside of the FlatBuffer"),
    "a custom operator": (_custom, "has a custom operator, which runs code of its own"),
    "a branch": (_if, "has the operator IF, which zoo.export never writes"),
    "a loop that runs itself": (_loop, "a loop runs itself"),
    "an unknown operator": (_with("operatorCodes.0.builtinCode", 300), "has an unknown operator, number 300"),
    "operators in another order": (lambda m: m.subgraphs[2].operators.reverse(), "uses a tensor before it is comp"),
    "a tensor computed twice": (
        lambda m: m.subgraphs[2].operators.append(m.subgraphs[2].operators[-1]),
        "computes a tensor twice",
    ),
    "no stride": (_options(3, "strideW", 0), r"CONV_2D has a step or size of \(2, 0, 1, 1\)"),
    "a negative dilation": (_options(3, "dilationHFactor", -1), r"CONV_2D has a step or size of \(2, 2, -1, 1\)"),
    "another stride": (_options(3, "strideW", 1), r"CONV_2D gives \(1, 6, 6, 3\), which must be \(1, 6, 12, 3\)"),
    "an unknown padding": (_options(3, "padding", 7), "CONV_2D has an unknown padding"),
    "a transposed stride": (_options(67, "strideH", 3), "TRANSPOSE_CONV gives"),
    "axes out of range": (_constant(40, 1, [1, 2, 9], 3), r"MEAN has the axes \[1, 2, 9\]"),
    "another shape": (_constant(22, 1, [1, 5]), "RESHAPE takes"),
    "the options of another": (
        lambda m: setattr(_operator(m, 3), "builtinOptionsType", 8),
        "CONV_2D has the options of another operator",
    ),
    "metadata twice": (lambda m: m.metadata.append(m.metadata[-1]), "two entries of metadata for zoo"),
    "metadata without a buffer": (_with("metadata.0.buffer", 999), "refers to buffer 999"),
}  # fmt: skip


def _integers(model):
    """The first int8 tensor of "reconstruct" that is an image."""
    return next(tensor for tensor in model.subgraphs[2].tensors if tensor.type == 9 and len(tensor.shape) == 4)


def _quantization(name, value):
    return lambda model: setattr(_integers(model).quantization, name, value)


def _sixteen_bits(model):
    """LiteRT would write twice as many bytes as it has reserved."""
    graph = model.subgraphs[2]
    outputs = {output for operator in graph.operators for output in operator.outputs}
    next(t for n, t in enumerate(graph.tensors) if n in outputs and t.type == 9).type = 7


INT8 = {
    "a scale of zero": (
        _quantization("scale", np.zeros(1, "float32")),
        "has a scale that is not a positive number from 1e-30",
    ),
    "an infinite scale": (_quantization("scale", np.full(1, np.inf, "float32")), "has a scale that is not a positive"),
    "scales of other channels": (_quantization("scale", np.ones(5, "float32")), "has 5 scales and 1 zero points"),
    "an axis that is not there": (_quantization("quantizedDimension", 7), "has scales along axis 7 of a tensor"),
    "a zero point of another type": (_quantization("zeroPoint", np.full(1, 300)), "a zero point outside of int8"),
    "types that do not go together": (_sixteen_bits, "combines the types .*int16"),
    "an unknown kind": (_quantization("detailsType", 1), "quantization of an unknown kind"),
}


def _node(graph, name):
    return next(node for node in graph.node if node.op_type == name)


def _attribute(operator, name, values):
    def change(model):
        (attribute,) = (a for a in _node(model.graph, operator).attribute if a.name == name)
        attribute.ints[:] = values

    return change


def _external(model):
    tensor = model.graph.initializer[0]
    tensor.data_location = 1
    tensor.external_data.add(key="location", value="/etc/passwd")


def _branch(model):
    import onnx

    node = model.graph.node[0]
    graph = onnx.helper.make_graph([], "branch", [], [])
    node.attribute.append(onnx.helper.make_attribute("body", graph))


def _function(model):
    model.functions.add(name="f", domain="mine")


ONNX = {
    "external data": (_external, "Tensor has external_data"),
    "a function": (_function, "Model has functions"),
    "another domain": (lambda m: setattr(m.graph.node[0], "domain", "com.microsoft"), "operator com.microsoft."),
    "another operator set": (lambda m: m.opset_import.add(domain="mine", version=1), "it needs the operator sets"),
    "a branch": (lambda m: setattr(m.graph.node[0], "op_type", "If"), "has the operator If, which zoo.export never"),
    "a graph of its own": (_branch, "has a graph of its own"),
    "no stride": (_attribute("Conv", "strides", [0, 2]), r"Conv has strides of \[0, 2\]"),
    "an absurd padding": (_attribute("Conv", "pads", [0, 0, 1 << 40, 1]), "Conv has pads of"),
    "a constant of another size": (lambda m: m.graph.initializer[0].dims.append(2), "has a constant of shape"),
    "a negative size": (lambda m: m.graph.initializer[0].dims.append(-2), "has a constant of shape"),
    "a constant of another type": (lambda m: setattr(m.graph.initializer[0], "data_type", 8), "unsupported type, n"),
    "two inputs": (lambda m: m.graph.input.add(name="other"), "has 2 inputs, not one"),
    "an input without a shape": (lambda m: m.graph.input[0].type.tensor_type.ClearField("shape"), "has no shape"),
    "an input of any size": (
        lambda m: m.graph.input[0].type.tensor_type.shape.dim[1].ClearField("dim_value"),
        "'image' is not of a fixed shape",
    ),
    "an output that is never computed": (lambda m: m.graph.output.add(name="other"), "an output is never computed"),
    "nodes in another order": (lambda m: m.graph.node.reverse(), "uses a value before it is computed"),
    "metadata twice": (lambda m: m.metadata_props.add(key="zoo", value="{}"), "two entries of metadata for zoo"),
}


def _refused(tmp_path, form, content, message):
    for trust in ("sealed", "unsealed"):
        (tmp_path / f"model.{form}").write_bytes(content)
        with pytest.raises(ExportError, match=f"is not a model that its runtime can load: .*{message}"):
            zoo.lite.load(tmp_path / f"model.{form}", trust=trust)


class TestStructure:
    """Of files with a seal that is true: of whoever makes such a file, the seal stops nobody."""

    @pytest.mark.parametrize("name", TFLITE)
    def test_tflite(self, files, tmp_path, name):
        change, message = TFLITE[name]
        _refused(tmp_path, "tflite", _tflite(files["tflite"], change), message)

    @pytest.mark.parametrize("name", INT8)
    def test_int8(self, files, tmp_path, name):
        change, message = INT8[name]
        _refused(tmp_path, "tflite", _tflite(files["int8"], change), message)

    @pytest.mark.parametrize("name", ONNX)
    def test_onnx(self, files, tmp_path, name):
        change, message = ONNX[name]
        _refused(tmp_path, "onnx", _onnx(files["onnx"], change), message)

    @pytest.mark.parametrize("name", ["tflite", "int8", "onnx"])
    def test_as_exported_is_sound_and_every_operator_is_checked(self, files, name):
        check = onnx_structure.check if name == "onnx" else tflite_structure.check
        structure = check(files[name])
        assert isinstance(structure, Structure)
        assert structure.unchecked == ()
        assert metadata.parsed(structure.metadata).seal == seal.stated(files[name])

    def test_few_bytes_for_many_tables(self, files):
        """A list of tables that are one and the same: 40,000 graphs of 12 operators each in 200 kB."""
        from ai_edge_litert import schema_py_generated as schema

        content = bytearray(files["tflite"])
        model = schema.Model.GetRootAs(bytes(content), 0)
        graph = model.Subgraphs(0)._tab.Pos
        while len(content) % 4:
            content += b"\0"
        vector, count = len(content), 40_000
        content += count.to_bytes(4, "little")
        # Offsets point forwards, so the graph is read from a copy of the file that follows the list.
        behind = vector + 4 + 4 * count
        content += b"".join((behind + graph - at).to_bytes(4, "little") for at in range(vector + 4, behind, 4))
        content += files["tflite"]
        field = model._tab.Pos + model._tab.Offset(4 + 2 * 2)
        content[field : field + 4] = (vector - field).to_bytes(4, "little")
        with pytest.raises(ExportError, match="more tables than a model needs"):
            tflite_reader.Reader(bytes(content)).root()


class TestMetadata:
    @pytest.mark.parametrize("form", ["tflite", "onnx"])
    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (('"threshold": 0.5', '"threshold": -.5'), "not valid JSON"),
            (('"threshold": 0.5', '"threshold": -1 '), "threshold in its metadata must be float >= 0.0. Received: -1"),
            (('"threshold": 0.5', '"threshold": NaN'), "not valid JSON"),
            (('"threshold": 0.5, "seal"', '"threshold":1e999,"seal"'), "not valid JSON"),
            (
                ('"threshold": 0.5', '"threshold":true'),
                r"must be float \| None. Received: True",
            ),
            (('"threshold": 0.5', '"threshold": "5"'), "Received: '5'"),
            (('"threshold": 0.5', '"threshold": [5]'), r"Received: \[5\]"),
            (('"threshold": 0.5', '"treshold" : 0.5'), "Unknown key in its metadata: 'treshold'. Did you mean 'thresh"),
            (
                ('"default": "reconstruct"', '"default": "reconstrukt"'),
                "default signature in its metadata: 'recon",
            ),
            (('"default": "reconstruct"', '"default": null         '), "default in its metadata must be str"),
            (('"output": "latent"', '"output": "score" '), "its metadata names the .*, but the file has"),
            (('"unit_range": true', '"unit_range": 1   '), r"unit_range in its metadata must be bool \| None"),
            (('"model": "autoencoder"', '"model": "autoencodes"'), "Unknown model 'autoencodes'"),
        ],
    )
    def test_wrong_values(self, files, tmp_path, form, change, message):
        before, after = (text.encode() for text in change)
        content = files[form]
        assert content.count(before) == 1
        assert len(before) == len(after)
        _refused(tmp_path, form, seal.sealed(content.replace(before, after)), message)

    @pytest.mark.parametrize("text", [b"[" * 100_000, b"\xff\xfe", b"null", b"[]", b"{", b" " * 2_000_000])
    def test_no_metadata_at_all(self, text):
        with pytest.raises(ExportError, match="its metadata"):
            metadata.parsed(text)


class TestTrust:
    def test_a_file_without_a_seal(self, files, tmp_path):
        """As older versions wrote it, and as others do, without any metadata of zoo."""

        def older(model):
            (entry,) = (m for m in model.metadata if m.name == b"zoo")
            text = bytes(model.buffers[entry.buffer].data)
            start = text.index(b', "seal"')
            model.buffers[entry.buffer].data = np.frombuffer(text[:start] + b"}", "uint8")

        def foreign(model):
            model.metadata = [m for m in model.metadata if m.name != b"zoo"]
            model.buffers.pop()

        (tmp_path / "sealed.tflite").write_bytes(files["tflite"])
        expected = zoo.lite.load(tmp_path / "sealed.tflite")
        for change in (older, foreign):
            with pytest.raises(ExportError, match="exactly once"):
                _tflite(files["tflite"], change)
        for change, default, threshold in ((older, "reconstruct", 0.5), (foreign, "decode", None)):
            content = _unsealed(files["tflite"], change)
            path = tmp_path / "other.tflite"
            path.write_bytes(content)
            with pytest.raises(ExportError, match="other.tflite' carries no seal: .* trust=.unsealed."):
                zoo.lite.load(path)
            opened = zoo.lite.load(path, trust="unsealed")
            assert (opened.signatures[0], opened.threshold) == (default, threshold)
            np.testing.assert_array_equal(opened.encode(X[:3]), expected.encode(X[:3]))

    def test_unknown_trust(self, files, tmp_path):
        (tmp_path / "model.tflite").write_bytes(files["tflite"])
        for trust in ("none", "unseald", True, None):
            with pytest.raises(UnknownNameError, match="Unknown trust .*Valid: 'sealed', 'unsealed'"):
                zoo.lite.load(tmp_path / "model.tflite", trust=trust)

    def test_what_is_no_regular_file(self, tmp_path):
        (tmp_path / "folder.tflite").mkdir()
        os.mkfifo(tmp_path / "pipe.onnx")
        (tmp_path / "zero.tflite").symlink_to("/dev/zero")
        (tmp_path / "loop.onnx").symlink_to("loop.onnx")
        for name, message in (
            ("folder.tflite", "Received a folder"),
            ("pipe.onnx", "Received a named pipe"),
            ("zero.tflite", "Received a device"),
            ("loop.onnx", "loop of links"),
        ):
            for trust in ("sealed", "unsealed"):
                with pytest.raises(ExportError, match=message):
                    zoo.lite.load(tmp_path / name, trust=trust)
        with pytest.raises(DataNotFoundError, match="No such file: .* Write one with zoo.export"):
            zoo.lite.load(tmp_path / "absent.onnx")
