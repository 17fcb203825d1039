"""Reading the FlatBuffer of a .tflite file that somebody else may have made.

Every offset, table, vector and string is checked to lie inside the file before it is followed, and the work is bounded:
a file may let many tables refer to one, so that few bytes stand for billions of them. Generated readers follow what a
file says.
"""

import struct
import types

import numpy as np

from zoo.core.errors import ExportError

IDENTIFIER = b"TFL3"
# Fields in the order of TensorFlow Lite's schema (schema.fbs, version 3), with their type: a number's, "str", a vector
# [of numbers, str or tables], a table, or "any" for a table whose type another field says. "-" stands for a field that
# nobody writes any more. A default other than 0 follows "=".
_SCHEMA = {
    "Model": (
        "version:u4 operator_codes:[OperatorCode] subgraphs:[SubGraph] description:str buffers:[Buffer]"
        " metadata_buffer:[i4] metadata:[Metadata] signature_defs:[SignatureDef] external_buffer_groups:[any]"
        " external_buffers:[any]"
    ),
    "OperatorCode": "deprecated_builtin_code:i1 custom_code:str version:i4=1 builtin_code:i4",
    "SubGraph": "tensors:[Tensor] inputs:[i4] outputs:[i4] operators:[Operator] name:str debug_metadata_index:i4=-1",
    "Tensor": (
        "shape:[i4] type:i1 buffer:u4 name:str quantization:Quantization is_variable:u1 sparsity:any"
        " shape_signature:[i4] has_rank:u1 variant_tensors:[any] external_buffer:u4"
    ),
    "Quantization": ("min:[f4] max:[f4] scale:[f4] zero_point:[i8] details_type:u1 details:any quantized_dimension:i4"),
    "Operator": (
        "opcode_index:u4 inputs:[i4] outputs:[i4] options_type:u1 options:any custom_options:[u1]"
        " custom_options_format:i1 mutating_variable_inputs:[u1] intermediates:[i4] large_custom_options_offset:u8"
        " large_custom_options_size:u8 options_2_type:u1 options_2:any debug_metadata_index:i4=-1"
    ),
    "Buffer": "data:[u1] offset:u8 size:u8",
    "Metadata": "name:str buffer:u4",
    "TensorMap": "name:str tensor_index:u4",
    "SignatureDef": "inputs:[TensorMap] outputs:[TensorMap] signature_key:str - subgraph_index:u4",
    # Options of operators.
    "Conv2DOptions": (
        "padding:i1 stride_w:i4 stride_h:i4 activation:i1 dilation_w:i4=1 dilation_h:i4=1 quantized_bias_type:i1"
    ),
    "DepthwiseConv2DOptions": (
        "padding:i1 stride_w:i4 stride_h:i4 depth_multiplier:i4 activation:i1 dilation_w:i4=1 dilation_h:i4=1"
    ),
    "TransposeConvOptions": "padding:i1 stride_w:i4 stride_h:i4 activation:i1 quantized_bias_type:i1",
    "Pool2DOptions": "padding:i1 stride_w:i4 stride_h:i4 filter_width:i4 filter_height:i4 activation:i1",
    "FullyConnectedOptions": (
        "activation:i1 weights_format:i1 keep_num_dims:u1 asymmetric_quantize_inputs:u1 quantized_bias_type:i1"
        " quant_spec:any"
    ),
    "ArithmeticOptions": "activation:i1 pot_scale_int16:u1=1",
    "ConcatenationOptions": "axis:i4 activation:i1",
    "SoftmaxOptions": "beta:f4",
    "ReshapeOptions": "new_shape:[i4]",
    "ReducerOptions": "keep_dims:u1",
    "StridedSliceOptions": (
        "begin_mask:i4 end_mask:i4 ellipsis_mask:i4 new_axis_mask:i4 shrink_axis_mask:i4 offset:u1"
    ),
    "CastOptions": "in_data_type:i1 out_data_type:i1",
    "OneHotOptions": "axis:i4",
    "LeakyReluOptions": "alpha:f4",
    "GeluOptions": "approximate:u1",
    "ResizeOptions": "align_corners:u1 half_pixel_centers:u1",
    "OldResizeOptions": "- - align_corners:u1 half_pixel_centers:u1",
    "WhileOptions": "cond_subgraph_index:i4 body_subgraph_index:i4",
    "EmptyOptions": "",
}
_TYPES = {"i1": "<b", "u1": "<B", "u2": "<H", "i4": "<i", "u4": "<I", "i8": "<q", "u8": "<Q", "f4": "<f"}
_STRUCTS = {name: struct.Struct(form) for name, form in _TYPES.items()}
_U2, _I4, _U4 = _STRUCTS["u2"], _STRUCTS["i4"], _STRUCTS["u4"]
# Tables, their fields and the elements of vectors of tables; the zoo's largest files need some 10,000.
_WORK = 500_000


def _fields(line):
    """(name, slot, type, default) of every field in a line of the schema."""
    for slot, text in enumerate(line.split()):
        if text != "-":
            name, _, kind = text.partition(":")
            kind, _, default = kind.partition("=")
            yield name, 4 + 2 * slot, kind, int(default or 0)


_FIELDS = {name: tuple(_fields(line)) for name, line in _SCHEMA.items()}


class Reader:
    """A FlatBuffer, table by table. Every method raises `ExportError` for what does not lie in the file.

    Args:
        content: the bytes of the file.
    """

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._size = len(content)
        self._work = _WORK

    def root(self) -> types.SimpleNamespace:
        """The file's Model, with everything that it refers to."""
        if self._size < 8 or self._content[4:8] != IDENTIFIER:
            raise ExportError("it lacks the identifier TFL3 of a .tflite file")
        return self.table(self._offset(0), "Model")

    def table(self, position: int, name: str) -> types.SimpleNamespace:
        """A table as an object: numbers, bytes for strings, arrays for vectors of numbers, lists for others.

        What is absent has its default: 0, or None for anything but a number. Of a table of type "any" its position is
        returned, for a later call.
        """
        vtable, length, size = self._vtable(position)
        fields = _FIELDS[name]
        self._spend(1 + len(fields))
        found = types.SimpleNamespace()
        for field, slot, kind, default in fields:
            place = _U2.unpack_from(self._content, vtable + slot)[0] if slot < length else 0
            number = _STRUCTS.get(kind)
            if not place:
                value = default if number else None
            else:
                width = number.size if number else 4
                if place < 4 or place + width > size or (position + place) % width:
                    raise ExportError(f"a {name} has its field {field} outside of itself")
                at = position + place
                value = number.unpack_from(self._content, at)[0] if number else self._reference(at, kind)
            setattr(found, field, value)
        return found

    def _vtable(self, position):
        """(position of a table's vtable, its length, the table's size)."""
        if position % 4 or not 0 < position <= self._size - 4:
            raise ExportError("a table lies outside of the file")
        vtable = position - _I4.unpack_from(self._content, position)[0]
        if vtable % 2 or not 0 <= vtable <= self._size - 4:
            raise ExportError("the layout of a table lies outside of the file")
        length, size = _U2.unpack_from(self._content, vtable)[0], _U2.unpack_from(self._content, vtable + 2)[0]
        if length < 4 or length % 2 or vtable + length > self._size or size < 4 or position + size > self._size:
            raise ExportError("a table does not end inside the file")
        return vtable, length, size

    def _reference(self, at, kind):
        position = self._offset(at)
        if kind == "str":
            return self._vector(position, "u1", terminator=1).tobytes()
        if not kind.startswith("["):
            if kind == "any":
                self._vtable(position)
                return position
            return self.table(position, kind)
        kind = kind[1:-1]
        if kind in _TYPES:
            return self._vector(position, kind)
        places = self._vector(position, "u4").tolist()
        self._spend(len(places))
        start = position + 4
        positions = [start + 4 * number + offset for number, offset in enumerate(places)]
        return positions if kind == "any" else [self.table(place, kind) for place in positions]

    def _vector(self, position, kind, terminator=0):
        if position % 4 or not 0 < position <= self._size - 4:
            raise ExportError("a vector lies outside of the file")
        count = _U4.unpack_from(self._content, position)[0]
        width = _STRUCTS[kind].size
        if position + 4 + count * width + terminator > self._size:
            raise ExportError("a vector does not end inside the file")
        if (position + 4) % width:
            raise ExportError("a vector is not aligned")
        if terminator and self._content[position + 4 + count]:
            raise ExportError("a text does not end with a zero")
        return np.frombuffer(self._content, _TYPES[kind], count, position + 4)

    def _offset(self, at):
        return at + _U4.unpack_from(self._content, at)[0]

    def _spend(self, work):
        self._work -= work
        if self._work < 0:
            raise ExportError("it holds more tables than a model needs")
