"""Bytes changed without knowing what they mean."""

_INTEGERS = (0, 1, 127, 128, 255, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**64 - 1)
_HEADER = 512  # bytes at the beginning, where half of all changes go: what follows is mostly weights or pixels


def _place(data, rng, length=1):
    last = max(0, len(data) - length)
    return rng.randint(0, min(last, _HEADER) if rng.random() < 0.5 else last)


def _flips(data, rng):
    content = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 8, 64))):
        content[_place(data, rng)] ^= 1 << rng.randrange(8)
    return bytes(content)


def _bytes(data, rng):
    content = bytearray(data)
    for _ in range(rng.choice((1, 4, 16))):
        content[_place(data, rng)] = rng.choice((0, 255, 127, 128, rng.randrange(256)))
    return bytes(content)


def _integer(data, rng):
    """An aligned number of 2, 4 or 8 bytes becomes an extreme one, or grows or shrinks by a little."""
    size = rng.choice((2, 4, 8))
    begin = _place(data, rng, size) // size * size
    old = int.from_bytes(data[begin : begin + size], "little")
    new = rng.choice((*_INTEGERS, old + 1, old - 1, old * 2, len(data)))
    return data[:begin] + (new % 256**size).to_bytes(size, "little") + data[begin + size :]


def _truncation(data, rng):
    return data[: _place(data, rng)]


def _insertion(data, rng):
    begin = _place(data, rng)
    length = rng.choice((1, 3, 8, 1000))
    return data[:begin] + rng.choice((rng.randbytes(length), b"\0" * length)) + data[begin:]


def _deletion(data, rng):
    begin = _place(data, rng)
    return data[:begin] + data[begin + rng.choice((1, 4, 100)) :]


def _swap(data, rng):
    size = rng.choice((1, 8, 64))
    a, b = sorted((_place(data, rng, size), _place(data, rng, size)))
    if a + size > b:
        return _flips(data, rng)
    return data[:a] + data[b : b + size] + data[a + size : b] + data[a : a + size] + data[b + size :]


def _repetition(data, rng):
    begin = _place(data, rng)
    return data + data[begin:] if rng.random() < 0.5 else data[:begin] + data[begin : begin + 64] + data[begin:]


def _other(data, rng):
    """Something else altogether."""
    return rng.choice((b"", b"\0" * len(data), rng.randbytes(100), b"\x89HDF\r\n\x1a\n", b"PK\x05\x06" + b"\0" * 18))


MUTATIONS = {
    "bit flips": _flips,
    "other bytes": _bytes,
    "extreme integer": _integer,
    "truncation": _truncation,
    "insertion": _insertion,
    "deletion": _deletion,
    "block swap": _swap,
    "repetition": _repetition,
    "other content": _other,
}


def mutated(data: bytes, rng) -> tuple[bytes, str]:
    """`data` after one mutation, which differs from it, and the name of the mutation."""
    while True:
        name = rng.choices(list(MUTATIONS), (4, 2, 4, 2, 1, 1, 1, 1, 0.5))[0]
        changed = MUTATIONS[name](data, rng) if data else b"\0"
        if changed != data:
            return changed, name


def mutated_near(data: bytes, places, rng, reach=64) -> tuple[bytes, str]:
    """The same, within a few bytes behind one of the `places`, where a format keeps its structures."""
    begin = rng.choice(places)
    changed, name = mutated(data[begin : begin + reach], rng)
    return data[:begin] + changed + data[begin + reach :], f"{name} at {begin}"


def positions(data: bytes, *marks: bytes) -> list[int]:
    """Where the marks stand in the data."""
    found = []
    for mark in marks:
        begin = data.find(mark)
        while begin >= 0:
            found.append(begin)
            begin = data.find(mark, begin + 1)
    return sorted(found)
