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
