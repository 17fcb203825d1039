"""One reader and one resizer, whichever way an image comes in."""

import io
import subprocess
import sys
import zipfile

import keras
import numpy as np
import pytest
from PIL import Image

import zoo
from zoo.core.errors import ConfigError, DataError, DataNotFoundError, UnknownNameError
from zoo.data.images import read_image
from zoo.data.samples import Samples


def _encoded(image, format="png", **options):
    buffer = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(buffer, format, **options)
    return buffer.getvalue()


def _photograph(height=53, width=37):
    """Smooth colours, uint8 (height, width, 3)."""
    y, x = np.mgrid[:height, :width].astype("float64")
    waves = [np.sin(x / 9 + y / 7), np.cos(x / 5), np.sin(y / 11 - x / 13)]
    return np.rint(127.5 + 127.5 * np.stack(waves, axis=-1)).astype("uint8")


def _write(tmp_path, files):
    """The same `files`, {path: bytes}, as a folder and as a zip archive."""
    root = tmp_path / "photos"
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return root, tmp_path / "photos.zip"


def _by_every_door(tmp_path, content, shape, suffix="jpg"):
    """{door: the pixels of this one image file}."""
    folder, archive = _write(tmp_path, {f"train/a/0.{suffix}": content})
    file = folder / "train" / "a" / f"0.{suffix}"
    doors = {
        "read_image": read_image(file, "it", shape),
        "folder": zoo.data.load(folder, shape=shape).samples[0],
        "archive": zoo.data.load(archive, shape=shape).samples[0],
        "folder as a stream": next(zoo.data.load(folder, shape=shape, stream=True).batches(1))[0],
        "archive as a stream": next(iter(zoo.data.load(archive, shape=shape, stream=True).dataset(seed=3))).numpy(),
        "head of a stream": zoo.data.load(folder, shape=shape, stream=True).head(1).samples[0],
        "folder, resized later": zoo.data.resize(zoo.data.load(folder).samples, shape)[0],
        "archive, resized later": zoo.data.load(archive).resized(shape).samples[0],
    }
    if shape[-1] in (1, 3):
        doors["encode FILE"] = next(iter(Samples(file, shape, "uint8")))[1]
        doors["encode FOLDER"] = next(iter(Samples(folder, shape, "uint8")))[1]
        doors["encode ARCHIVE"] = next(iter(Samples(archive, shape, "uint8", split="train")))[1]
    return doors


class TestOneAnswer:
    @pytest.mark.parametrize("shape", [(28, 28, 3), (28, 28, 1), (64, 70, 3), (53, 37, 3), (53, 37, 1), (1, 1, 1)])
    @pytest.mark.parametrize("grey", [False, True])
    def test_the_same_bytes_by_every_door(self, tmp_path, shape, grey):
        photograph = _photograph()[..., 0] if grey else _photograph()
        doors = _by_every_door(tmp_path, _encoded(photograph, "jpeg", quality=90), shape)
        assert len(doors) == 11
        expected = doors["read_image"]
        assert (expected.shape, expected.dtype) == (shape, np.uint8)
        for door, pixels in doors.items():
            np.testing.assert_array_equal(pixels, expected, err_msg=door)

    def test_the_same_as_a_tfds_dataset_of_these_pixels(self):
        import tensorflow as tf

        from zoo.data.tfds import TFDSImages

        images = np.stack([_photograph(), _photograph()[::-1], 255 - _photograph()])
        expected = zoo.data.resize(images, (28, 20, 1))
        examples = tf.data.Dataset.from_tensor_slices({"image": images, "label": [4, 5, 6]})
        unknown = tf.data.Dataset.from_generator(
            lambda: ({"image": image} for image in images),
            output_signature={"image": tf.TensorSpec((None, None, 3), tf.uint8)},
        )
        for dataset in (examples, unknown):
            stream = zoo.data.Stream(TFDSImages(dataset, 3), (28, 20, 1))
            np.testing.assert_array_equal(next(stream.batches(3)), expected)
            np.testing.assert_array_equal(stream.head(3).samples, expected)
        assert zoo.data.Stream(TFDSImages(examples, 3), (28, 20, 1)).head(2).labels.tolist() == [4, 5]
        assert TFDSImages(unknown, 3).shape is None
        floats = TFDSImages(tf.data.Dataset.from_tensor_slices({"image": images / 255}), 3)
        with pytest.raises(DataError, match="images of dtype float64: expected uint8"):
            next(floats.examples())
        with pytest.raises(DataError, match="images with 3 channels cannot be brought to 2"):
            next(TFDSImages(examples, 3).examples((28, 20, 2)))


class TestReader:
    def test_sixteen_bits_keep_the_upper_eight(self, tmp_path):
        ramp = np.tile(np.arange(0, 65536, 8192, dtype="uint16"), (8, 1))
        for door, pixels in _by_every_door(tmp_path, _encoded(ramp), (8, 8, 1), "png").items():
            assert pixels[0, :, 0].tolist() == [0, 32, 64, 96, 128, 160, 192, 224], door
        for mode, dtype in (("I", "int32"), ("I;16B", ">u2")):  # as other versions of Pillow open it
            from zoo.data.images import _pixels

            image = Image.frombytes(mode, (8, 8), ramp.astype(dtype).tobytes())
            assert _pixels(image)[3, :, 0].tolist() == [0, 32, 64, 96, 128, 160, 192, 224]

    @pytest.mark.parametrize(
        ("image", "expected"),
        [
            (Image.new("L", (3, 2), 7), [7]),
            (Image.new("1", (3, 2), 1), [255]),
            (Image.new("RGB", (3, 2), (1, 2, 3)), [1, 2, 3]),
            (Image.new("P", (3, 2), 5), None),
            (Image.new("RGBA", (3, 2), (10, 20, 30, 0)), [255, 255, 255]),
            (Image.new("RGBA", (3, 2), (10, 20, 30, 255)), [10, 20, 30]),
            (Image.new("LA", (3, 2), (10, 0)), [255]),
            (Image.new("LA", (3, 2), (10, 255)), [10]),
        ],
    )
    def test_modes(self, image, expected):
        if image.mode == "P":
            image.putpalette([0] * 15 + [9, 8, 7])
            expected = [9, 8, 7]
        pixels = read_image(io.BytesIO(_encoded(image)), "it")
        assert pixels.shape == (2, 3, len(expected))
        assert pixels[1, 2].tolist() == expected

    def test_transparency_of_a_palette_and_of_a_colour(self):
        palette = Image.new("P", (2, 2), 0)
        palette.putpalette([9, 8, 7])
        assert read_image(io.BytesIO(_encoded(palette, transparency=0)), "it")[0, 0].tolist() == [255] * 3
        colour = Image.new("RGB", (2, 2), (1, 2, 3))
        assert read_image(io.BytesIO(_encoded(colour, transparency=(1, 2, 3))), "it")[0, 0].tolist() == [255] * 3

    def test_cmyk(self):
        cyan = Image.new("CMYK", (16, 16), (255, 0, 0, 0))
        pixels = read_image(io.BytesIO(_encoded(cyan, "jpeg", quality=100)), "it")
        np.testing.assert_allclose(pixels[8, 8], [0, 255, 255], atol=3)

    @pytest.mark.parametrize(("orientation", "turned"), [(1, 0), (3, 2), (6, 3), (8, 1)])
    def test_exif_orientation(self, tmp_path, orientation, turned):
        exif = Image.Exif()
        exif[0x0112] = orientation
        photograph = _photograph()
        upright = np.rot90(photograph, turned)
        doors = _by_every_door(tmp_path, _encoded(photograph, "png", exif=exif.tobytes()), upright.shape, "png")
        for door, pixels in doors.items():
            np.testing.assert_array_equal(pixels, upright, err_msg=door)

    @pytest.mark.parametrize("compression", [None, "tiff_lzw", "tiff_adobe_deflate", "packbits"])
    @pytest.mark.parametrize("values", [np.uint8, np.uint16])
    def test_tiff(self, tmp_path, compression, values):
        grey = (np.arange(64).reshape(8, 8) * (4 if values == np.uint8 else 1024)).astype(values)
        expected = (np.arange(64) * 4).reshape(8, 8, 1)
        for door, pixels in _by_every_door(
            tmp_path, _encoded(grey, "tiff", compression=compression), (8, 8, 1), "tif"
        ).items():
            np.testing.assert_array_equal(pixels, expected, err_msg=door)

    @pytest.mark.parametrize(("orientation", "turned"), [(3, 2), (6, 3), (8, 1)])
    def test_the_orientation_of_a_tiff_counts_once(self, orientation, turned):
        exif = Image.Exif()
        exif[0x0112] = orientation
        content = _encoded(_photograph(), "tiff", exif=exif.tobytes())
        np.testing.assert_array_equal(read_image(content, "it"), np.rot90(_photograph(), turned))

    @pytest.mark.parametrize("suffix", ["webp", "bmp", "tif", "tiff", "TIFF"])
    def test_suffixes(self, tmp_path, suffix):
        format = {"tif": "tiff"}.get(suffix, suffix.lower())
        content = _encoded(np.full((8, 8, 3), 51, "uint8"), format, **{"lossless": True} if suffix == "webp" else {})
        for door, pixels in _by_every_door(tmp_path, content, (8, 8, 3), suffix).items():
            assert (pixels == 51).all(), door

    def test_values_of_32_bits_are_refused(self):
        for values in (np.full((4, 4), 2**16, "int32"), np.full((4, 4), -1, "int32"), np.ones((4, 4), "float32")):
            with pytest.raises(DataError, match="'it' is not an image.*values of more than 16 bits"):
                read_image(_encoded(values, "tiff"), "it")

    @pytest.mark.parametrize("format", ["gif", "webp", "bmp", "tiff"])
    def test_another_format_behind_the_suffix(self, tmp_path, format):
        options = {"lossless": True} if format == "webp" else {}
        content = _encoded(np.full((8, 8, 3), 51, "uint8"), format, **options)
        for door, pixels in _by_every_door(tmp_path, content, (4, 4, 1)).items():
            assert (pixels == 51).all(), door


_DAMAGED = {
    "truncated.jpg": _encoded(_photograph(), "jpeg")[:700],
    "truncated.png": _encoded(_photograph())[:700],
    "empty.jpg": b"",
    "text.png": b"not an image",
    "tiff.png": _encoded(np.zeros((53, 37), "float32"), "tiff"),
}


class TestDamagedFiles:
    @pytest.mark.parametrize("file", _DAMAGED)
    @pytest.mark.parametrize("shape", [None, (8, 8, 3)])
    def test_named_by_every_door(self, tmp_path, file, shape):
        folder, archive = _write(
            tmp_path, {"train/a/1.jpg": _encoded(_photograph(), "jpeg"), f"train/a/{file}": _DAMAGED[file]}
        )
        doors = [
            (lambda: zoo.data.load(folder, shape=shape), f"{folder}/train/a/{file}"),
            (lambda: zoo.data.load(archive, shape=shape), f"{archive}/train/a/{file}"),
        ]
        if shape:
            doors += [
                (
                    lambda: list(zoo.data.load(folder, shape=shape, stream=True).batches(2, seed=0)),
                    f"{folder}/train/a/{file}",
                ),
                (lambda: zoo.data.load(folder, shape=shape, stream=True).head(2), f"{folder}/train/a/{file}"),
                (lambda: list(Samples(folder, shape)), f"{folder}/train/a/{file}"),
                (lambda: list(Samples(folder / "train" / "a" / file, shape)), f"{folder}/train/a/{file}"),
            ]
        for call, name in doors:
            with pytest.raises(DataError, match="is not an image that can be read") as caught:
                call()
            assert str(caught.value).startswith(f"'{name}' is not an image")
            assert str(caught.value).count("is not an image") == 1

    def test_training_on_a_stream_names_the_file(self, tmp_path):
        whole = _encoded(np.zeros((8, 8), "uint8"))
        folder, _ = _write(tmp_path, {"train/a/0.png": whole, "train/a/1.png": whole[:44], "train/a/2.png": whole})
        model = zoo.feed_forward((8, 8, 1), 4)
        with pytest.raises(DataError, match="train/a/1.png' is not an image that can be read"):
            model.fit(zoo.data.load(folder, shape=(8, 8, 1), stream=True), batch_size=2, verbose=0)

    def test_a_damaged_archive_member(self, tmp_path):
        content = _encoded(_photograph())
        _, archive = _write(tmp_path, {"train/a/0.png": content, "train/a/1.png": content})
        data = bytearray(archive.read_bytes())
        data[600] ^= 255
        archive.write_bytes(data)
        with pytest.raises(
            DataError, match=r"photos.zip/train/a/0.png' is not an image that can be read \(BadZipFile: Bad CRC-32"
        ):
            zoo.data.load(archive)

    def test_a_file_that_went_away(self, tmp_path):
        folder, _ = _write(tmp_path, {"train/a/0.png": _encoded(_photograph())})
        stream = zoo.data.load(folder, shape=(8, 8, 1), stream=True)
        (folder / "train" / "a" / "0.png").unlink()
        with pytest.raises(DataError, match="train/a/0.png' is not an image that can be read .FileNotFoundError"):
            next(stream.batches(1))


class TestHiddenFiles:
    HIDDEN = (
        "train/.ipynb_checkpoints/0.png",
        "train/cat/._0.png",
        "train/cat/.hidden.png",
        ".trash/cat/0.png",
        "__MACOSX/cat/0.png",
        "train/__MACOSX/0.png",
    )

    def test_are_neither_images_nor_classes(self, tmp_path):
        content = _encoded(np.full((8, 8), 9, "uint8"))
        seen = {"train/dog/0.png": content, "train/cat/0.png": content, "test/cat/0.PNG": content}
        folder, archive = _write(
            tmp_path, {**seen, **dict.fromkeys(self.HIDDEN, b"AppleDouble"), "train/owl/a.txt": b""}
        )
        for path in (folder, archive):
            source = zoo.data.load(path)
            assert source.class_names == ("cat", "dog")
            assert sorted(source.labels.tolist()) == [0, 1]
            assert len(zoo.data.load(path, "all")) == 3
            assert len(zoo.data.load(path, shape=(4, 4, 1), stream=True)) == 2
        assert [name for name, _ in Samples(folder, (8, 8, 1))] == [
            "test/cat/0.PNG",
            "train/cat/0.png",
            "train/dog/0.png",
        ]

    def test_nothing_else(self, tmp_path):
        folder, archive = _write(tmp_path, dict.fromkeys(self.HIDDEN, b"AppleDouble"))
        for path in (folder, archive):
            with pytest.raises(DataNotFoundError, match="No images in .*: expected <split>/<class>/"):
                zoo.data.load(path)
        with pytest.raises(DataNotFoundError, match="No images in"):
            Samples(folder, (8, 8, 1))

    def test_a_folder_below_a_hidden_one(self, tmp_path):
        (tmp_path / ".cache").mkdir()
        folder, archive = _write(tmp_path / ".cache", {"train/a/0.png": _encoded(np.zeros((8, 8), "uint8"))})
        assert len(zoo.data.load(folder)) == len(zoo.data.load(archive)) == len(Samples(folder, (8, 8, 1))) == 1


class TestOrder:
    @pytest.fixture
    def folder(self, tmp_path):
        """100 images whose grey value is their number."""
        files = {f"train/{'ab'[i % 2]}/{i:03d}.png": _encoded(np.full((4, 4), i, "uint8")) for i in range(100)}
        return _write(tmp_path, files)[0]

    def test_of_a_folder_is_that_of_tfds(self, folder):
        import tensorflow_datasets as tfds

        expected = tfds.ImageFolder(str(folder)).as_dataset(split="train", shuffle_files=False)
        expected = [(int(row["image"][0, 0, 0]), int(row["label"])) for row in expected]
        source = zoo.data.load(folder)
        assert list(zip(source.samples[:, 0, 0, 0].tolist(), source.labels.tolist(), strict=True)) == expected

    def test_a_seed_permutes_all_files(self, folder):
        stream = zoo.data.load(folder, shape=(4, 4, 1), stream=True)

        def numbers(seed, skip=0):
            return np.concatenate(list(stream.batches(7, seed, skip)))[:, 0, 0, 0].tolist()

        first = numbers(0)
        assert sorted(first) == list(range(100))
        assert first == numbers(0) != numbers(1)
        assert first == [int(image[0, 0, 0]) for image in stream.dataset(0)]
        assert numbers(0, skip=33) == first[33:]
        assert len(stream.dataset(0)) == 100
        # Far images change places, which no buffer of a few images would do: the mean of the first ten is not small.
        places = np.argsort(first)
        kept = zoo.data.load(folder).samples[:, 0, 0, 0]
        assert np.abs(places[kept] - np.arange(100)).mean() > 20

    def test_what_is_skipped_is_not_read(self, folder):
        stream = zoo.data.load(folder, shape=(4, 4, 1), stream=True)
        for name in stream.stored.names[:50]:
            (folder / name).write_bytes(b"")
        assert len(np.concatenate(list(stream.batches(8, skip=50)))) == 50
        assert len(np.concatenate(list(stream.part(60, 90).batches(8)))) == 30

    def test_a_stream_of_an_archive(self, folder):
        archive = folder.with_suffix(".zip")
        stream, source = (zoo.data.load(archive, shape=(4, 4, 1), stream=how) for how in (True, False))
        np.testing.assert_array_equal(np.concatenate(list(stream.batches(9))), source.samples)
        np.testing.assert_array_equal(stream.head(10).labels, source.labels[:10])


class TestResize:
    def test_agrees_with_keras(self, digits):
        def by_keras(images, size):
            return keras.ops.convert_to_numpy(keras.ops.image.resize(images, size, antialias=True))

        for size in ((28, 28), (5, 3), (12, 7), (64, 64)):
            np.testing.assert_allclose(
                zoo.data.resize(digits.samples, (*size, 1)), by_keras(digits.samples, size), atol=1e-6
            )
        photograph = _photograph()[None].astype("float32") / 255
        for size in ((20, 41), (106, 9), (53, 10), (7, 37)):
            np.testing.assert_allclose(zoo.data.resize(photograph, (*size, 3)), by_keras(photograph, size), atol=1e-6)

    @pytest.mark.parametrize(("height", "width"), [(4, 8), (8, 4)])
    def test_crop_and_pad_keep_the_proportions(self, height, width):
        """A picture twice as long as wide, its middle square bright: cropped it is all bright, padded half black."""
        picture = np.zeros((1, height, width, 1), "uint8") + 10
        middle = (slice(None), slice(2, 6), slice(None)) if height > width else (slice(None), slice(None), slice(2, 6))
        picture[middle] = 200
        assert (zoo.data.resize(picture, (6, 6, 1), how="crop") == 200).all()
        padded = zoo.data.resize(picture, (8, 8, 3), how="pad")[0, :, :, 1]
        rows = padded if width > height else padded.T
        assert (rows[:2] == 0).all()
        assert (rows[6:] == 0).all()
        assert rows[2:6].tolist() == [[10] * 2 + [200] * 4 + [10] * 2] * 4
        assert zoo.data.resize(picture, (6, 6, 1)).min() == 10
        with pytest.raises(UnknownNameError, match="Unknown way of resizing 'cut'"):
            zoo.data.resize(picture, (6, 6, 1), how="cut")

    def test_crop_by_every_door(self, tmp_path):
        picture = np.full((4, 8, 3), 10, "uint8")
        picture[:, 2:6] = 200
        options = {"shape": (6, 6, 3), "how": "crop"}
        for data in _write(tmp_path, {"train/a/0.png": _encoded(picture)}):
            assert (zoo.data.load(data, **options).samples == 200).all()
            assert (next(zoo.data.load(data, stream=True, **options).batches(1)) == 200).all()
            assert (zoo.data.load(zoo.data.load(data), **options).samples == 200).all()
        with pytest.raises(UnknownNameError, match="Unknown way of resizing 'cut'"):
            zoo.data.load(data, how="cut")

    def test_does_not_depend_on_the_image_data_format(self, digits):
        images = digits.samples[:5]
        expected = zoo.data.resize(images, (28, 20, 3), margin=4 / 28)
        keras.config.set_image_data_format("channels_first")
        try:
            resized = zoo.data.resize(images, (28, 20, 3), margin=4 / 28)
        finally:
            keras.config.set_image_data_format("channels_last")
        assert resized.shape == (5, 28, 20, 3)
        np.testing.assert_array_equal(resized, expected)

    def test_an_image_does_not_depend_on_the_others(self, monkeypatch):
        images = np.random.default_rng(0).integers(0, 256, (50, 11, 13, 3)).astype("uint8")
        together = zoo.data.resize(images, (28, 5, 1))
        monkeypatch.setattr("zoo.data.images._BLOCK_PIXELS", 7 * 11 * 13 * 3 + 1)
        np.testing.assert_array_equal(zoo.data.resize(images, (28, 5, 1)), together)
        np.testing.assert_array_equal(np.concatenate([zoo.data.resize(i[None], (28, 5, 1)) for i in images]), together)

    def test_types(self):
        ramp = np.array([0, 1, 2, 4], "uint8").reshape(1, 1, 4, 1)
        halved = zoo.data.resize(ramp, (1, 2, 1))
        assert (halved.dtype, halved.ravel().tolist()) == (np.uint8, [1, 3])
        assert zoo.data.resize(ramp.astype("float64"), (1, 2, 1)).dtype == np.float32
        assert zoo.data.resize(ramp[:0], (5, 2, 3)).shape == (0, 5, 2, 3)

    def test_channels(self):
        red = np.zeros((1, 4, 4, 3), "uint8")
        red[..., 0] = 255
        assert zoo.data.resize(red, (4, 4, 1)).ravel().tolist() == [76] * 16
        assert zoo.data.resize(np.ones((1, 4, 4, 1)), (2, 2, 3)).tolist() == np.ones((1, 2, 2, 3)).tolist()
        with pytest.raises(DataError, match="Images with 3 channels cannot be brought to 2"):
            zoo.data.resize(red, (4, 4, 2))

    @pytest.mark.parametrize("shape", [(8, 8, 1), (1, 1, 1), (2, 3, 1)])
    def test_the_largest_margin_leaves_a_pixel(self, shape):
        resized = zoo.data.resize(np.ones((1, 4, 4, 1)), shape, margin=0.5)
        assert resized.shape == (1, *shape)
        assert 1 <= resized.sum() <= 4

    def test_bad_arguments(self):
        with pytest.raises(DataError, match="Only images can be resized"):
            zoo.data.resize(np.zeros((3, 784)), (28, 28, 1))
        with pytest.raises(DataError, match="Only images can be resized"):
            zoo.data.resize(np.zeros((3, 0, 4, 1)), (28, 28, 1))
        with pytest.raises(DataError, match="not numeric"):
            zoo.data.resize(np.full((1, 2, 2, 1), "a"), (28, 28, 1))
        with pytest.raises(ConfigError, match=r"shape\[0\] must be a whole number of at least 1. Received"):
            zoo.data.resize(np.zeros((3, 4, 4, 1)), (0, 28, 1))
        with pytest.raises(ConfigError, match=r"margin must be a number in \[0, 0.5\]. Received: margin=0.6"):
            zoo.data.resize(np.zeros((3, 4, 4, 1)), (28, 28, 1), margin=0.6)


def test_importing_and_reading_files_needs_no_heavy_package(tmp_path):
    folder, archive = _write(tmp_path, {"train/a/0.jpg": _encoded(_photograph(), "jpeg")})
    script = f"""
import sys
import zoo.data
heavy = ("tensorflow", "tensorflow_datasets", "keras", "PIL", "sklearn", "rich", "tqdm", "matplotlib")
print([name for name in heavy if name in sys.modules])
for path in ({str(folder)!r}, {str(archive)!r}):
    assert zoo.data.load(path, shape=(8, 8, 1)).shape == (8, 8, 1)
    assert len(next(zoo.data.load(path, shape=(8, 8, 1), stream=True).batches(1))) == 1
print([name for name in heavy if name in sys.modules])
"""
    lines = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert lines == ["[]", "['PIL']"]
