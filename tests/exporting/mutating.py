"""Changed .tflite and .onnx files: bytes at random, and what the formats' structure offers, one place at a time."""

import contextlib
import random
import struct
from collections.abc import Callable

from zoo.exporting import seal, tflite_reader

_INTEGERS = {"b": 7, "B": 8, "H": 16, "i": 31, "I": 32, "q": 63, "Q": 64}
_FLOATS = (0.0, -1.0, 1e-38, 1e-12, 1e12, 3e38, float("inf"), float("nan"))


def mutated(content: bytes, format: str, generator: random.Random) -> tuple[str, bytes]:
    """A changed file, and the name of the change."""
    ways = {**_ANYWHERE, **(_TFLITE if format == "tflite" else _ONNX)}
    name = generator.choice(list(ways))
    return name, ways[name](content, generator)


def resealed(content: bytes) -> bytes:
    """A file with the seal that its content has now, as somebody makes it who knows how; or as it is, without one."""
    with contextlib.suppress(seal.ExportError):
        return seal.sealed(content)
    return content


def _flipped(content, generator):
    changed = bytearray(content)
    for _ in range(generator.choice((1, 1, 2, 5, 20))):
        changed[generator.randrange(len(changed))] ^= 1 << generator.randrange(8)
    return bytes(changed)


def _overwritten(content, generator):
    changed = bytearray(content)
    width = generator.choice((1, 2, 4, 8))
    start = generator.randrange(len(content) - width)
    changed[start : start + width] = generator.choice((b"\0", b"\xff", b"\x7f", b"\x80")) * width
    return bytes(changed)


def _cut(content, generator):
    return content[: generator.randrange(len(content))]


def _lengthened(content, generator):
    return content + generator.randbytes(generator.choice((1, 4, 1000)))


def _moved(content, generator):
    start, end = sorted(generator.randrange(len(content)) for _ in range(2))
    size = min(end - start, 200)
    return content[:start] + content[start + size :] + content[start : start + size]


_ANYWHERE: dict[str, Callable] = {
    "flipped": _flipped, "overwritten": _overwritten, "cut": _cut, "lengthened": _lengthened, "moved": _moved,
}  # fmt: skip


class Places(tflite_reader.Reader):
    """Where the numbers of a .tflite file are: fields, elements of vectors, lengths, offsets, small constants."""

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self.fields, self.elements, self.lengths, self.offsets, self.constants = [], [], [], [], []
        model = self.root()
        for graph in model.subgraphs:
            for tensor in graph.tensors:
                data = model.buffers[tensor.buffer].data
                if data is not None and 0 < len(data) <= 64:
                    start = data.__array_interface__["data"][0] - self._base
                    self.constants += [(start + at, "i") for at in range(0, len(data) - 3, 4)]
            for operator in graph.operators:
                if operator.options:
                    self._options(operator.options)

    @property
    def _base(self):
        import numpy as np

        return np.frombuffer(self._content, "u1").__array_interface__["data"][0]

    def table(self, position, name):
        vtable, length, _ = self._vtable(position)
        for _, slot, kind, _ in tflite_reader._FIELDS[name]:
            place = struct.unpack_from("<H", self._content, vtable + slot)[0] if slot < length else 0
            if place:
                form = tflite_reader._TYPES.get(kind)
                (self.fields if form else self.offsets).append((position + place, form[1] if form else "I"))
        return super().table(position, name)

    def _vector(self, position, kind, terminator=0):
        vector = super()._vector(position, kind, terminator)
        self.lengths.append((position, "I"))
        form, width = tflite_reader._TYPES[kind][1], vector.itemsize
        if kind != "u1":
            self.elements += [(position + 4 + width * n, form) for n in range(min(len(vector), 8))]
        return vector

    def _options(self, position):
        vtable, length, size = self._vtable(position)
        for slot in range(4, length, 2):
            place = struct.unpack_from("<H", self._content, vtable + slot)[0]
            if place:
                self.fields += [(position + place, "i" if place + 4 <= size else "b")] * 3


def _other(value, form, generator):
    if form == "f":
        return generator.choice((*_FLOATS, value * 1.5, -value, value * 1e6, value * 1e-6))
    bits = _INTEGERS[form]
    most = (1 << bits) - 1
    least = -most - 1 if form.islower() else 0
    choices = (0, 1, 2, 3, 5, -1, -2, 7, 100, 255, 65536, 1 << 20, most, least, most // 2, value + 1, value - 1)
    choices += (value * 2, value // 2, value ^ 1 << generator.randrange(bits))
    return min(max(generator.choice(choices), least), most)


def _at(kind):
    def change(content, generator):
        places = _places(content)
        changed = bytearray(content)
        for _ in range(generator.choice((1, 1, 1, 2))):
            at, form = generator.choice(getattr(places, kind) or places.fields)
            (value,) = struct.unpack_from(f"<{form}", changed, at)
            struct.pack_into(f"<{form}", changed, at, _other(value, form, generator))
        return bytes(changed)

    return change


def _exchanged(content, generator):
    """Two fields, elements or offsets of one kind exchange what they say."""
    places = _places(content)
    chosen = getattr(places, generator.choice(("fields", "elements", "offsets")))
    changed = bytearray(content)
    (a, form), (b, other) = generator.sample(chosen, 2)
    if form == other:
        size = struct.calcsize(form)
        changed[a : a + size], changed[b : b + size] = changed[b : b + size], changed[a : a + size]
    return bytes(changed)


_KNOWN: dict[int, tuple[bytes, Places]] = {}


def _places(content):
    if id(content) not in _KNOWN:
        _KNOWN[id(content)] = content, Places(content)
    return _KNOWN[id(content)][1]


_TFLITE: dict[str, Callable] = {
    **{name: _at(name) for name in ("fields", "elements", "lengths", "offsets", "constants")},
    "exchanged": _exchanged,
}


def _onnx(change):
    def changed(content, generator):
        import onnx

        model = onnx.ModelProto.FromString(content)
        change(model, generator)
        return model.SerializeToString()

    return changed


def _attribute(model, generator):
    nodes = [node for node in model.graph.node if node.attribute]
    attribute = generator.choice(generator.choice(nodes).attribute)
    if attribute.ints:
        number = generator.randrange(len(attribute.ints))
        attribute.ints[number] = _other(attribute.ints[number], "q", generator)
        if generator.random() < 0.2:
            del attribute.ints[0]
    elif attribute.HasField("i"):
        attribute.i = _other(attribute.i, "q", generator)
    elif attribute.HasField("f"):
        attribute.f = _other(attribute.f, "f", generator)
    else:
        attribute.s = generator.randbytes(3)


def _dimensions(model, generator):
    tensor = generator.choice(model.graph.initializer)
    if tensor.dims:
        number = generator.randrange(len(tensor.dims))
        tensor.dims[number] = _other(tensor.dims[number], "q", generator)
    if generator.random() < 0.3:
        tensor.data_type = generator.randrange(25)


def _reordered_dimensions(model, generator):
    tensor = generator.choice([t for t in model.graph.initializer if t.dims])
    dims = list(tensor.dims)
    generator.shuffle(dims)
    tensor.dims[:] = dims if generator.random() < 0.5 else [*dims, 1]


def _values(model, generator):
    chosen = [t for t in model.graph.initializer if t.data_type in (6, 7) and t.raw_data]
    tensor = generator.choice(chosen or list(model.graph.initializer))
    form, width = ("q", 8) if tensor.data_type == 7 else ("i", 4)
    data = bytearray(tensor.raw_data)
    at = width * generator.randrange(len(data) // width)
    (value,) = struct.unpack_from(f"<{form}", data, at)
    struct.pack_into(f"<{form}", data, at, _other(value, form, generator))
    tensor.raw_data = bytes(data)


def _names(model, generator):
    nodes = model.graph.node
    names = [name for node in nodes for name in (*node.input, *node.output)]
    node = generator.choice(nodes)
    side = generator.choice((node.input, node.output))
    if side:
        side[generator.randrange(len(side))] = generator.choice((*names, "", "other"))


def _operators(model, generator):
    nodes = model.graph.node
    node = generator.choice(nodes)
    node.op_type = generator.choice([*(n.op_type for n in nodes), "Expand", "ConstantOfShape", "Tile", "Resize", "If"])


def _ends(model, generator):
    value = generator.choice([*model.graph.input, *model.graph.output])
    kind = value.type.tensor_type
    if generator.random() < 0.5 and kind.shape.dim:
        generator.choice(kind.shape.dim).dim_value = _other(3, "q", generator)
    else:
        kind.elem_type = generator.randrange(25)


def _nodes(model, generator):
    nodes = list(model.graph.node)
    number = generator.randrange(len(nodes))
    way = generator.randrange(3)
    if way == 0:
        del nodes[number]
    elif way == 1:
        nodes.insert(number, nodes[generator.randrange(len(nodes))])
    else:
        generator.shuffle(nodes)
    copies = [type(nodes[0]).FromString(node.SerializeToString()) for node in nodes]
    del model.graph.node[:]
    model.graph.node.extend(copies)


_ONNX: dict[str, Callable] = {
    change.__name__.strip("_"): _onnx(change)
    for change in (
        _attribute, _attribute, _dimensions, _reordered_dimensions, _values, _names, _operators, _ends, _nodes,
    )
}  # fmt: skip
