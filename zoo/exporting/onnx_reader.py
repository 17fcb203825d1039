"""Reading the protocol buffer of an .onnx file that somebody else may have made.

Strict where the format is lenient: a field that occurs twice where one is expected (the format merges the two), an
unknown field or kind of field is an error, so that no other reader can see another model in the same bytes.
"""

import struct
import types
from typing import Any

from zoo.core.errors import ExportError

# Fields of ONNX's schema (onnx.proto, IR version 13) by number: name and type; "*" stands for any number of them.
# Types: int (also a packed vector of them), f4 and f8 (as well), bytes, another message, or "no" for what is refused.
_SCHEMA: dict[str, dict[int, tuple[str, str]]] = {
    "Model": {
        1: ("ir_version", "int"), 2: ("producer_name", "bytes"), 3: ("producer_version", "bytes"),
        4: ("domain", "bytes"), 5: ("model_version", "int"), 6: ("doc_string", "bytes"), 7: ("graph", "Graph"),
        8: ("opset_import", "Opset*"), 14: ("metadata_props", "Entry*"), 20: ("training_info", "no"),
        25: ("functions", "no"),
    },
    "Opset": {1: ("domain", "bytes"), 2: ("version", "int")},
    "Entry": {1: ("key", "bytes"), 2: ("value", "bytes")},
    "Graph": {
        1: ("node", "Node*"), 2: ("name", "bytes"), 5: ("initializer", "Tensor*"), 10: ("doc_string", "bytes"),
        11: ("input", "ValueInfo*"), 12: ("output", "ValueInfo*"), 13: ("value_info", "ValueInfo*"),
        14: ("quantization_annotation", "no"), 15: ("sparse_initializer", "no"), 16: ("metadata_props", "Entry*"),
    },
    "Node": {
        1: ("input", "bytes*"), 2: ("output", "bytes*"), 3: ("name", "bytes"), 4: ("op_type", "bytes"),
        5: ("attribute", "Attribute*"), 6: ("doc_string", "bytes"), 7: ("domain", "bytes"), 8: ("overload", "bytes"),
        9: ("metadata_props", "Entry*"),
    },
    "Attribute": {
        1: ("name", "bytes"), 2: ("f", "f4"), 3: ("i", "int"), 4: ("s", "bytes"), 5: ("t", "Tensor"),
        6: ("g", "Graph"), 7: ("floats", "f4*"), 8: ("ints", "int*"), 9: ("strings", "bytes*"), 10: ("tensors", "no"),
        11: ("graphs", "no"), 13: ("doc_string", "bytes"), 14: ("tp", "no"), 15: ("type_protos", "no"),
        20: ("type", "int"), 21: ("ref_attr_name", "no"), 22: ("sparse_tensor", "no"), 23: ("sparse_tensors", "no"),
    },
    "Tensor": {
        1: ("dims", "int*"), 2: ("data_type", "int"), 3: ("segment", "no"), 4: ("float_data", "f4*"),
        5: ("int32_data", "int*"), 6: ("string_data", "no"), 7: ("int64_data", "int*"), 8: ("name", "bytes"),
        9: ("raw_data", "bytes"), 10: ("double_data", "f8*"), 11: ("uint64_data", "int*"), 12: ("doc_string", "bytes"),
        13: ("external_data", "no"), 14: ("data_location", "int"), 16: ("metadata_props", "Entry*"),
    },
    "ValueInfo": {
        1: ("name", "bytes"), 2: ("type", "Type"), 3: ("doc_string", "bytes"), 4: ("metadata_props", "Entry*"),
    },
    "Type": {
        1: ("tensor_type", "TensorType"), 4: ("sequence_type", "no"), 5: ("map_type", "no"), 6: ("denotation", "bytes"),
        7: ("opaque_type", "no"), 8: ("sparse_tensor_type", "no"), 9: ("optional_type", "no"),
    },
    "TensorType": {1: ("elem_type", "int"), 2: ("shape", "Shape")},
    "Shape": {1: ("dim", "Dimension*")},
    "Dimension": {1: ("dim_value", "int"), 2: ("dim_param", "bytes"), 3: ("denotation", "bytes")},
}  # fmt: skip
_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5
_FLOATS = {"f4": (_FIXED32, 4, "f"), "f8": (_FIXED64, 8, "d")}
# A loop's body is a graph in an attribute of a node of a graph: each takes two levels of depth.
_DEPTH = 24
_WORK = 2_000_000


def read(content: bytes) -> types.SimpleNamespace:
    """The bytes of an .onnx file as an object with the fields of a ModelProto.

    A field that is absent is None, or an empty list. Bytes are views of the content, and so are packed floats, one
    view in the list for each pack.

    Raises:
        ExportError: not a protocol buffer of this schema.
    """
    return _Reader(content).message(0, len(content), "Model", 0)


class _Reader:
    def __init__(self, content):
        self._content = memoryview(content)
        self._work = _WORK

    def message(self, position, end, name, depth):
        if depth > _DEPTH:
            raise ExportError("it is nested too deeply")
        fields = _SCHEMA[name]
        found = types.SimpleNamespace(**{field: [] if kind[-1] == "*" else None for field, kind in fields.values()})
        while position < end:
            self._spend(1)
            key, position = self._varint(position, end)
            number, wire = key >> 3, key & 7
            if number not in fields:
                raise ExportError(f"its {name} has an unknown field, number {number}")
            field, kind = fields[number]
            if kind == "no":
                raise ExportError(f"its {name} has {field}, which zoo.export never writes")
            value, position = self._value(position, end, wire, kind.rstrip("*"), depth, f"{field} of {name}")
            if kind[-1] == "*":
                getattr(found, field).extend(value if isinstance(value, list) else [value])
            elif getattr(found, field) is not None or isinstance(value, list):
                raise ExportError(f"its {name} has {field} several times")
            else:
                setattr(found, field, value)
        return found

    def _value(self, position, end, wire, kind, depth, where) -> tuple[Any, int]:
        if kind == "int" and wire == _VARINT:
            return self._integer(position, end)
        if kind in _FLOATS and wire == _FLOATS[kind][0]:
            _, size, form = _FLOATS[kind]
            if position + size > end:
                raise ExportError(f"{where} does not end inside the file")
            return struct.unpack_from(f"<{form}", self._content, position)[0], position + size
        if wire != _LENGTH:
            raise ExportError(f"{where} is of the wrong kind")
        length, start = self._varint(position, end)
        stop = start + length
        if stop > end:
            raise ExportError(f"{where} does not end inside the file")
        if kind == "bytes":
            return self._content[start:stop], stop
        if kind == "int":
            self._spend(length)
            values = []
            while start < stop:
                value, start = self._integer(start, stop)
                values.append(value)
            return values, stop
        if kind in _FLOATS:
            _, size, form = _FLOATS[kind]
            if length % size:
                raise ExportError(f"{where} has a wrong length")
            return [self._content[start:stop].cast(form)], stop
        return self.message(start, stop, kind, depth + 1), stop

    def _integer(self, position, end):
        value, position = self._varint(position, end)
        return value - (1 << 64) if value >> 63 else value, position

    def _varint(self, position, end):
        value = shift = 0
        while position < end and shift < 70:
            byte = self._content[position]
            position += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                if value >> 64:
                    break
                return value, position
            shift += 7
        raise ExportError("it has a number that does not end")

    def _spend(self, work):
        self._work -= work
        if self._work < 0:
            raise ExportError("it holds more fields than a model needs")
