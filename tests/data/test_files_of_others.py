"""Files that somebody made to harm: each is an error that names the file, in bounded time and memory, by every door."""

import io
import os
import pathlib
import struct
import subprocess
import sys
import threading
import time
import zipfile
import zlib

import numpy as np
import pytest
from PIL import Image

import zoo
from zoo.core.errors import DataError, DataNotFoundError, UnknownNameError
from zoo.data import images
from zoo.data.samples import Samples

SHAPE = (8, 8, 1)


def _encoded(image, format="png", **options):
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def _chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _zeros(count):
    packing = zlib.compressobj(9)
    return b"".join(packing.compress(bytes(min(2**24, count - i))) for i in range(0, count, 2**24)) + packing.flush()


def _png(width, height, data=b"", extra=b""):
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = (_chunk(b"IHDR", header), extra, _chunk(b"IDAT", data), _chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def _tiff(*entries):
    """A TIFF file of entries (tag, type, count, value)."""
    content = b"II*\0" + struct.pack("<IH", 8, len(entries))
    return content + b"".join(struct.pack("<HHII", *entry) for entry in entries) + bytes(4)


def _with_size(content, marker, form, width, height, offset):
    data = bytearray(content)
    struct.pack_into(form, data, data.index(marker) + offset, *((width, height) if form[0] == "<" else (height, width)))
    return bytes(data)


SMALL = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 40, 3)).astype("uint8"))
JPEG, GIF = _encoded(SMALL, "jpeg"), _encoded(SMALL.quantize(16), "gif")
PROGRESSIVE = _encoded(SMALL, "jpeg", progressive=True)
LAST_SCAN = PROGRESSIVE[PROGRESSIVE.rindex(b"\xff\xda") : -2]
PIXELS = _zeros(40 * 121)

_TOO_LARGE = r"' is too large: expected at most 67,108,864 pixels, and 65,536 on a side. Received "
_BAD = {
    "pixels of a PNG": (_png(30_000, 30_000), _TOO_LARGE + "30,000 × 30,000"),
    "the most pixels": (_png(2**31 - 1, 2**31 - 1), _TOO_LARGE + "2,147,483,647 × 2,147,483,647"),
    "a pixel wide": (_png(1, 2**17), _TOO_LARGE + "1 × 131,072"),
    "a pixel high": (_png(2**17, 1), _TOO_LARGE + "131,072 × 1"),
    "pixels of a JPEG": (_with_size(JPEG, b"\xff\xc0", ">HH", 9999, 9998, 5), _TOO_LARGE + "9,999 × 9,998"),
    "pixels of a GIF": (_with_size(GIF, b"GIF8", "<HH", 65535, 65535, 6), _TOO_LARGE + "65,535 × 65,535"),
    "pixels of a BMP": (
        _with_size(_encoded(SMALL, "bmp"), b"BM", "<ii", 2**30, 2**30, 18),
        _TOO_LARGE + "1,073,741,824 × 1,073,741,824",
    ),
    "scans": (
        _with_size(PROGRESSIVE[:-2] + LAST_SCAN * 2000 + PROGRESSIVE[-2:], b"\xff\xc2", ">HH", 8000, 8000, 5),
        "more than 100 scans",
    ),
    "chunks": (_png(40, 40, PIXELS, _chunk(b"abCd", b"") * 2**19), "more than 262,144 parts"),
    "markers": (JPEG[:2] + b"\xff\xfe\0\2" * 2**20 + JPEG[2:], "more than 262,144 parts"),
    "comments": (GIF[:61] + b"\x21\xfe\1a\0" * 2**20 + GIF[61:], "more than 262,144 parts"),
    "text": (_png(40, 40, PIXELS, _chunk(b"zTXt", b"key\0\0" + _zeros(2**28))), "Decompressed data too large"),
    "profile": (_png(40, 40, PIXELS, _chunk(b"iCCP", b"key\0\0" + _zeros(2**28))), "Decompressed data too large"),
    "empty": (b"", "an empty file"),
    "text file": (b"hello", "not Jpeg, Png, WebP, Gif, Bmp"),
    "PostScript": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n", "not Jpeg, Png"),
    "pixels of a TIFF": (
        _tiff((256, 4, 1, 30_000), (257, 4, 1, 30_000), (258, 3, 1, 8), (262, 3, 1, 1), (273, 4, 1, 8), (279, 4, 1, 8)),
        _TOO_LARGE + "30,000 × 30,000",
    ),
    "truncated": (JPEG[: len(JPEG) // 2], "truncated"),
    "a header alone": (JPEG[:20], "not an image that can be read"),
    "too long": (JPEG + bytes(2**27), "is too large: expected at most 134,217,728 bytes|more than 134,217,728 bytes"),
}


def _doors(folder, archive):
    """{name: call} of all ways in which an image of a folder, and of an archive of its files, is read."""
    file = next(path for path in sorted((folder / "train" / "a").iterdir()))
    return {
        "folder": lambda: zoo.data.load(folder),
        "resized": lambda: zoo.data.load(folder, shape=SHAPE),
        "archive": lambda: zoo.data.load(archive),
        "archive resized": lambda: zoo.data.load(archive, shape=SHAPE),
        "stream": lambda: list(zoo.data.load(folder, shape=SHAPE, stream=True).batches(4, seed=0)),
        "archive as a stream": lambda: list(zoo.data.load(archive, shape=SHAPE, stream=True).batches(4)),
        "encode FOLDER": lambda: list(Samples(folder, SHAPE)),
        "encode FILE": lambda: list(Samples(file, SHAPE)),
        "encode ARCHIVE": lambda: list(Samples(archive, SHAPE, split="train")),
    }


@pytest.mark.filterwarnings("error::UserWarning", "error::RuntimeWarning")  # Pillow's
@pytest.mark.parametrize("kind", _BAD)
def test_pictures(tmp_path, kind):
    content, message = _BAD[kind]
    name = "x\n\x1b[2J\u202e.png"
    folder, archive = tmp_path / "photos", tmp_path / "photos.zip"
    (folder / "train" / "a").mkdir(parents=True)
    (folder / "train" / "a" / name).write_bytes(content)
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(f"train/a/{name}", content)
    for call in _doors(folder, archive).values():
        begin = time.process_time()
        with pytest.raises(DataError, match=message) as caught:
            call()
        assert time.process_time() - begin < 10
        assert r"train/a/x\n\x1b[2J\u202e.png'" in str(caught.value)
        assert not set(str(caught.value)) & set("\n\x1b\u202e")


def test_the_largest_pictures_take_bounded_memory():
    """Threads decode images of 2**26 pixels one after the other: each takes about a GB."""
    code = f"""
import sys; sys.path.insert(0, {str(pathlib.Path(__file__).parent)!r})
from test_files_of_others import _png, _zeros
import resource, threading
from zoo.data.images import read_image
content = _png(8192, 8192, _zeros(8192 * (3 * 8192 + 1)))
read_image(_png(8, 8, _zeros(8 * 25)), "small", (8, 8, 1))
before, found = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, []
threads = [threading.Thread(target=lambda: found.append(read_image(content, "x", (8, 8, 1)))) for _ in range(2)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
assert [(image.shape, image.max()) for image in found] == [((8, 8, 1), 0)] * 2
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1e6)
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert float(found.stdout) < 1.6


def test_of_those_that_are_decoded_at_a_time_the_pixels_are_counted(monkeypatch):
    decoding = images._Decoding()
    running, most, lock = [], [], threading.Lock()

    def decode(pixels):
        with decoding.pixels(pixels):
            with lock:
                running.append(pixels)
                most.append(sum(running))
            time.sleep(0.02)
            with lock:
                running.remove(pixels)

    threads = [threading.Thread(target=decode, args=(2**25 - 1,)) for _ in range(8)]
    [thread.start() for thread in threads]
    [thread.join(10) for thread in threads]
    assert len(most) == 8
    assert 2**25 < max(most) <= 2**26
    assert decoding._free == 2**26


def test_resizing_in_blocks_gives_the_same_pixels(monkeypatch):
    pixels = np.random.default_rng(0).integers(0, 256, (1, 301, 203, 3)).astype("uint8")
    whole = {shape: zoo.data.resize(pixels, shape) for shape in ((28, 28, 3), (28, 28, 1), (400, 20, 3))}
    monkeypatch.setattr(images, "_BLOCK_VALUES", 301 * 7 + 3)
    for shape, expected in whole.items():
        np.testing.assert_array_equal(zoo.data.resize(pixels, shape), expected)
    grey = (pixels * images._LUMA).sum(axis=-1, keepdims=True)
    np.testing.assert_array_equal(images._in_grey(pixels, 1), grey)


def test_of_an_animation_it_is_the_first_picture(tmp_path):
    turned = [SMALL.rotate(90 * i) for i in range(1, 4)]
    for format in ("gif", "png", "webp", "mpo"):
        exact = {"lossless": True} if format == "webp" else {}
        content = _encoded(SMALL, format, save_all=True, append_images=turned, **exact)
        first = images.read_image(content, "it")
        assert first.shape == (40, 40, 3)
        difference = np.abs(first.astype(int) - np.asarray(SMALL)).mean()
        assert difference < {"png": 1e-9, "webp": 1e-9, "gif": 60, "mpo": 60}[format]


def test_images_of_another_size_are_not_decoded(tmp_path, monkeypatch):
    """One small image and many large ones: that they differ is said by their headers."""
    folder = tmp_path / "photos" / "train" / "a"
    folder.mkdir(parents=True)
    large = _png(8000, 8000, b"never unpacked")
    for i in range(60):
        (folder / f"{i:02d}.png").write_bytes(large)
    SMALL.save(folder / "small.png")
    names = zoo.data.image_files.open_folder(tmp_path / "photos", "train")[0].names
    SMALL.save(tmp_path / "photos" / names[0])
    with pytest.raises(DataError, match=r"'photos' differ in size or channels \(\(40, 40, 3\), \(8000, 8000, 3\), "):
        zoo.data.load(tmp_path / "photos")


def test_more_images_than_memory_holds(tmp_path, monkeypatch):
    folder = tmp_path / "photos" / "train" / "a"
    folder.mkdir(parents=True)
    for i in range(5):
        SMALL.save(folder / f"{i}.png")
    monkeypatch.setattr("zoo.data.stream._SMALL_BYTES", 100)
    monkeypatch.setattr("psutil.virtual_memory", lambda: type("Memory", (), {"available": 5 * 4800 - 1}))
    with pytest.raises(
        DataError, match="'photos' do not fit into memory: they take 24,000 bytes, 23,999 are free. Pass stream"
    ):
        zoo.data.load(tmp_path / "photos")
    monkeypatch.setattr("psutil.virtual_memory", lambda: type("Memory", (), {"available": 5 * 4800}))
    assert len(zoo.data.load(tmp_path / "photos")) == 5


class TestArchives:
    @pytest.mark.parametrize("name", ["/train/a/0.png", "train/../0.png", "..\\a\\0.png", "C:/a/0.png"])
    def test_ways_out(self, tmp_path, name):
        with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
            file.writestr("train/a/1.png", _encoded(SMALL))
            file.writestr(name, _encoded(SMALL))
        for call in (zoo.data.load, lambda path: Samples(path, SHAPE), lambda path: zoo.data.load(path, stream=True)):
            with pytest.raises(DataError, match="a.zip' is refused: member .* may lead out of a folder"):
                call(tmp_path / "a.zip")

    def test_bomb(self, tmp_path):
        with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as file:
            for i in range(3):
                file.writestr(f"train/a/{i}.png", bytes(2**27))
        begin = time.process_time()
        with pytest.raises(
            DataError, match="a.zip' is refused: its .* unpack to 402,653,184, as in a decompression bo"
        ):
            zoo.data.load(tmp_path / "a.zip")
        assert time.process_time() - begin < 1

    def test_empty(self, tmp_path):
        zipfile.ZipFile(tmp_path / "a.zip", "w").close()
        with pytest.raises(DataNotFoundError, match="No images in '.*a.zip': expected <split>"):
            zoo.data.load(tmp_path / "a.zip")

    def test_every_flipped_byte(self, tmp_path):
        """Read as it was, or refused: each member has a checksum, and names are what is left."""
        image = _encoded(SMALL.resize((4, 4)))
        whole = io.BytesIO()
        with zipfile.ZipFile(whole, "w") as file:
            file.writestr("train/a/0.png", image)
        expected = images.read_image(image, "it")
        refused, path = 0, tmp_path / "a.zip"
        for i in range(len(whole.getvalue())):
            data = bytearray(whole.getvalue())
            data[i] ^= 255
            path.write_bytes(data)
            try:
                np.testing.assert_array_equal(zoo.data.load(path).samples[0], expected)
            except (DataError, DataNotFoundError, UnknownNameError) as error:
                assert "a.zip" in str(error)
                refused += 1
        assert refused > len(image)


@pytest.fixture
def folder(tmp_path):
    for split in ("train", "test"):
        (tmp_path / "photos" / split / "a").mkdir(parents=True)
        SMALL.save(tmp_path / "photos" / split / "a" / "0.png")
    return tmp_path / "photos"


def _both(folder, follow_links=False):
    return [
        lambda: zoo.data.load(folder, "all", follow_links=follow_links),
        lambda: zoo.data.load(folder, "all", shape=SHAPE, stream=True, follow_links=follow_links).head(9),
        lambda: list(Samples(folder, SHAPE)),
    ]


class TestFolders:
    @pytest.mark.parametrize("is_folder", [False, True])
    def test_links_that_lead_out(self, folder, tmp_path, is_folder):
        (tmp_path / "store").mkdir()
        SMALL.rotate(90).save(tmp_path / "store" / "1.png")
        link = folder / "train" / ("b" if is_folder else "a/1.png")
        link.symlink_to(tmp_path / "store" / ("" if is_folder else "1.png"))
        for call in _both(folder):
            with pytest.raises(
                DataError, match="is a link that leads out of its folder, to '.*store.*follow_links=True"
            ):
                call()
        assert len(list(Samples(folder, SHAPE, follow_links=True))) == 3
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("ZOO_FOLLOW_LINKS", "1")
            assert len(list(Samples(folder, SHAPE))) == len(zoo.data.load(folder, "all", shape=SHAPE)) == 3
        source = zoo.data.load(folder, follow_links=True)
        assert (len(source), source.class_names) == (2, ("a", "b") if is_folder else ("a",))
        assert len(zoo.data.load(folder, shape=SHAPE, stream=True, follow_links=True)) == 2
        with pytest.raises(DataError, match="leads out of its folder"):
            zoo.data.load(f"digits+{folder}", shape=SHAPE)
        assert len(zoo.data.load(f"digits+{folder}", shape=SHAPE, follow_links=True)) == 1440

    def test_links_that_stay_inside(self, folder, tmp_path):
        (tmp_path / "link").symlink_to(folder)
        (folder / "train" / "a" / "same.png").symlink_to("0.png")
        (folder / "test" / "b").symlink_to("../train/a")
        (folder / ".store").mkdir()
        SMALL.save(folder / ".store" / "1.png")
        (folder / "train" / "c").symlink_to("../.store")
        source = zoo.data.load(tmp_path / "link", "all")
        assert (len(source), source.class_names) == (6, ("a", "b", "c"))
        # All images of a folder: those behind a link only where they are read in no other way.
        names = [name for name, _ in Samples(folder, SHAPE)]
        assert names == ["test/a/0.png", "train/a/0.png", "train/a/same.png", "train/c/1.png"]

    def test_loops(self, folder):
        (folder / "train" / "back").symlink_to("..")
        with pytest.raises(DataError, match="train/back' is a link to a folder that holds it, '.*photos'. Remove it"):
            zoo.data.load(folder, follow_links=True)
        assert len(list(Samples(folder, SHAPE))) == 2
        (folder / "train" / "back").unlink()
        (folder / "train" / "a" / "self.png").symlink_to("self.png")
        for call in _both(folder):
            with pytest.raises(DataError, match="a/self.png' is a symbolic link, or part of a loop of links"):
                call()

    def test_links_cannot_multiply(self, folder):
        for i in range(3):
            (folder / "train" / f"b{i}").symlink_to("../test/a")
        with pytest.raises(DataError, match=r"train/b\d' is one of several links to the folder '.*test/a'"):
            zoo.data.load(folder)
        assert len(zoo.data.load(folder, follow_links=True)) == 4

    @pytest.mark.parametrize(
        ("make", "message"),
        [
            (os.mkfifo, "Expected a regular file at '.*a/x.png'. Received a named pipe"),
            (lambda path: path.symlink_to("gone.png"), "a/x.png' is not an image that can be read .FileNotFoundError"),
        ],
    )
    def test_not_a_file(self, folder, make, message):
        make(folder / "train" / "a" / "x.png")
        begin = time.process_time()
        for call in _both(folder):
            with pytest.raises(DataError, match=message):
                call()
        assert time.process_time() - begin < 5

    def test_a_folder_in_the_place_of_an_image(self, folder):
        (folder / "train" / "a" / "x.png").mkdir()
        with pytest.raises(DataError, match="Expected a regular file at '.*a/x.png'. Received a folder"):
            zoo.data.load(folder)

    def test_a_device(self, folder):
        (folder / "train" / "a" / "x.png").symlink_to("/dev/zero")
        with pytest.raises(DataError, match="Expected a regular file at '.*a/x.png'. Received a device"):
            zoo.data.load(folder, follow_links=True)

    def test_unreadable(self, folder, monkeypatch):
        """A test may run as root, who may read all: so the refusal of the system is made up."""
        closed, scandir = str(folder / "test"), os.scandir

        def refusing(path):
            if str(path) == closed:
                raise PermissionError(13, "Permission denied", str(path))
            return scandir(path)

        monkeypatch.setattr(os, "scandir", refusing)
        for call in _both(folder):
            with pytest.raises(DataError, match="photos/test' may not be read: check its permissions"):
                call()

    def test_deep(self, folder, tmp_path, monkeypatch):
        monkeypatch.chdir(folder)
        for _ in range(100):
            os.mkdir("d" * 60)  # noqa: PTH102
            os.chdir("d" * 60)
        with pytest.raises(DataError, match="d' has a name that is too long"):
            list(Samples(folder, SHAPE))
        assert len(zoo.data.load(folder, "all")) == 2

    def test_fifty_thousand_entries(self, tmp_path):
        for name in ("cat", "dog"):
            (tmp_path / "train" / name).mkdir(parents=True)
            for i in range(25_000):
                (tmp_path / "train" / name / f"{i}.png").touch()
        begin = time.process_time()
        stream = zoo.data.load(tmp_path, shape=SHAPE, stream=True)
        samples = Samples(tmp_path, SHAPE)
        assert time.process_time() - begin < 5
        assert (len(stream), len(samples)) == (50_000, 50_000)
        assert stream.class_names == ("cat", "dog")

    def test_names(self, folder):
        names = ["new\nline.png", "\udcff\udcfe.png", "ü\u202e.png", "\x1b[2J.png", "'quote\".png", " .png"]
        for name in names:
            (folder / "train" / "a" / name).write_bytes(_encoded(SMALL))
        assert len(zoo.data.load(folder)) == 7
        assert {name.split("/")[-1] for name, _ in Samples(folder, SHAPE)} == {"0.png", r"\xff\xfe.png", *names} - {
            "\udcff\udcfe.png"
        }
        for name in names:
            (folder / "train" / "a" / name).write_bytes(b"")
            with pytest.raises(DataError) as caught:
                list(Samples(folder / "train" / "a" / name, SHAPE))
            assert repr(name)[1:-1] in str(caught.value)
            assert "\n" not in str(caught.value).encode().decode()


class TestPaths:
    def test_special_files(self, tmp_path):
        for suffix in (".png", ".npy", ".npz", ".zip", ""):
            os.mkfifo(tmp_path / f"pipe{suffix}")
            (tmp_path / f"zero{suffix}").symlink_to("/dev/zero")
            (tmp_path / f"loop{suffix}").symlink_to(f"loop{suffix}")
            for name, message in {
                "pipe": "Received a named pipe",
                "zero": "Received a device",
                "loop": "loop of",
            }.items():
                path, begin = tmp_path / f"{name}{suffix}", time.process_time()
                for call in (zoo.data.load, lambda path: list(Samples(path, SHAPE))):
                    with pytest.raises(DataError, match=message) as caught:
                        call(path)
                    assert repr(str(path)) in str(caught.value)
                assert time.process_time() - begin < 1

    @pytest.mark.parametrize("suffix", [".png", ".npy", ".npz", ".zip", "", "/x"])
    @pytest.mark.parametrize("name", ["a\0b", "x" * 300, "\ud800", "~nobody-of-this-name", "a\nb"])
    def test_names_that_are_no_paths(self, name, suffix):
        for call in (zoo.data.load, lambda path: list(Samples(path, SHAPE))):
            with pytest.raises((DataError, DataNotFoundError, UnknownNameError)) as caught:
                call(name + suffix)
            assert "\n" not in str(caught.value)

    @pytest.mark.parametrize(
        "name", ["..", ".", "../mnist", "mnist/../../mnist", "/mnist", "https://example.com/mnist", "file:mnist"]
    )
    def test_the_directories_of_datasets_are_not_left(self, tmp_path, monkeypatch, name):
        inside = tmp_path / "data" / "inside"
        inside.mkdir(parents=True)
        (tmp_path / "mnist" / "train" / "a").mkdir(parents=True)
        SMALL.save(tmp_path / "mnist" / "train" / "a" / "0.png")
        monkeypatch.setenv("ZOO_DATA_DIR", str(inside.parent))
        monkeypatch.setenv("TFDS_DATA_DIR", str(inside.parent))
        monkeypatch.chdir(inside)
        with pytest.raises((DataNotFoundError, UnknownNameError, DataError)):
            zoo.data.load(name)

    @pytest.mark.parametrize("name", ["huggingface:mnist", "kaggle:x", "os.path:x", "mnist-x", "mnist:evil", "a b"])
    def test_names_that_tfds_would_look_up_elsewhere(self, monkeypatch, name):
        import tensorflow_datasets as tfds

        monkeypatch.setattr(tfds, "builder", lambda *args, **options: pytest.fail("asked TFDS"))
        with pytest.raises(UnknownNameError, match=f"Unknown dataset '{name}'"):
            zoo.data.load(name)

    def test_a_damaged_dataset_of_tfds(self, monkeypatch):
        import tensorflow as tf
        import tensorflow_datasets as tfds

        from zoo.data.tfds import TFDSImages

        def broken(name):
            raise KeyError("features")

        monkeypatch.setattr(tfds, "builder", broken)
        with pytest.raises(DataError, match="Dataset 'mnist' is damaged .KeyError.: prepare or copy it again"):
            zoo.data.load("mnist")
        examples = tf.data.Dataset.from_tensors({"image": np.zeros((4, 4, 1), "uint8")})
        records = tf.data.TFRecordDataset([__file__]).map(lambda record: {"image": tf.zeros((4, 4, 1), tf.uint8)})
        with pytest.raises(DataError, match="Dataset 'x' is damaged .DataLossError.: prepare or copy it again"):
            list(TFDSImages(examples.concatenate(records), 3, "Dataset 'x'").examples())


class TestArrays:
    def test_labels_that_are_no_text(self, tmp_path):
        np.savez(tmp_path / "a.npz", images=np.zeros((2, 3)), labels=np.array([b"\xff", b"a"]))
        with pytest.raises(DataError, match="Dataset 'a.npz' has labels that are not UTF-8 text"):
            zoo.data.load(tmp_path / "a.npz")

    def test_only_what_is_asked_for_is_read(self, tmp_path):
        np.savez(tmp_path / "a.npz", x_train=np.zeros((2, 3)), x_test=np.array([{}], object))
        assert zoo.data.load(tmp_path / "a.npz", "train").shape == (3,)
        with pytest.raises(
            DataError, match="a.npz' is not a plain NumPy file: array 'x_test': it holds Python objects"
        ):
            zoo.data.load(tmp_path / "a.npz", "test")

    def test_what_a_name_says_does_not_matter(self, tmp_path):
        np.savez(tmp_path / "a.npz", images=np.zeros((2, 3)))
        (tmp_path / "a.npz").rename(tmp_path / "a.npy")
        assert zoo.data.load(tmp_path / "a.npy").shape == (3,)

    def test_bomb(self, tmp_path):
        with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as file:
            file.writestr("images.npy", bytes(2**28 + 1))
        begin = time.process_time()
        for call in (zoo.data.load, lambda path: Samples(path, SHAPE)):
            with pytest.raises(DataError, match="a.npz' is not a plain NumPy file: .*decompression bomb"):
                call(tmp_path / "a.npz")
        assert time.process_time() - begin < 2


def test_the_command_says_one_thing_of_a_damaged_picture(tmp_path):
    """Pillow's own warnings, here of a damaged EXIF entry, are not shown next to what zoo says."""
    exif = Image.Exif()
    exif[0x10F] = "a text of some length"
    content = bytearray(_encoded(SMALL, "jpeg", exif=exif))
    at = content.index(b"\1\x0f" if b"MM\0*" in content else b"\x0f\1")
    struct.pack_into(">I" if b"MM\0*" in content else "<I", content, at + 4, 60_000)
    (tmp_path / "0.png").write_bytes(content)
    with pytest.warns(UserWarning, match="Tag data larger than file"):
        images.read_image(bytes(content), "it")
    (tmp_path / "1.png").write_bytes(b"")
    code = f"""
import sys, zoo.cli, zoo.lite
class Model: input_shape, encode = (8, 8, 1), lambda self, batch: batch
zoo.lite.load = lambda *args, **options: Model()
sys.argv = ["zoo", "encode", "x.tflite", {str(tmp_path)!r}, "-o", {str(tmp_path / "codes.npy")!r}]
zoo.cli.main()
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (found.returncode, found.stdout) == (2, "")
    assert found.stderr.splitlines() == [
        f"Error: '{tmp_path}/1.png' is not an image that can be read (ValueError: an empty file). Remove or replace it."
    ]
