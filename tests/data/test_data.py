import pickle

import numpy as np
import PIL.Image
import pytest
import tensorflow_datasets as tfds

import zoo
from zoo.core.errors import DataError, DataNotFoundError, MixedSizesError, UnknownNameError
from zoo.data.source import Source, mixture
from zoo.engine import inputs
from zoo.engine.contract import Contract


def _write_folder(root, size=(12, 10), count=6):
    random = np.random.default_rng(0)
    for split in ("train", "test"):
        for name in ("cat", "dog"):
            folder = root / split / name
            folder.mkdir(parents=True)
            for i in range(count):
                pixels = random.integers(0, 256, (*size, 3)).astype("uint8")
                pixels[:] = 40 if name == "cat" else 200
                PIL.Image.fromarray(pixels).save(folder / f"{i}.{'png' if i % 2 else 'jpg'}")
    return root


class TestDigits:
    def test_splits_are_disjoint_and_complete(self):
        train, test, every = (zoo.data.load("digits", split) for split in ("train", "test", "all"))
        assert (len(train), len(test), len(every)) == (1438, 359, 1797)
        assert every.shape == (8, 8, 1)
        rows = {image.tobytes() for image in every.samples}
        assert {i.tobytes() for i in train.samples} | {i.tobytes() for i in test.samples} == rows
        assert train.pixels().dtype == np.float32
        assert (every.samples.min(), every.samples.max()) == (0.0, 1.0)
        assert set(test.labels) == set(range(10))

    def test_framing_leaves_the_margin_black_and_keeps_the_picture(self, digits, mnist_like):
        assert mnist_like.shape == (1797, 28, 28, 1)
        inside = mnist_like[:, 4:-4, 4:-4]
        assert mnist_like.sum() == inside.sum()
        np.testing.assert_allclose(inside.mean(axis=(1, 2)), digits.samples.mean(axis=(1, 2)), atol=0.03)


@pytest.mark.needs_dataset("mnist")
def test_mnist_is_the_official_test_split():
    source = zoo.data.load("mnist", "test")
    assert source.samples.shape == (10_000, 28, 28, 1)
    assert source.samples.dtype == np.uint8
    assert source.version == "3.0.1"
    pixels = source.pixels()
    np.testing.assert_allclose([pixels.mean(), pixels.std()], [0.13251467, 0.31048027], rtol=1e-5)
    assert np.bincount(source.labels).sum() == 10_000
    # The order is TFDS's own, the counts are MNIST's.
    assert np.bincount(source.labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


class TestAnyTFDSDataset:
    def test_by_name(self, monkeypatch, tmp_path):
        """Any TFDS image dataset by its name: here one whose builder this test registers."""

        class TinyShapes(tfds.core.GeneratorBasedBuilder):
            VERSION = tfds.core.Version("1.2.3")

            def _info(self):
                features = {
                    "image": tfds.features.Image(shape=(6, 5, 3)),
                    "label": tfds.features.ClassLabel(names=["a", "b"]),
                }
                return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

            def _split_generators(self, dl_manager):
                return {"train": self._generate_examples(7), "test": self._generate_examples(3)}

            def _generate_examples(self, count):
                for i in range(count):
                    yield i, {"image": np.full((6, 5, 3), i, "uint8"), "label": i % 2}

        monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
        monkeypatch.setattr(tfds.core.constants, "DATA_DIR", str(tmp_path))
        source = zoo.data.load("tiny_shapes", "train")
        assert source.shape == (6, 5, 3)
        assert sorted(source.samples[:, 0, 0, 0].tolist()) == list(range(7))
        assert (source.samples[:, 0, 0, 0] % 2 == source.labels).all()
        assert (source.version, source.class_names) == ("1.2.3", ("a", "b"))
        assert zoo.data.load("tiny_shapes", "all", shape=(4, 4, 1)).samples.shape == (10, 4, 4, 1)

    def test_neither_prepared_nor_downloadable(self, monkeypatch, tmp_path):
        def offline(self, *args, **kwargs):
            raise ConnectionError("no network")

        monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
        monkeypatch.setattr(tfds.core.constants, "DATA_DIR", str(tmp_path))
        monkeypatch.setattr(tfds.core.DatasetBuilder, "download_and_prepare", offline)
        with pytest.raises(DataNotFoundError) as caught:
            zoo.data.load("kmnist")
        message = str(caught.value)
        for part in (
            "'kmnist' is not prepared",
            "could not be downloaded (ConnectionError)",
            "t.load('kmnist')",
            "TFDS_DATA_DIR",
        ):
            assert part in message

    def test_unknown_name(self):
        with pytest.raises(UnknownNameError, match="Unknown dataset 'mnits'. Did you mean .*'mnist'"):
            zoo.data.load("mnits")


class TestFolder:
    def test_classes_sizes_and_splits(self, tmp_path):
        root = _write_folder(tmp_path / "pets")
        train = zoo.data.load(str(root), "train")
        assert train.samples.shape == (12, 12, 10, 3)
        assert train.samples.dtype == np.uint8
        assert train.class_names == ("cat", "dog")
        brightness = train.samples.mean(axis=(1, 2, 3))
        assert ((brightness > 120) == (train.labels == 1)).all()
        assert len(zoo.data.load(root, "all")) == 24
        gray = zoo.data.load(root, "test", shape=(8, 8, 1))
        assert gray.samples.shape == (12, 8, 8, 1)
        np.testing.assert_allclose(np.sort(gray.samples.mean(axis=(1, 2, 3))), [40] * 6 + [200] * 6, atol=2)

    def test_differing_sizes_need_a_shape(self, tmp_path):
        root = _write_folder(tmp_path / "pets")
        PIL.Image.new("RGB", (5, 5)).save(root / "train" / "cat" / "small.png")
        PIL.Image.new("L", (3, 7)).save(root / "train" / "cat" / "smaller.png")
        with pytest.raises(MixedSizesError, match="'pets' differ in size or channels .* pass shape=") as problem:
            zoo.data.load(root, "train")
        assert len(problem.value.sizes) == 3
        assert {(5, 5, 3), (7, 3, 1)} < set(problem.value.sizes)
        assert all(str(size) in str(problem.value) for size in problem.value.sizes)
        assert pickle.loads(pickle.dumps(problem.value)).sizes == problem.value.sizes
        assert zoo.data.load(root, "train", shape=(8, 8, 3)).samples.shape == (14, 8, 8, 3)

    def test_errors(self, tmp_path):
        (tmp_path / "train" / "cat").mkdir(parents=True)
        with pytest.raises(DataNotFoundError, match=r"No images in .*expected <split>/<class>/\*.jpg or \*.png inside"):
            zoo.data.load(tmp_path)
        with pytest.raises(DataNotFoundError, match="No such folder"):
            zoo.data.load(tmp_path / "absent")
        root = _write_folder(tmp_path / "pets")
        with pytest.raises(UnknownNameError, match="Unknown split 'tset'. Did you mean 'test'"):
            zoo.data.load(root, "tset")


class TestArrays:
    def test_npy_and_npz(self, tmp_path, digits):
        np.save(tmp_path / "x.npy", digits.samples)
        np.savez(tmp_path / "x.npz", images=digits.samples, labels=digits.labels)
        np.testing.assert_array_equal(zoo.data.load(tmp_path / "x.npy").pixels(), digits.samples)
        source = zoo.data.load(str(tmp_path / "x.npz"))
        np.testing.assert_array_equal(source.labels, digits.labels)

    def test_uint8_stays_uint8_and_becomes_unit_range(self):
        source = zoo.data.load(np.array([[0, 51, 255]], "uint8"))
        assert source.samples.dtype == np.uint8
        np.testing.assert_allclose(source.pixels(), [[0.0, 0.2, 1.0]])

    def test_errors(self, tmp_path, digits):
        np.savez(tmp_path / "bad.npz", a=digits.samples, b=digits.samples)
        np.save(tmp_path / "object.npy", np.array([{}], dtype=object))
        (tmp_path / "text.npy").write_text("hello")
        with pytest.raises(DataError, match=r"no array 'samples'.*Received keys \['a', 'b'\]"):
            zoo.data.load(tmp_path / "bad.npz")
        with pytest.raises(DataError, match="not a plain NumPy file"):
            zoo.data.load(tmp_path / "object.npy")
        with pytest.raises(DataError, match="not a plain NumPy file"):
            zoo.data.load(tmp_path / "text.npy")
        with pytest.raises(DataNotFoundError, match="No such file"):
            zoo.data.load(tmp_path / "absent.npy")
        with pytest.raises(DataError, match="Dataset 'array' is empty"):
            zoo.data.load(np.zeros((0, 8, 8, 1)))
        with pytest.raises(DataError, match=r"expected a numeric array .*Received dtype float64 and shape \(3,\)"):
            zoo.data.load([1.0, 2.0, 3.0])
        with pytest.raises(DataError, match="array: expected an array of numbers .*Received list"):
            zoo.data.load([[1.0], [1.0, 2.0]])
        with pytest.raises(DataError, match=r"expected a numeric array .*Received dtype object and shape \(\)"):
            zoo.data.load({"images": [[1.0]]})
        (tmp_path / "notes.txt").write_text("hello")
        with pytest.raises(DataError, match="notes.txt' is not a dataset: expected a folder or zip archive"):
            zoo.data.load(tmp_path / "notes.txt")
        (tmp_path / "cut.npz").write_bytes((tmp_path / "bad.npz").read_bytes()[:100])
        with pytest.raises(DataError, match="cut.npz' is not a plain NumPy file"):
            zoo.data.load(tmp_path / "cut.npz")
        np.savez(tmp_path / "pickled.npz", images=np.array([{}], dtype=object))
        with pytest.raises(DataError, match="pickled.npz' is not a plain NumPy file"):
            zoo.data.load(tmp_path / "pickled.npz")

    def test_lists_and_what_numpy_makes_an_array_of(self):
        class Frame:
            """A pandas DataFrame, as far as it matters here."""

            def __init__(self, values):
                self.values = values

            def __array__(self, dtype=None, copy=None):
                return np.array(self.values, dtype)

        assert zoo.data.load([[0.0, 0.5], [1.0, 0.25]]).pixels().tolist() == [[0.0, 0.5], [1.0, 0.25]]
        assert zoo.data.load(Frame([[0.0, 0.5]])).pixels().tolist() == [[0.0, 0.5]]
        with pytest.raises(DataError, match=r"expected a numeric array .*dtype object and shape \(1, 2\)"):
            zoo.data.load(Frame(np.array([["a", 0.5]], object)))

    def test_an_archive_with_splits(self, tmp_path):
        splits = {"x_train": np.zeros((3, 2)), "y_train": [0, 1, 2], "x_test": np.ones((2, 2)), "y_test": [4, 5]}
        np.savez(tmp_path / "x.npz", **splits)
        test = zoo.data.load(tmp_path / "x.npz", "test")
        assert (test.samples.tolist(), test.labels.tolist(), test.split) == ([[1, 1], [1, 1]], [4, 5], "test")
        assert zoo.data.load(tmp_path / "x.npz").labels.tolist() == [0, 1, 2]
        assert zoo.data.load(tmp_path / "x.npz", "all").labels.tolist() == [0, 1, 2, 4, 5]
        np.savez(tmp_path / "y.npz", x_train=np.zeros((3, 2)))
        with pytest.raises(UnknownNameError, match="Unknown split of '.*y.npz' 'test'.*'train'"):
            zoo.data.load(tmp_path / "y.npz", "test")
        # One archive for every split, without splits of its own.
        np.savez(tmp_path / "z.npz", x=np.zeros((3, 2)), y=[[1], [0], [1]])
        assert zoo.data.load(tmp_path / "z.npz", "test").labels.tolist() == [1, 0, 1]


class TestLabels:
    @pytest.mark.parametrize("how", ["npz", "source"])
    @pytest.mark.parametrize(
        ("labels", "numbers", "names"),
        [
            (np.eye(3)[[2, 0, 1, 2]], [2, 0, 1, 2], ()),
            (np.eye(3, dtype="uint8")[[2, 0, 1, 2]], [2, 0, 1, 2], ()),
            (np.array(["dog", "cat", "cow", "dog"]), [2, 0, 1, 2], ("cat", "cow", "dog")),
            (np.array([b"dog", b"cat", b"cat", b"dog"]), [1, 0, 0, 1], ("cat", "dog")),
            (np.array([[7], [1], [1], [3]], "int32"), [7, 1, 1, 3], ()),
            (np.array([2.0, 0.0, 1.0, 2.0]), [2, 0, 1, 2], ()),
            (np.array([True, False, False, True]), [1, 0, 0, 1], ()),
        ],
    )
    def test_forms(self, tmp_path, how, labels, numbers, names):
        source = self._source(tmp_path, how, labels)
        assert source.labels.tolist() == numbers
        assert source.labels.dtype == np.int64
        assert source.class_names == names
        part = source.subset([3, 1])
        assert (part.labels.tolist(), part.class_names) == ([numbers[3], numbers[1]], names)

    @pytest.mark.parametrize("how", ["npz", "source"])
    @pytest.mark.parametrize(
        ("labels", "message"),
        [
            (np.zeros(5, "int64"), "needs one label per sample. Received 4 samples and 5 labels"),
            (np.eye(3)[[0, 1]], "needs one label per sample. Received 4 samples and 2 labels"),
            (np.int64(3), "needs one label per sample. Received 4 samples and a single label"),
            (np.full((4, 2), 0.5), r"labels of shape \(4, 2\) that are not one-hot"),
            (np.ones((4, 2), "int64"), r"labels of shape \(4, 2\) that are not one-hot"),
            (np.zeros((4, 2, 2)), r"expected labels \(samples,\). Received \(4, 2, 2\)"),
            (np.array([0.5, 1, 2, 3]), r"labels that name no class.*float64, such as np.float64\(0.5\)"),
            (np.array([np.nan, 1, 2, 3]), "labels that name no class"),
        ],
    )
    def test_refused(self, tmp_path, how, labels, message):
        with pytest.raises(DataError, match=message):
            self._source(tmp_path, how, labels)

    def test_lists(self):
        assert zoo.data.Source(np.zeros((2, 4)), ["b", "a"]).labels.tolist() == [1, 0]
        assert zoo.data.Source(np.zeros((2, 4)), np.array(["b", "a"], object)).class_names == ("a", "b")
        with pytest.raises(DataError, match="name no class.*dtype object"):
            zoo.data.Source(np.zeros((2, 4)), np.array(["b", None], object))

    @staticmethod
    def _source(tmp_path, how, labels):
        images = np.zeros((4, 8, 8, 1), "float32")
        if how == "source":
            return zoo.data.Source(images, labels)
        np.savez(tmp_path / "x.npz", images=images, labels=labels)
        return zoo.data.load(tmp_path / "x.npz")


@pytest.mark.parametrize("shape", [(28, 28, 1), (27, 31, 3), (640,), (65, 2)])
def test_samples_like_any_shape_are_real_and_varied(shape):
    samples = zoo.data.samples_like(shape, 20)
    assert samples.shape == (20, *shape)
    assert samples.dtype == np.float32
    assert samples.min() >= 0
    assert samples.max() <= 1
    assert len(np.unique(samples.reshape(20, -1), axis=0)) == 20


class TestArchive:
    @pytest.fixture
    def archive(self, tmp_path):
        """Two classes, three images a split and class, whose grey value says which one it is."""
        import io
        import zipfile

        from PIL import Image

        path = tmp_path / "photos.zip"
        with zipfile.ZipFile(path, "w") as file:
            for s, split in enumerate(("train", "test")):
                for c, name in enumerate(("dog", "cat")):
                    for i in range(3):
                        buffer = io.BytesIO()
                        Image.new("RGB", (6, 4), (100 * s + 10 * c + i,) * 3).save(buffer, "png")
                        file.writestr(f"{split}/{name}/{i}.png", buffer.getvalue())
            file.writestr("README.txt", "not an image")
        return path

    def test_classes_interleaved_by_file_name(self, archive):
        source = zoo.data.load(archive, "test")
        assert source.samples.shape == (6, 4, 6, 3)
        assert source.class_names == ("cat", "dog")
        assert source.labels.tolist() == [0, 1] * 3
        assert source.samples[:, 0, 0, 0].tolist() == [110, 100, 111, 101, 112, 102]
        assert (source.name, source.split) == ("photos", "test")
        assert len(zoo.data.load(str(archive), "all")) == 12

    def test_by_name_in_the_data_directory(self, archive, monkeypatch):
        monkeypatch.setenv("ZOO_DATA_DIR", str(archive.parent))
        assert len(zoo.data.load("photos", "train")) == 6
        assert zoo.data.load("photos", "train", shape=(2, 2, 1)).shape == (2, 2, 1)

    def test_errors(self, archive, tmp_path):
        with pytest.raises(DataNotFoundError, match="as a zip archive .*: expected <split>/<class>/"):
            zoo.data.load(tmp_path / "absent.zip")
        (tmp_path / "bad.zip").write_bytes(b"no zip")
        with pytest.raises(DataNotFoundError, match="not a zip file"):
            zoo.data.load(tmp_path / "bad.zip")
        import zipfile

        with zipfile.ZipFile(archive, "a") as file:
            from PIL import Image

            Image.new("L", (5, 5)).save(tmp_path / "other.png")
            file.write(tmp_path / "other.png", "train/dog/9.png")
        with pytest.raises(DataError, match=r"differ in size or channels \(\(4, 6, 3\), \(5, 5, 1\), ...\): pass"):
            zoo.data.load(archive, "train")


class TestMixture:
    def test_all_samples_once_in_mixed_order(self):
        mixed = zoo.data.load("digits+digits", "train")
        digits = zoo.data.load("digits", "train")
        assert len(mixed) == 2 * len(digits)
        assert mixed.labels is None
        assert not np.array_equal(mixed.samples[: len(digits)], digits.samples)
        np.testing.assert_allclose(mixed.samples.mean(axis=0), digits.samples.mean(axis=0), rtol=1e-5)
        np.testing.assert_array_equal(mixed.samples, zoo.data.load("digits+digits", "train").samples)

    def test_pixels_of_different_types(self, tmp_path):
        """8-bit and float samples are mixed in one range."""
        np.save(tmp_path / "bytes.npy", np.full((3, 8, 8, 1), 255, "uint8"))
        np.save(tmp_path / "floats.npy", np.full((2, 8, 8, 1), 0.5, "float32"))
        mixed = zoo.data.load(f"{tmp_path / 'bytes.npy'}+{tmp_path / 'floats.npy'}")
        assert sorted(mixed.pixels()[:, 0, 0, 0].tolist()) == [0.5, 0.5, 1.0, 1.0, 1.0]

    def test_a_path_with_a_plus_is_one_dataset(self, tmp_path):
        np.save(tmp_path / "a+b.npy", np.zeros((3, 2)))
        assert len(zoo.data.load(str(tmp_path / "a+b.npy"))) == 3

    def test_shapes_must_agree(self):
        from zoo.data.source import Source, mixture

        sources = [Source(np.zeros((2, size, size, 1), "uint8")) for size in (3, 4)]
        with pytest.raises(DataError, match=r"different shapes: pass shape=\(height, width, channels\)"):
            mixture(sources, "a+b")


class TestUnits:
    """Integers are in their unit before a model sees them, by every way in; what is stored stays as it is."""

    def test_of_integers(self):
        counts = np.array([[-200, 0, 100], [50, 7, 32767]], "int16")
        source = Source(counts, [0, 1], sampling_rate=180, unit="mV", scale=1 / 200)
        assert source.samples is counts
        assert source.images is counts
        assert source.values().dtype == np.float32
        np.testing.assert_allclose(source.values(), [[-1, 0, 0.5], [0.25, 0.035, 163.835]], rtol=1e-6)
        for part in (source.subset([1, 0]), source.part(0, 1)):
            assert (part.sampling_rate, part.unit, part.scale) == (180.0, "mV", 0.005)
        np.testing.assert_allclose(source.subset([1]).values()[0, 0], 0.25)
        assert Source(counts).values()[1, 2] == 32767
        assert Source(counts).scale is None

    def test_of_pixels_and_other_bytes(self):
        eight = np.array([[0, 51, 255]], "uint8")
        assert (Source(eight).scale, Source(eight).is_pixels) == (1 / 255, True)
        assert Source(eight).values().tolist() == (eight / np.float32(255)).tolist()
        other = Source(eight, scale=0.5)
        assert (other.values().tolist(), other.is_pixels) == ([[0, 25.5, 127.5]], False)

    def test_resized(self):
        loud = Source(np.full((2, 4, 4, 1), 16384, "int16"), scale=1 / 32768, unit="1")
        resized = loud.resized((2, 2, 1))
        assert (resized.samples.dtype, resized.scale, resized.unit) == (np.float32, None, "1")
        np.testing.assert_allclose(resized.values(), 0.5)

    def test_mixtures(self):
        fine, coarse = (Source(np.full((2, 3), n, "int16"), scale=s, unit="mV") for n, s in ((100, 0.01), (10, 0.1)))
        mixed = mixture([fine, coarse], "both")
        assert (mixed.samples.dtype, mixed.scale, mixed.unit) == (np.float32, None, "mV")
        np.testing.assert_allclose(mixed.values(), 1)
        same = mixture([fine, fine], "same")
        assert (same.samples.dtype, same.scale) == (np.int16, 0.01)
        fast = Source(np.ones((2, 3)), sampling_rate=360)
        assert mixture([Source(np.ones((2, 3))), fast], "known").sampling_rate == 360
        with pytest.raises(DataError, match=r"'rates' differ in sampling_rate: .* Received \[180.0, 360.0\]"):
            mixture([fast, Source(np.ones((2, 3)), sampling_rate=180)], "rates")
        with pytest.raises(DataError, match=r"'units' differ in unit: .* Received \['g', 'mV'\]"):
            mixture([fine, Source(np.ones((2, 3)), unit="g")], "units")

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (
                {"scale": 0.5},
                "which is of integer samples: leave it out. Received scale=0.5 and .* float64",
            ),
            ({"sampling_rate": 0}, "sampling_rate must be a positive number, or None. Received: sampling_rate=0"),
            ({"sampling_rate": float("inf")}, "Received: sampling_rate=inf"),
            ({"sampling_rate": "8 kHz"}, "Received: sampling_rate='8 kHz'"),
        ],
    )
    def test_refused(self, options, message):
        with pytest.raises(DataError, match=message):
            Source(np.ones((2, 3)), **options)

    def test_models_take_the_values(self):
        counts = np.random.default_rng(0).integers(-1000, 1000, (40, 6)).astype("int16")
        source = Source(counts, scale=1 / 500, unit="g")
        contract = Contract((6,), unit_range=False)
        (x, *_) = inputs.collect(contract, source)
        assert x.dtype == np.float32
        np.testing.assert_array_equal(x, counts.astype("float32") * np.float32(1 / 500))
        found = inputs.take(contract, source)
        assert (found.x.dtype, found.pixels) == (np.float32, False)
        with pytest.raises(DataError, match=r"x lies outside \[0, 1\].*from -1.99 to 1.988"):
            inputs.take(Contract((6,)), source)

    def test_archives(self, tmp_path):
        counts = np.array([[1, 2]], "int16")
        np.savez(tmp_path / "x.npz", x=counts, sampling_rate=8000, unit="Pa", scale=0.5)
        source = zoo.data.load(tmp_path / "x.npz")
        assert (source.sampling_rate, source.unit, source.values().tolist()) == (8000.0, "Pa", [[0.5, 1.0]])
        np.savez(tmp_path / "x.npz", x=counts, sampling_rate=[1, 2])
        with pytest.raises(DataError, match="x.npz' has a sampling_rate that is not one number. Received dtype int64"):
            zoo.data.load(tmp_path / "x.npz")
        np.savez(tmp_path / "x.npz", x=counts, unit=1)
        with pytest.raises(DataError, match="has a unit that is not one text"):
            zoo.data.load(tmp_path / "x.npz")
