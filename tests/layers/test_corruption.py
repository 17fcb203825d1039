import keras
import numpy as np
import pytest
import scipy.ndimage

import zoo
from zoo.layers import corruption as corruptions


def _apply(layer, x, seed=0):
    layer = corruptions.Corruption.from_description(layer.describe())  # a fresh one, with a known seed
    layer.random = keras.random.SeedGenerator(seed)
    return keras.ops.convert_to_numpy(layer(x, training=True))


class TestDistributions:
    """200,000 values each: a wrong factor, a shared draw or a clipped tail is far outside these bounds."""

    x = np.full((250, 20, 20, 2), 0.5, "float32")

    def test_gaussian(self):
        noise = _apply(zoo.corruption.Gaussian(0.3), self.x) - self.x
        assert abs(noise.mean()) < 0.004
        assert abs(noise.std() - 0.3) < 0.003
        assert abs((np.abs(noise) > 0.6).mean() - 0.0455) < 0.003
        assert abs(np.corrcoef(noise[0].ravel(), noise[1].ravel())[0, 1]) < 0.2
        assert abs(np.corrcoef(noise[..., 0].ravel(), noise[..., 1].ravel())[0, 1]) < 0.02

    def test_masking(self):
        y = _apply(zoo.corruption.Masking(0.3), self.x)
        assert set(np.unique(y)) == {0.0, 0.5}
        assert abs((y == 0).mean() - 0.3) < 0.005
        np.testing.assert_array_equal(y[..., 0], y[..., 1])
        assert not np.array_equal(y[0], y[1])

    def test_masking_blocks(self):
        y = _apply(zoo.corruption.Masking(0.4, block=8), self.x)[..., 0]
        blocks = [y[:, i : i + 8, j : j + 8].reshape(250, -1) for i in (0, 8, 16) for j in (0, 8, 16)]
        assert all((block == block[:, :1]).all() for block in blocks)
        assert abs(np.mean([(block[:, 0] == 0).mean() for block in blocks]) - 0.4) < 0.05

    def test_salt_and_pepper(self):
        y = _apply(zoo.corruption.SaltAndPepper(0.2), self.x)
        assert abs((y == 0).mean() - 0.1) < 0.005
        assert abs((y == 1).mean() - 0.1) < 0.005
        assert abs((y == 0.5).mean() - 0.8) < 0.005

    @pytest.mark.parametrize("shape", [(64,), (30, 2), (9, 11, 3)])
    @pytest.mark.parametrize(
        "layer", [zoo.corruption.Gaussian(0.1), zoo.corruption.Masking(0.5, 4), zoo.corruption.SaltAndPepper(0.5)]
    )
    def test_any_shape_is_kept(self, layer, shape):
        x = np.random.default_rng(0).random((5, *shape), "float32")
        y = _apply(layer, x)
        assert y.shape == x.shape
        assert not np.array_equal(y, x)


class TestAffine:
    def test_zero_limits_change_nothing(self, mnist_like):
        np.testing.assert_allclose(_apply(zoo.corruption.Affine(), mnist_like[:8]), mnist_like[:8], atol=1e-6)

    def test_equals_scipy(self, mnist_like, monkeypatch):
        """With known draws the warp is scipy.ndimage's affine transform of the same matrix."""
        x = mnist_like[:4]
        layer = zoo.corruption.Affine(rotation=30, shift=4, scale=0.2, shear=0.3)
        draws = iter([0.4, 0.15, -0.2, 2.5, -1.5])  # angle, scale, shear, shift down, shift right
        monkeypatch.setattr(
            corruptions.Corruption, "uniform", lambda self, shape, low, high: keras.ops.full(shape, next(draws))
        )
        warped = keras.ops.convert_to_numpy(layer(x, training=True))[..., 0]
        cosine, sine = 1.15 * np.cos(0.4), 1.15 * np.sin(0.4)
        rotation = np.array([[cosine, sine], [-sine, cosine]])  # (row, column) order
        matrix = rotation @ np.array([[1, 0], [-0.2, 1]])
        centre = np.array([13.5, 13.5])
        offset = centre - matrix @ centre + np.array([2.5, -1.5])
        expected = [scipy.ndimage.affine_transform(i[..., 0], matrix, offset, order=1, mode="grid-constant") for i in x]
        np.testing.assert_allclose(warped, expected, atol=2e-5)

    def test_limits(self):
        """The shift of a single bright pixel is uniform in [-3, 3] along each axis."""
        x = np.zeros((4000, 15, 15, 1), "float32")
        x[:, 7, 7] = 1
        y = _apply(zoo.corruption.Affine(shift=3), x)[..., 0]
        rows = (y.sum(axis=2) * np.arange(15)).sum(axis=1) - 7
        columns = (y.sum(axis=1) * np.arange(15)).sum(axis=1) - 7
        for shift in (rows, columns):
            assert np.abs(shift).max() <= 3.0001
            assert abs(shift.mean()) < 0.1
            assert abs(shift.std() - 3 / np.sqrt(3)) < 0.06
        assert abs(np.corrcoef(rows, columns)[0, 1]) < 0.06


def test_seeded_draws_repeat(mnist_like):
    for layer in (zoo.corruption.Gaussian(0.1), zoo.corruption.Affine(20, 3)):
        first, again, other = (_apply(layer, mnist_like[:4], seed) for seed in (1, 1, 2))
        np.testing.assert_array_equal(first, again)
        assert not np.array_equal(first, other)


class TestElastic:
    def test_one_point_is_a_shift(self, mnist_like, monkeypatch):
        layer = zoo.corruption.Elastic(3, points=1)
        draws = keras.ops.reshape(keras.ops.convert_to_tensor([2.0, -1.0]), (2, 1, 1))
        monkeypatch.setattr(corruptions.Corruption, "uniform", lambda self, shape, low, high: draws)
        moved = keras.ops.convert_to_numpy(layer(mnist_like[:1], training=True))
        expected = scipy.ndimage.shift(mnist_like[0, ..., 0], (-2, 1), order=1)
        np.testing.assert_allclose(moved[0, ..., 0], expected, atol=1e-5)

    def test_places_move_by_the_limit_at_most_and_smoothly(self):
        """Row and column numbers as the picture, so that what comes out is where each pixel was read."""
        grid = np.stack(np.mgrid[:20, :20], axis=-1).astype("float32")
        padded = np.pad(grid, ((6, 6), (6, 6), (0, 0)), mode="edge")[None].repeat(200, axis=0)
        read = _apply(zoo.corruption.Elastic(2, points=4), padded)[:, 8:24, 8:24]
        shift = read - padded[:, 8:24, 8:24]
        assert np.abs(shift).max() <= 2.0001
        assert np.abs(shift).max() > 1.5
        assert np.abs(np.diff(shift, axis=1)).max() < 2 * 2 * np.pi / 2 / (31 / 3) + 0.05  # slope of the cosine
        assert np.abs(shift.mean(axis=0)).max() < 0.3
        assert np.corrcoef(shift[0].ravel(), shift[1].ravel())[0, 1] < 0.9


class TestAppearance:
    def test_stroke_stays_between_erosion_and_dilation(self, mnist_like):
        x = mnist_like[:50]
        y = _apply(zoo.corruption.Stroke(1.0), x)
        low = scipy.ndimage.grey_erosion(x, size=(1, 3, 3, 1), mode="nearest")
        high = scipy.ndimage.grey_dilation(x, size=(1, 3, 3, 1), mode="nearest")
        assert (y >= low - 1e-6).all()
        assert (y <= high + 1e-6).all()
        change = (y - x).sum(axis=(1, 2, 3))
        assert 15 < (change > 0).sum() < 35
        assert 15 < (change < 0).sum() < 35

    def test_blur_equals_scipy(self, mnist_like, monkeypatch):
        monkeypatch.setattr(
            corruptions.Corruption, "uniform", lambda self, shape, low, high: keras.ops.full(shape, high)
        )
        x = mnist_like[:4]
        y = keras.ops.convert_to_numpy(zoo.corruption.Blur(1.0)(x, training=True))
        kernel = np.array([1, 2, 1]) / 4
        expected = x
        for _ in range(2):
            for axis in (1, 2):
                expected = scipy.ndimage.convolve1d(expected, kernel, axis=axis, mode="nearest")
        np.testing.assert_allclose(y, expected, atol=1e-6)

    def test_contrast(self):
        x = np.random.default_rng(0).uniform(0.4, 0.6, (500, 6, 6, 3)).astype("float32")
        y = _apply(zoo.corruption.Contrast(0.5, 0.2), x)
        spread = y.std(axis=(1, 2, 3)) / x.std(axis=(1, 2, 3))
        shift = y.mean(axis=(1, 2, 3)) - x.mean(axis=(1, 2, 3))
        assert 0.5 <= spread.min() < 0.55
        assert 1.45 < spread.max() <= 1.5001
        assert abs(shift.std() - 0.2 / np.sqrt(3)) < 0.01
        assert np.abs(shift).max() <= 0.2001


@pytest.mark.parametrize(
    "layer",
    [zoo.corruption.Affine(20), zoo.corruption.Elastic(2), zoo.corruption.Stroke(0.5), zoo.corruption.Blur(0.5)],
)
def test_images_only(layer):
    with pytest.raises(zoo.ZooError, match=f"{type(layer).__name__} corruption needs images of shape"):
        zoo.denoising(zoo.feed_forward((64,), 4), layer)


def test_scaled():
    assert zoo.corruption.Gaussian(0.4).scaled(0.5).describe() == {"type": "Gaussian", "stddev": 0.2}
    assert zoo.corruption.Masking(0.8, block=3).scaled(1.5).describe() == {"type": "Masking", "rate": 1.0, "block": 3}
    assert zoo.corruption.Stroke(0.7).scaled(1.5).amount == 1
    assert zoo.corruption.Blur(1.0).scaled(1.5).amount == 1
    assert zoo.corruption.Contrast(0.8, 0.9).scaled(1.5).get_config() == {"contrast": 1, "brightness": 1}
    assert zoo.corruption.Elastic(2, points=3).scaled(0.5).get_config() == {"strength": 1, "points": 3}
    assert zoo.corruption.Affine(20, 2, 0.1, 0.4).scaled(2).get_config() == {
        "rotation": 40,
        "shift": 4,
        "scale": 0.2,
        "shear": 0.8,
    }


@pytest.mark.parametrize("samples", [5, 6, 7])
def test_masking_where_as_many_samples_as_a_block_is_wide(samples):
    masked = np.asarray(zoo.corruption.Masking(0.4, block=6)(np.ones((samples, 30, 32, 1), "float32"), training=True))
    blocks = masked[:, :30, :30, 0].reshape(samples, 5, 6, 5, 6)
    assert (blocks == blocks[:, :, :1, :, :1]).all()
    assert 0.3 < masked.mean() < 0.9
