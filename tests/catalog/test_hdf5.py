"""The reader of weight files against h5py: what it takes is the same to the last bit, all else it refuses by name."""

import io
import random
import struct
import time

import h5py
import keras
import ml_dtypes
import numpy as np
import pytest
from keras import layers

from zoo.catalog import hdf5
from zoo.catalog.lookup import catalog_directory, list_pretrained
from zoo.core.errors import IntegrityError

DTYPES = [f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)]
DTYPES += ["float16", "float32", "float64", "bool"]


def by_h5py(content):
    """What `hdf5.read` shall give, by the library."""
    arrays = {}

    def visit(group, path):
        arrays[path] = {}
        for name, item in group.items():
            if isinstance(item, h5py.Group):
                visit(item, f"{path}/{name}" if path else name)
            else:
                dtype = ml_dtypes.bfloat16 if item.attrs.get("dtype") == "bfloat16" else item.dtype
                arrays[path][name] = np.array(item, dtype=dtype)

    with h5py.File(io.BytesIO(content), "r") as file:
        visit(file, "")
    return arrays


def assert_equal(arrays, expected):
    assert arrays.keys() == expected.keys()
    for path, group in expected.items():
        assert list(arrays[path]) == list(group)
        for name, array in group.items():
            assert (arrays[path][name].dtype, arrays[path][name].shape) == (array.dtype, array.shape), (path, name)
            assert arrays[path][name].tobytes() == array.tobytes(), (path, name)


def written(write, **options):
    """The content of a file that h5py writes as `write` asks it to."""
    content = io.BytesIO()
    with h5py.File(content, "w", **options) as file:
        write(file)
    return content.getvalue()


def keras_file(model, tmp_path):
    model.save_weights(tmp_path / "model.weights.h5")
    return (tmp_path / "model.weights.h5").read_bytes()


@pytest.mark.parametrize("name", list_pretrained())
def test_every_pretrained_model(name):
    content = (catalog_directory() / name / "model.weights.h5").read_bytes()
    arrays = hdf5.read(content)
    assert_equal(arrays, by_h5py(content))
    assert not any(array.flags.writeable for group in arrays.values() for array in group.values())


class _Odd(layers.Layer):
    """Variables of many types and shapes, and more of them than one node of a B-tree holds."""

    def build(self, input_shape):
        for dtype in (*DTYPES, "bfloat16"):
            self.add_weight(shape=(2, 3), dtype=dtype, initializer="ones", name=f"w_{dtype}", trainable=False)
        self.add_weight(shape=(), initializer="ones", name="scalar")
        self.add_weight(shape=(0, 3), initializer="ones", name="empty")
        self.numbers = [self.add_weight(shape=(1,), initializer="ones", name=f"number_{i}") for i in range(300)]

    def call(self, x):
        return x * self.numbers[0]


MODELS = {
    "no weights": lambda: [layers.Flatten(), layers.Dropout(0.1)],
    "many layers": lambda: [layers.Dense(1 + i % 3, name=f"{'long_' * 40}{i}") for i in range(150)],
    "one group with hundreds of arrays": lambda: [_Odd()],
    "normalization": lambda: [layers.Normalization(), layers.BatchNormalization(), layers.LayerNormalization()],
    "recurrent": lambda: [layers.Bidirectional(layers.LSTM(3, return_sequences=True)), layers.GRU(2, dropout=0.1)],
    "random": lambda: [layers.Dropout(0.1), layers.GaussianNoise(0.1), layers.Dense(2, dtype="bfloat16")],
    "nested": lambda: [
        keras.Sequential([keras.Sequential([layers.Dense(2)]), layers.TimeDistributed(layers.Dense(3))])
    ],
}


@pytest.mark.parametrize("name", MODELS)
def test_what_keras_writes(name, tmp_path):
    model = keras.Sequential([keras.Input((4, 2)), *MODELS[name]()])
    content = keras_file(model, tmp_path)
    arrays = hdf5.read(content)
    assert_equal(arrays, by_h5py(content))
    own = sum(len(layer.variables) for layer in model._flatten_layers() if not layer._layers)
    assert own == 0 or sum(map(len, arrays.values())) >= len(model.weights) > 0 or name == "no weights"


def test_attention_and_an_optimizer(tmp_path):
    x = keras.Input((4, 2))
    model = keras.Model(x, layers.MultiHeadAttention(2, 3)(x, x))
    assert_equal(hdf5.read(content := keras_file(model, tmp_path)), by_h5py(content))
    model.compile("adam", "mse")
    model.optimizer.build(model.trainable_variables)
    arrays = hdf5.read(content := keras_file(model, tmp_path))
    assert_equal(arrays, by_h5py(content))
    assert arrays["optimizer/vars"]["0"].dtype == np.int64


def test_a_newer_format_is_refused_and_repacked(tmp_path):
    def write(file):
        group = file.create_group("layers/dense/vars")
        group.attrs["name"] = "dense"
        for i, dtype in enumerate(DTYPES):
            group[str(i)] = np.ones((2, 3), dtype)
        file.create_dataset("half", data=np.ones(3, ml_dtypes.bfloat16)).attrs["dtype"] = "bfloat16"

    path = tmp_path / "model.weights.h5"
    path.write_bytes(written(write, libver="latest"))
    with pytest.raises(IntegrityError, match="superblock of a newer or unusual format"):
        hdf5.read(path.read_bytes())
    content = hdf5.repacked(path)
    assert_equal(hdf5.read(content), by_h5py(path.read_bytes()))
    assert content == hdf5.repacked(path)
    with h5py.File(io.BytesIO(content)) as file:
        assert file["layers/dense/vars"].attrs["name"] == "dense"


def _external(file):
    file.create_dataset("w", (4,), "f4", external=[("/etc/passwd", 0, 16)])


def _virtual(file):
    layout = h5py.VirtualLayout((4,), "f4")
    layout[:] = h5py.VirtualSource("other.h5", "w", shape=(4,))
    file.create_virtual_dataset("w", layout)


def _soft(file):
    file["w"] = np.ones(2)
    file["v"] = h5py.SoftLink("/w")


def _hard(file):
    file["w"] = np.ones(2)
    file["v"] = file["w"]


def _cycle(file):
    file.create_group("a")["a"] = file["/"]


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (_external, "'w' has data in other files"),
        (_virtual, "'w' (has|is).*virtually|newer format"),
        (_soft, "'v' is a soft link"),
        (_hard, "has a header of a newer format, or 2 names"),
        (_cycle, "2 names"),
        (lambda file: file.__setitem__("v", h5py.ExternalLink("other.h5", "/w")), "newer format|is damaged"),
        (lambda file: file.create_dataset("w", data=np.zeros(9), chunks=(3,)), "'w' is stored in chunks"),
        (lambda file: file.create_dataset("w", data=np.zeros(9), compression="gzip"), "'w' has compressed or filtered"),
        (lambda file: file.create_dataset("w", (2**40,), "f4"), "'w' has shape .*, and 0 are stored|outside"),
        (lambda file: file.create_dataset("w", data="text"), "'w' holds something else than numbers"),
        (lambda file: file.create_dataset("w", data=np.zeros(2, ">f4")), "'w' holds something else than numbers"),
        (lambda file: file.create_dataset("w", data=np.zeros(2, "c8")), "'w' holds something else than numbers"),
        (lambda file: file.create_dataset("w", data=np.zeros(2, "V2")), "'w' holds something else than numbers"),
        (lambda file: file.create_group("/".join("a" * 120)), "nested more than 100 deep"),
    ],
)
def test_what_weights_never_need(write, message):
    with pytest.raises(IntegrityError, match=message):
        hdf5.read(written(write))


@pytest.mark.parametrize(
    ("content", "message"), [(b"", "is not HDF5"), (b"PK\3\4" * 50, "is not HDF5"), (b"\x89HDF\r\n\x1a\n", "not HDF5")]
)
def test_other_files(content, message):
    with pytest.raises(IntegrityError, match=f"model.weights.h5 is damaged.*{message}"):
        hdf5.read(content, "model.weights.h5")


def test_a_longer_or_shorter_file(tmp_path):
    content = keras_file(keras.Sequential([keras.Input((4,)), layers.Dense(2)]), tmp_path)
    for changed in (content[:-1], content + b"\0"):
        with pytest.raises(IntegrityError, match=f"says to have {len(content):,} bytes, and has {len(changed):,}"):
            hdf5.read(changed)


def test_data_that_overlap():
    first, second = np.arange(4.0), np.arange(4.0) + 1

    def write(file):
        file["a"], file["b"] = first, second

    content = written(write)
    places = [content.index(array.tobytes()) for array in (first, second)]
    for place, message in (
        (places[1] - 8, "parts of it overlap, at"),
        (places[0], "parts of it overlap, at"),
        (96, "parts of it overlap, at"),
        (len(content) - 24, "a part of 'b' lies outside of the file"),
        (2**64 - 1, "a part of 'b' lies outside of the file"),
    ):
        layout = struct.pack("<QQ", places[1], 32)
        assert content.count(layout) == 1
        with pytest.raises(IntegrityError, match=message):
            hdf5.read(content.replace(layout, struct.pack("<QQ", place, 32)))


def test_a_shape_that_is_not_stored_and_a_name_that_appears_twice():
    content = written(lambda file: file.update({"a": np.arange(4.0), "b": np.arange(5.0)}))
    sizes = struct.pack("<QQ", 4, 4)
    assert content.count(sizes) == 1
    with pytest.raises(IntegrityError, match=r"'a' has shape \(3,\), which takes 24 bytes, and 32 are stored"):
        hdf5.read(content.replace(sizes, struct.pack("<QQ", 3, 3)))
    name = b"b".ljust(8, b"\0")
    assert content.count(name) == 1
    with pytest.raises(IntegrityError, match="the name b'a' is out of order, or appears twice"):
        hdf5.read(content.replace(name, b"a".ljust(8, b"\0")))


def test_a_tree_whose_nodes_all_lead_to_the_same_node():
    """A few thousand bytes, 32 to the power of 9 ways through them."""
    content = written(lambda file: None)
    root, end, undefined, levels = content.index(b"TREE"), len(content), 2**64 - 1, 9
    nodes = b"SNOD\1".ljust(328, b"\0")
    for level in range(levels):
        below = end + 328 + 544 * (level - 1) if level else end
        node = struct.pack("<4sBBHQQ", b"TREE", 0, level, 32, undefined, undefined)
        nodes += node + struct.pack("<QQ", 0, below) * 32 + bytes(8)
    top = struct.pack("<4sBBHQQQQQ", b"TREE", 0, levels, 1, undefined, undefined, 0, end + 328 + 544 * (levels - 1), 0)
    size = struct.pack("<Q", end)
    changed = content[:root] + top + content[root + len(top) :] + nodes
    assert content.count(size) == 1
    start = time.process_time()
    with pytest.raises(IntegrityError, match="parts of it overlap, or contain themselves"):
        hdf5.read(changed.replace(size, struct.pack("<Q", len(changed)), 1))
    assert time.process_time() - start < 1


def mutated(content, chance):
    """A copy with one to four changes: a flipped bit, another byte, or an 8-byte number as an attacker would choose."""
    content = bytearray(content)
    places = [i for word in (b"TREE", b"SNOD", b"HEAP", b"GCOL") for i in _all(content, word)] or [0]
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        kind = chance.randrange(5)
        near = chance.choice((chance.randrange(len(content)), chance.choice(places) + chance.randrange(-64, 400)))
        at = min(max(near, 0), len(content) - 8)
        if kind == 0:
            content[at] ^= 1 << chance.randrange(8)
        elif kind == 1:
            content[at] = chance.randrange(256)
        elif kind == 2:  # addresses and lengths are multiples of 8
            numbers = (
                0,
                1,
                8,
                96,
                at,
                len(content),
                2**31,
                2**63,
                2**64 - 1,
                chance.choice(places),
                chance.randrange(len(content)),
            )
            content[at // 8 * 8 : at // 8 * 8 + 8] = struct.pack("<Q", chance.choice(numbers))
        elif kind == 3:
            other = chance.randrange(len(content) - 8)
            length = chance.choice((1, 8, 40, 328))
            piece = content[other : other + length][: len(content) - at]
            content[at : at + len(piece)] = piece
        else:
            del content[at:]
            content += bytes(chance.randrange(3) * 8)
    return bytes(content)


def _all(content, word):
    at = content.find(word)
    while at >= 0:
        yield at
        at = content.find(word, at + 1)


def test_nothing_but_one_error_comes_of_damaged_files(tmp_path):
    """A seeded sample: each is refused, or read in the time of the whole file with the arrays it says it has."""
    x = keras.Input((4, 2))
    model = keras.Model(x, layers.Dense(2, dtype="bfloat16")(layers.LSTM(2)(layers.Dense(3)(x))))
    contents = [
        keras_file(model, tmp_path),
        written(lambda f: [f.create_dataset(f"w{i:03}", data=i) for i in range(90)]),
    ]
    chance, taken = random.Random(13), 0
    for _ in range(4_000):
        content = mutated(chance.choice(contents), chance)
        start = time.process_time()
        try:
            arrays = hdf5.read(content)
        except IntegrityError:
            continue
        finally:
            assert time.process_time() - start < 1
        taken += 1
        assert sum(array.nbytes for group in arrays.values() for array in group.values()) <= len(content)
    assert 400 < taken < 3_600  # changes that decide nothing, such as in the data, and changes that do
