import numpy as np
import pytest
from PIL import Image

from zoo.core.errors import DataError, DataNotFoundError, UnknownNameError
from zoo.data.samples import Samples


@pytest.fixture
def folder(tmp_path, digits):
    """Four grey images of 8×8 pixels, one of them a larger JPEG in colour, in two subfolders, and a text."""
    pixels = np.rint(digits.samples[:4, :, :, 0] * 255).astype("uint8")
    for number, name in enumerate(("b/2.png", "a/10.png", "b/1.PNG")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(pixels[number]).save(tmp_path / name)
    Image.fromarray(pixels[3]).convert("RGB").resize((32, 16), Image.Resampling.NEAREST).save(
        tmp_path / "a" / "9.jpg", quality=100
    )
    (tmp_path / "a" / "notes.txt").write_text("no image")
    return tmp_path, pixels


def test_folder(folder):
    path, pixels = folder
    samples = Samples(path, (8, 8, 1), "uint8")
    assert len(samples) == 4
    found = dict(samples)
    assert list(found) == ["a/10.png", "a/9.jpg", "b/1.PNG", "b/2.png"]
    for name, number in (("b/2.png", 0), ("a/10.png", 1), ("b/1.PNG", 2)):
        np.testing.assert_array_equal(found[name][..., 0], pixels[number])
    assert found["a/9.jpg"].shape == (8, 8, 1)
    assert np.abs(found["a/9.jpg"][..., 0].astype(int) - pixels[3]).mean() < 20
    floats = dict(Samples(path, (8, 8, 1)))
    np.testing.assert_array_equal(floats["b/2.png"], found["b/2.png"].astype("float32") / 255)
    colour = dict(Samples(path, (8, 8, 3), "uint8"))["b/2.png"]
    np.testing.assert_array_equal(colour, np.repeat(found["b/2.png"], 3, axis=-1))
    assert list(dict(Samples(path, (8, 8, 1), split="b"))) == ["1.PNG", "2.png"]
    assert [(names, batch.shape) for names, batch in samples.batches(3)] == [
        (["a/10.png", "a/9.jpg", "b/1.PNG"], (3, 8, 8, 1)),
        (["b/2.png"], (1, 8, 8, 1)),
    ]
    ((name, one),) = Samples(path / "b" / "2.png", (8, 8, 1), "uint8")
    assert name == "2.png"
    np.testing.assert_array_equal(one, found["b/2.png"])


def test_arrays_and_datasets(tmp_path, digits):
    np.save(tmp_path / "floats.npy", digits.samples[:5])
    names, arrays = zip(*Samples(tmp_path / "floats.npy", (8, 8, 1)), strict=True)
    assert names == ("0", "1", "2", "3", "4")
    np.testing.assert_array_equal(arrays, digits.samples[:5])
    np.save(tmp_path / "pixels.npy", np.full((2, 8, 8, 1), 51, "uint8"))
    np.testing.assert_allclose(next(iter(Samples(tmp_path / "pixels.npy", (8, 8, 1))))[1], 0.2, rtol=1e-6)
    assert len(Samples("digits", (8, 8, 1))) == 359
    assert len(Samples("digits", (8, 8, 1), split="all")) == 1797
    with pytest.raises(DataError, match="raw pixels: expected samples of dtype uint8. Received float32"):
        next(iter(Samples(tmp_path / "floats.npy", (8, 8, 1), "uint8")))


def test_errors(folder):
    path, _ = folder
    with pytest.raises(DataError, match=r"Image files suit models of images.*Received \(640,\)"):
        Samples(path, (640,))
    with pytest.raises(DataNotFoundError, match="No such folder: '.*train'"):
        Samples(path, (8, 8, 1), split="train")
    (path / "empty").mkdir()
    with pytest.raises(
        DataNotFoundError, match="No images in '.*empty': expected files that end in .jpg, .jpeg, .png, .webp"
    ):
        Samples(path / "empty", (8, 8, 1))
    with pytest.raises(DataNotFoundError, match="No such file: '.*absent.npy'"):
        Samples(path / "absent.npy", (8, 8, 1))
    with pytest.raises(UnknownNameError, match="Unknown dataset 'no-such-dataset'"):
        Samples("no-such-dataset", (8, 8, 1))
    (path / "b" / "0.png").write_bytes(b"\x89PNG but not really")
    with pytest.raises(DataError, match="'.*0.png' is not an image that can be read"):
        list(Samples(path, (8, 8, 1)))
