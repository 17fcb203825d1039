"""Finishing a converted .tflite file: metadata in, repetitions out."""

import numpy as np

from zoo.exporting.metadata import KEY


def finished(content, metadata):
    """The bytes of a .tflite file, with a metadata text, and with equal quantization tables stored once.

    Every signature is a subgraph with its own tensors. They share the buffers of the weights; the scales and zero
    points, one of each per channel and 12 bytes together, would be repeated for each of them.
    """
    from tensorflow.lite.python import schema_py_generated as schema
    from tensorflow.lite.tools import flatbuffer_utils

    model = flatbuffer_utils.convert_bytearray_to_object(content)
    tables = {}
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            if tensor.quantization is not None:
                key = repr(sorted((name, _key(value)) for name, value in vars(tensor.quantization).items()))
                tensor.quantization = tables.setdefault(key, _PackedOnce(tensor.quantization))
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(metadata.encode(), "uint8")
    model.buffers.append(buffer)
    entry = schema.MetadataT()
    entry.name, entry.buffer = KEY, len(model.buffers) - 1
    model.metadata = [*(model.metadata or []), entry]
    return flatbuffer_utils.convert_object_to_bytearray(model)


class _PackedOnce:
    """A FlatBuffers table that several others refer to: written by the first, found by the rest."""

    def __init__(self, table):
        self._table, self._offset = table, None

    def Pack(self, builder):  # noqa: N802, the name that FlatBuffers' generated code calls
        if self._offset is None:
            self._offset = self._table.Pack(builder)
        return self._offset


def _key(value):
    return value.tobytes() if isinstance(value, np.ndarray) else value
