"""What is done to a .tflite file between and after the converter's steps."""

import copy
import dataclasses
import re

import flatbuffers
import numpy as np

from zoo.engine import keras_internals
from zoo.exporting import seal
from zoo.exporting.metadata import KEY

# Beyond, a sigmoid is within half a step of an 8-bit output in [0, 1] of 0 or 1.
_SIGMOID_SATURATES = 6.5


def finished(content, metadata):
    """The bytes of a .tflite file with its metadata, sealed, and with equal vectors stored once.

    Every signature is a subgraph with its own tensors. They share the buffers of the weights, but their scales and zero
    points, 12 bytes for every channel of a weight and as much for its bias, would be repeated for each of them.
    """
    schema, model = keras_internals.tflite_schema(), keras_internals.tflite_objects(content)
    buffer = schema.BufferT()
    text = dataclasses.replace(metadata, seal=seal.BLANK).to_json()
    buffer.data = np.frombuffer(text.encode(), "uint8")
    model.buffers.append(buffer)
    entry = schema.MetadataT()
    entry.name, entry.buffer = KEY, len(model.buffers) - 1
    model.metadata = [*(model.metadata or []), entry]
    return seal.sealed(_written(model))


def with_clipped_logits(content):
    """A calibrated .tflite file in which the range of what enters a sigmoid ends where the sigmoid saturates.

    Logits of sharp images reach ±20 and more. Quantised over all of that range, those around 0, where a sigmoid is
    steep, would be coarse: that alone costs dense autoencoders some per cent of their error.
    """
    operators, model = keras_internals.tflite_schema().BuiltinOperator, keras_internals.tflite_objects(content)
    for graph in model.subgraphs:
        for operator in graph.operators:
            if model.operatorCodes[operator.opcodeIndex].builtinCode == operators.LOGISTIC:
                calibrated = graph.tensors[operator.inputs[0]].quantization
                for side in ("min", "max"):
                    limited = np.clip(getattr(calibrated, side), -_SIGMOID_SATURATES, _SIGMOID_SATURATES)
                    setattr(calibrated, side, limited.astype("float32"))
    return _written(model)


def nodes_of(content, layers):
    """Names of the tensors in a .tflite file that layers of these names compute, by which the converter knows them."""
    model, is_of = keras_internals.tflite_objects(content), _namer(layers)
    return sorted({tensor.name.decode() for graph in model.subgraphs for tensor in graph.tensors if is_of(tensor)})


def outputs_of(content):
    """Names of the outputs of all graphs in a .tflite file, which are not those of the layers that compute them."""
    graphs = keras_internals.tflite_objects(content).subgraphs
    return sorted({graph.tensors[index].name.decode() for graph in graphs for index in graph.outputs})


def with_float_beginning(content, layers):
    """A calibrated .tflite file in which layers of these names, up to the last of them, have no range to quantise by.

    The converter moves slices and reshapes of an input into 8 bits whatever it was told to leave out, and with them
    the samples of a sensor. The result of the last layer keeps its range: it is what the rest takes in 8 bits.
    """
    model, is_of = keras_internals.tflite_objects(content), _namer(layers)
    for graph in model.subgraphs if layers else ():
        tensors = graph.tensors
        own = [operator for operator in graph.operators if any(is_of(tensors[i]) for i in operator.outputs)]
        taken = {i for operator in graph.operators if operator not in own for i in operator.inputs}
        inside = {i for operator in own for i in operator.outputs} - taken
        for index in {*inside, *(graph.inputs if own else ())}:
            tensors[index].quantization = None
    return _written(model)


def _namer(layers):
    """Function that says whether a tensor is computed by one of these layers.

    Its name is a path such as "encoder_1/log_mel_2/MatMul", of several operators with a semicolon in between.
    """
    pattern = re.compile(rf"(^|[/;])({'|'.join(map(re.escape, layers))})(_\d+)?/")
    return lambda tensor: bool(layers) and pattern.search(tensor.name.decode()) is not None


def output_step(content):
    """Between which neighbours the output of a .tflite file with one signature was rounded; 0 for float32 throughout.

    A float32 output that comes from an integer one has the steps of that.
    """
    operators, model = keras_internals.tflite_schema().BuiltinOperator, keras_internals.tflite_objects(content)
    (graph,) = model.subgraphs
    (output,) = graph.outputs
    last = next(operator for operator in graph.operators if output in operator.outputs)
    if model.operatorCodes[last.opcodeIndex].builtinCode == operators.DEQUANTIZE:
        output = last.inputs[0]
    known = graph.tensors[output].quantization
    return 0.0 if known is None or known.scale is None else float(known.scale[0])


def with_operators_apart(content):
    """A .tflite file in which every operator takes its samples from inputs of its own instead of from the others.

    Returns:
        (bytes; indices of the given file's tensors that its inputs stand for; indices of those that are its outputs;
        for each output the name of its operator).
    """
    names = {code: name for name, code in vars(keras_internals.tflite_schema().BuiltinOperator).items()}
    model = keras_internals.tflite_objects(content)
    (graph,) = model.subgraphs
    computed = {int(i) for operator in graph.operators for i in operator.outputs}
    taken, given, outputs, named = [], [], [], []
    for operator in graph.operators:
        operator.inputs = np.array(operator.inputs, "int32")
        for place, index in enumerate(map(int, operator.inputs)):
            if index in computed or index in graph.inputs:
                operator.inputs[place] = len(graph.tensors)
                taken.append(index)
                given.append(len(graph.tensors))
                graph.tensors.append(copy.copy(graph.tensors[index]))
        outputs += map(int, operator.outputs)
        named += [names[model.operatorCodes[operator.opcodeIndex].builtinCode]] * len(operator.outputs)
    graph.inputs, graph.outputs, model.signatureDefs = np.array(given, "int32"), np.array(outputs, "int32"), []
    return _written(model), taken, outputs, named


def with_float_output(content, signature):
    """A .tflite file in which the output of a signature is no longer quantised at the end of its graph."""
    operators, model = keras_internals.tflite_schema().BuiltinOperator, keras_internals.tflite_objects(content)
    definition = next(d for d in model.signatureDefs if d.signatureKey.decode() == signature)
    graph, (output,) = model.subgraphs[definition.subgraphIndex], definition.outputs
    while model.operatorCodes[graph.operators[-1].opcodeIndex].builtinCode == operators.QUANTIZE:
        last = graph.operators.pop()
        graph.outputs = np.array([last.inputs[0]], "int32")
        output.tensorIndex = int(last.inputs[0])
    return _written(model)


def _written(model):
    builder = _SharingBuilder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


class _SharingBuilder(flatbuffers.Builder):
    """A FlatBuffers builder that writes equal vectors once and lets every table refer to that one.

    Vectors of bytes, the weights, begin at multiples of 16 as the format's schema demands: kernels of small processors
    read several numbers at a time. Python's builder does not know of it.
    """

    def __init__(self, size):
        super().__init__(size)
        self._vectors = {}

    def StartVector(self, elemSize, numElems, alignment):  # noqa: N802, N803
        return super().StartVector(elemSize, numElems, 16 if elemSize == 1 else alignment)

    def CreateNumpyVector(self, x):  # noqa: N802, the name that FlatBuffers' generated code calls
        key = (x.dtype.str, x.tobytes())
        if key not in self._vectors:
            self._vectors[key] = super().CreateNumpyVector(x)
        return self._vectors[key]
