"""Weight files without the HDF5 library, which was written for files that one trusts.

Keras writes a small part of HDF5: groups as symbol tables (a B-tree of version 1, a local heap for the names), datasets
of numbers in one piece. `read` takes exactly this part and refuses everything else by name: links, other files,
virtual or compressed data, pieces that overlap or lie outside the file. The work is linear in the size of the file.

Source: *HDF5 File Format Specification Version 1.1*, The HDF Group, sections II.A, III.A, III.B, III.D, III.E, IV.A.
"""

import io
import math
import os
import pathlib
import struct

import ml_dtypes
import numpy as np

from zoo.core.errors import IntegrityError, ZooError

Arrays = dict[str, dict[str, np.ndarray]]

# The first bytes of every file that h5py writes by default: version 0, addresses and lengths of 8 bytes, nodes with up
# to 2 x 4 symbols and 2 x 16 children, nothing before the file, no index of free space.
_SUPERBLOCK = b"\x89HDF\r\n\x1a\n" + struct.pack("<8B2HIQQ", 0, 0, 0, 0, 0, 8, 8, 0, 4, 16, 0, 0, 2**64 - 1)
_SUPERBLOCK_SIZE, _SYMBOLS, _CHILDREN = 96, 8, 32
_UNDEFINED = 2**64 - 1
_ENTRY = struct.Struct("<QQI4xQQ")  # offset of the name, address of the object, what is cached, two addresses
_HEADER, _MESSAGE = struct.Struct("<BxHII4x"), struct.Struct("<HHB3x")
_HEAP, _TREE = struct.Struct("<4sIQQQ"), struct.Struct("<4sBBHQQ")
_TWO_ADDRESSES = struct.Struct("<QQ")

_NIL, _DATASPACE, _DATATYPE, _OLD_FILL, _FILL, _LAYOUT, _ATTRIBUTE = 0x00, 0x01, 0x03, 0x04, 0x05, 0x08, 0x0C
_CONTINUATION, _SYMBOL_TABLE, _TIME = 0x10, 0x11, 0x12
_READ = {_DATASPACE, _DATATYPE, _LAYOUT, _SYMBOL_TABLE}
_IGNORED = {_NIL, _OLD_FILL, _FILL, _TIME}
_REFUSED = {
    0x02: "links of a newer format",
    0x06: "links of a newer format",
    0x07: "data in other files",
    0x0A: "groups of a newer format",
    0x0B: "compressed or filtered data",
}

# Datatype messages, byte for byte as they are written, and what they are to NumPy.
_INTEGER = "10{:02x}0000{:02x}0000000000{:02x}0000000000"
_DATATYPES = {
    bytes.fromhex(message): np.dtype(dtype)
    for message, dtype in {
        "11200f0002000000000010000a05000a0f00000000000000": "<f2",
        "11201f000400000000002000170800177f00000000000000": "<f4",
        "11203f000800000000004000340b0034ff03000000000000": "<f8",
        "180200000100000010080000010000000000080046414c5345000000545255450000000000010000": "?",
        **{_INTEGER.format(0, n, 8 * n): f"<u{n}" for n in (1, 2, 4, 8)},
        **{_INTEGER.format(8, n, 8 * n): f"<i{n}" for n in (1, 2, 4, 8)},
    }.items()
}
# Keras writes bfloat16 as two opaque bytes, with the attribute dtype="bfloat16": text in the global heap.
_OPAQUE = bytes.fromhex("1500000002000000")
_BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
_DTYPE_ATTRIBUTE = bytes.fromhex("01000600140008006474797065000000190101001000000010000000010000000000080000000000")
_DTYPE_ATTRIBUTE += bytes.fromhex("0100000000000000") + struct.pack("<I", len("bfloat16"))

_MOST_OBJECTS, _LARGEST_DEPTH, _LONGEST_NAME = 200_000, 100, 1024


def read(content: bytes, where: str = "The weight file") -> Arrays:
    """The arrays of a weight file.

    Args:
        content: the file, as `keras.Model.save_weights` writes it.
        where: what to call the file in an error.

    Returns:
        dict: path of every group, such as "layers/dense/vars" ("" for the outermost), to the arrays in it by name. The
        arrays are read-only views of `content`.

    Raises:
        IntegrityError: damaged, or HDF5 of another kind than Keras writes; says what is not allowed.

    Example:
        >>> hdf5.read(pathlib.Path("model.weights.h5").read_bytes())["encoder/layers/dense/vars"]["0"].shape
        (784, 16)
    """
    return _Reader(content, where).groups()


def check_finite(arrays: Arrays, where: str, error: type[ZooError] = IntegrityError) -> None:
    """Raise an `error` for arrays with NaN or infinite values: no model was trained to have any."""
    for path, group in arrays.items():
        for name, array in group.items():
            if array.dtype.kind not in "biu" and not np.isfinite(array).all():
                raise error(f"{where} holds NaN or infinite values, in the array {name!r} of {path!r}.")


def standard(path: str | os.PathLike) -> bytes:
    """The content of a weight file that Keras just wrote on this machine, as `read` takes it.

    That is the file itself; or, from releases of HDF5 that write newer formats by default, its arrays written again.
    """
    content = pathlib.Path(path).read_bytes()
    try:
        read(content)
    except IntegrityError:
        content = repacked(path)
        read(content)
    return content


def repacked(path: str | os.PathLike) -> bytes:
    """The groups, arrays and attributes of a trusted HDF5 file of any format, written again in the oldest one."""
    import h5py

    content = io.BytesIO()
    with h5py.File(path, "r") as source, h5py.File(content, "w", libver="earliest") as target:
        groups = [(source, target)]
        for group, copy in groups:
            copy.attrs.update(group.attrs)
            for name, item in group.items():
                if isinstance(item, h5py.Group):
                    groups.append((item, copy.create_group(name)))
                else:
                    copy.create_dataset(name, data=item[()], dtype=item.dtype).attrs.update(item.attrs)
    return content.getvalue()


class _Reader:
    def __init__(self, content, where):
        self.content, self.where = content, where
        self.claimed: list[tuple[int, int]] = []
        self.unclaimed = len(content)
        self.collections: dict[int, dict[int, bytes]] = {}

    def refuse(self, reason):
        raise IntegrityError(
            f"{self.where} is damaged, or not as Keras writes it: {reason}. Restore it from where it came from."
        )

    def claim(self, address, size, kind):
        """Take `size` bytes as part of one thing only; their sum bounds the work, whatever points to what."""
        if address + size > len(self.content):
            self.refuse(f"a {kind} lies outside of the file, at {address:,} with {size:,} bytes")
        self.claimed.append((address, address + size))
        self.unclaimed -= size
        if self.unclaimed < 0:
            self.refuse("parts of it overlap, or contain themselves")

    def groups(self):
        head = self.content[:_SUPERBLOCK_SIZE]
        if len(head) < _SUPERBLOCK_SIZE or not head.startswith(_SUPERBLOCK[:8]):
            self.refuse("it is not HDF5")
        if head[: len(_SUPERBLOCK)] != _SUPERBLOCK:
            self.refuse("it has a superblock of a newer or unusual format")
        end, driver = struct.unpack_from("<QQ", head, len(_SUPERBLOCK))
        if end != len(self.content) or driver != _UNDEFINED:
            self.refuse(f"it says to have {end:,} bytes, and has {len(self.content):,}")
        self.claim(0, _SUPERBLOCK_SIZE, "superblock")
        arrays: Arrays = {}
        pending = [("", 0, _ENTRY.unpack_from(head, _SUPERBLOCK_SIZE - _ENTRY.size))]
        for path, depth, (_, address, cache, *cached) in pending:
            if cache not in (0, 1):
                self.refuse(f"{path!r} is a soft link, which weights never need")
            messages = self.header(address, path)
            if _SYMBOL_TABLE not in messages:
                group, _, name = path.rpartition("/")
                if depth == 0 or cache != 0:
                    self.refuse(f"{path!r} is not the group it is said to be")
                arrays[group][name] = self.dataset(messages, path)
                continue
            if len(messages) > 1 or len(messages[_SYMBOL_TABLE]) != 16:
                self.refuse(f"{path!r} is both a group and something else")
            table = list(_TWO_ADDRESSES.unpack(messages[_SYMBOL_TABLE]))
            if cache == 1 and cached != table:
                self.refuse(f"{path!r} has two different tables")
            if depth > _LARGEST_DEPTH:
                self.refuse(f"groups are nested more than {_LARGEST_DEPTH} deep")
            arrays[path] = {}
            prefix = f"{path}/" if path else ""
            pending += [(prefix + name, depth + 1, entry) for name, entry in self.entries(*table)]
            if len(pending) > _MOST_OBJECTS:
                self.refuse(f"it has more than {_MOST_OBJECTS:,} groups and arrays")
        self.claimed.sort()
        for (_, end), (begin, _) in zip(self.claimed, self.claimed[1:], strict=False):
            if begin < end:
                self.refuse(f"parts of it overlap, at {begin:,}")
        return arrays

    def header(self, address, path):
        """What the messages in the header of an object say, by type; those that decide no number are left out."""
        self.claim(address, _HEADER.size, "header")
        version, count, links, size = _HEADER.unpack_from(self.content, address)
        if version != 1 or links != 1:
            self.refuse(f"{path!r} has a header of a newer format, or {links} names")
        messages: dict[int, bytes] = {}
        chunks = [(address + _HEADER.size, size)]
        for begin, size in chunks:
            self.claim(begin, size, "header")
            end = begin + size
            while begin < end:
                count -= 1
                kind, length, flags = _MESSAGE.unpack_from(self.content, begin) if end - begin >= 8 else (-1, 0, 0)
                begin += _MESSAGE.size
                body = self.content[begin : begin + length]
                begin += length
                if begin > end or length % 8 or count < 0:
                    self.refuse(f"the header of {path!r} breaks off")
                if kind in _REFUSED:
                    self.refuse(f"{path!r} has {_REFUSED[kind]}, which weights never need")
                if kind == _CONTINUATION and length == 16 and not flags:
                    chunks.append(_TWO_ADDRESSES.unpack(body))
                elif kind == _ATTRIBUTE and not flags:
                    if body.startswith(_DTYPE_ATTRIBUTE):
                        messages[_ATTRIBUTE] = body
                elif kind in _READ and flags in (0, 1) and kind not in messages:
                    messages[kind] = body
                elif kind not in _IGNORED:
                    self.refuse(f"the header of {path!r} has a message of type {kind} with flags {flags}")
        if count:
            self.refuse(f"the header of {path!r} breaks off")
        return messages

    def entries(self, tree, heap):
        """Name and symbol table entry of everything in a group, in order of the names."""
        names, found, last = self.heap(heap), [], b""
        nodes = [(tree, None, b"", None)]
        while nodes:
            address, level, low, high = nodes.pop()
            if level == -1:
                found += self.symbols(address, names, low, high)
                continue
            self.claim(address, _TREE.size + 16 * _CHILDREN + 8, "B-tree")
            signature, kind, depth, used, _, _ = _TREE.unpack_from(self.content, address)
            if signature != b"TREE" or kind != 0 or level not in (None, depth) or used > _CHILDREN:
                self.refuse(f"there is no B-tree of a group at {address:,}")
            numbers = struct.unpack_from(f"<{2 * used + 1}Q", self.content, address + _TREE.size)
            keys = [self.name(names, offset) for offset in numbers[::2]]
            if used and (keys[0] != low or (high is not None and keys[-1] != high)):
                self.refuse(f"the B-tree at {address:,} is out of order")
            children = list(zip(numbers[1::2], keys, keys[1:], strict=False))
            nodes += [(child, depth - 1, begin, end) for child, begin, end in reversed(children)]
        for name, _ in found:
            if name <= last:
                self.refuse(f"the name {name[:80]!r} is out of order, or appears twice")
            last = name
        return [(self.text(name), entry) for name, entry in found]

    def symbols(self, address, names, low, high):
        self.claim(address, 8 + _SYMBOLS * _ENTRY.size, "symbol table")
        signature, version, count = struct.unpack_from("<4sBxH", self.content, address)
        if signature != b"SNOD" or version != 1 or count > _SYMBOLS:
            self.refuse(f"there is no symbol table at {address:,}")
        found = []
        for begin in range(address + 8, address + 8 + count * _ENTRY.size, _ENTRY.size):
            entry = _ENTRY.unpack_from(self.content, begin)
            found.append((self.name(names, entry[0]), entry))
        if found and not low < found[0][0] <= found[-1][0] <= high:
            self.refuse(f"the symbol table at {address:,} is out of order")
        return found

    def heap(self, address):
        """The bytes that hold the names of a group."""
        self.claim(address, _HEAP.size, "heap of names")
        signature, version, size, _, begin = _HEAP.unpack_from(self.content, address)
        if signature != b"HEAP" or version != 0:
            self.refuse(f"there is no heap of names at {address:,}")
        self.claim(begin, size, "heap of names")
        return self.content[begin : begin + size]

    def name(self, names, offset):
        end = names.find(b"\0", offset, offset + _LONGEST_NAME + 1) if offset < len(names) else -1
        if end < 0:
            self.refuse(f"a name lies outside of its group's heap, or is longer than {_LONGEST_NAME} bytes")
        return names[offset:end]

    def text(self, name):
        try:
            text = name.decode()
        except UnicodeDecodeError:
            self.refuse(f"the name {name[:80]!r} is not UTF-8")
        if "/" in text or text in (".", ".."):
            self.refuse(f"the name {text[:80]!r} is a path")
        return text

    def dataset(self, messages, path):
        if not messages.keys() >= {_DATASPACE, _DATATYPE, _LAYOUT}:
            self.refuse(f"{path!r} is neither a group nor an array")
        shape, dtype = self.shape(messages[_DATASPACE], path), self.dtype(messages, path)
        layout = messages[_LAYOUT]
        if len(layout) != 24 or layout[0] != 3 or layout[1] != 1:
            self.refuse(f"{path!r} is stored in chunks, virtually or in another way than in one piece")
        address, stored = _TWO_ADDRESSES.unpack_from(layout, 2)
        size = math.prod(shape) * dtype.itemsize
        if stored != size:
            self.refuse(f"{path!r} has shape {shape}, which takes {size:,} bytes, and {stored:,} are stored")
        if size == 0 and math.prod(filter(None, shape)) < 2**31:
            return np.zeros(shape, dtype)
        self.claim(address, size, f"part of {path!r}")
        return np.frombuffer(self.content, dtype, math.prod(shape), address).reshape(shape)

    def shape(self, message, path):
        version, rank, flags = message[:3] if len(message) >= 8 else (0, 0, 0)
        if version != 1 or flags not in (0, 1) or len(message) != 8 + 8 * rank * (1 + flags) or rank > 32:
            self.refuse(f"{path!r} has a shape of a newer format, or too many axes")
        sizes = struct.unpack_from(f"<{rank * (1 + flags)}Q", message, 8)
        shape = sizes[:rank]
        if flags and sizes[rank:] != shape:
            self.refuse(f"{path!r} can be resized")
        return shape

    def dtype(self, messages, path):
        message = messages[_DATATYPE]
        if message in _DATATYPES:
            return _DATATYPES[message]
        if message == _OPAQUE and _ATTRIBUTE in messages:
            body = messages[_ATTRIBUTE]
            if len(body) == 64 and self.global_text(*struct.unpack_from("<QI", body, 52)) == b"bfloat16":
                return _BFLOAT16
        self.refuse(f"{path!r} holds something else than numbers: its datatype is {message.hex()}")

    def global_text(self, address, index):
        """An object of the global heap, which holds attributes that are text."""
        if address not in self.collections:
            self.claim(address, 16, "global heap")
            signature, version, size = struct.unpack_from("<4sB3xQ", self.content, address)
            if signature != b"GCOL" or version != 1 or size < 16:
                self.refuse(f"there is no global heap at {address:,}")
            self.claim(address + 16, size - 16, "global heap")
            objects, begin, end = {}, address + 16, address + size
            while end - begin >= 16:
                number, length = struct.unpack_from("<H6xQ", self.content, begin)
                begin += 16
                if number == 0:  # the rest is free
                    break
                if number in objects or length > end - begin:
                    self.refuse(f"the global heap at {address:,} is damaged")
                objects[number] = self.content[begin : begin + length]
                begin += (length + 7) // 8 * 8
            self.collections[address] = objects
        return self.collections[address].get(index)
