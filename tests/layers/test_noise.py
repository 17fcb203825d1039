"""Statistics of the noise. Seeds are fixed; a sound generator would pass with fresh ones all but once in a million."""

import functools

import keras
import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

import zoo
from zoo.layers import noise

_UNLIKELY = 1e-7  # for each of several comparisons
_SIZE = 2**18
_SEEDS = (0, 1, 2, 3, 2**31 - 1)  # neighbours, which a weak hash would relate, and the largest


def _draw(function, shape, seed, **bounds):
    generator = keras.random.SeedGenerator(seed)
    return function(shape, generator, **bounds).numpy()


@functools.cache
def _numbers(function, seed, draws=3):
    """float64 (draws, _SIZE) of one generator; normal numbers as their probabilities, so that all are uniform."""
    generator = keras.random.SeedGenerator(seed)
    numbers = np.stack([function((_SIZE,), generator).numpy() for _ in range(draws)]).astype("float64")
    return scipy.stats.norm.cdf(numbers) if function is noise.normal else numbers


def _assert_independent(first, second):
    """The joint distribution of pairs is uniform on a 16 × 16 grid, which holds nonlinear relations as well."""
    counts, _, _ = np.histogram2d(first.ravel(), second.ravel(), bins=16, range=[[0, 1], [0, 1]])
    expected = first.size / 256
    assert np.square(counts - expected).sum() / expected < scipy.stats.chi2.ppf(1 - _UNLIKELY, 255)


@pytest.mark.parametrize("function", [noise.uniform, noise.normal])
class TestDistribution:
    @pytest.mark.parametrize("seed", _SEEDS)
    def test_kolmogorov_smirnov(self, function, seed):
        for numbers in _numbers(function, seed):
            assert scipy.stats.kstest(numbers, "uniform").pvalue > _UNLIKELY

    def test_moments(self, function):
        """Each mean of powers within 5.5 standard errors, whose probability is 4e-8."""
        numbers = np.concatenate([_draw(function, (_SIZE,), seed) for seed in _SEEDS]).astype("float64")
        law = scipy.stats.norm if function is noise.normal else scipy.stats.uniform
        for power in (1, 2, 3, 4):
            error = np.sqrt((law.moment(2 * power) - law.moment(power) ** 2) / len(numbers))
            assert abs(np.mean(numbers**power) - law.moment(power)) < 5.5 * error, power

    def test_successive_numbers_and_samples(self, function):
        """Lags of the flat order: neighbouring pixels, rows of 8 and 28, samples of 64 and 784."""
        numbers = _numbers(function, 0)[0]
        for lag in (1, 2, 3, 8, 28, 64, 256, 784, 4096):
            correlation = np.corrcoef(numbers[:-lag], numbers[lag:])[0, 1]
            assert abs(correlation) < 5.5 / np.sqrt(_SIZE - lag), lag
            _assert_independent(numbers[:-lag], numbers[lag:])

    def test_successive_draws_and_neighbouring_seeds(self, function):
        streams = [numbers for seed in _SEEDS for numbers in _numbers(function, seed)]
        for i, first in enumerate(streams):
            for second in streams[:i]:
                _assert_independent(first, second)
                assert not np.isin(first[:64], second).all(), "one is a shifted copy of the other"

    def test_many_short_draws(self, function):
        """Two numbers from each of many draws, and from each of many seeds: keys are as random as counters."""
        generator = keras.random.SeedGenerator(5)

        @tf.function(jit_compile=True)
        def draw(states):
            def one(state):
                generator.state.assign(state)
                return function((2,), generator)

            return tf.map_fn(one, states, tf.float32)

        count = np.arange(30_000)
        for states in (np.stack([0 * count + 5, count], axis=1), np.stack([count, 0 * count], axis=1)):
            pair = draw(tf.constant(states, generator.state.dtype)).numpy().astype("float64").T
            np.testing.assert_allclose(pair[:, 5], _draw(function, (2,), 5) if states[0, 0] == 0 else pair[:, 5])
            if function is noise.normal:
                pair = scipy.stats.norm.cdf(pair)
            for numbers in (*pair, (pair[0, 1:] - pair[0, :-1]) % 1, (pair[0] - pair[1]) % 1):
                assert scipy.stats.kstest(numbers, "uniform").pvalue > _UNLIKELY

    def test_seeds_repeat(self, function):
        first, again, other = (_draw(function, (5, 7), seed) for seed in (4, 4, 5))
        np.testing.assert_array_equal(first, again)
        assert (first != other).all()

    def test_compiled_and_eager_agree(self, function):
        """Also with a first axis that is known only when it runs."""
        expected = _draw(function, (6, 5, 3), 9)
        for jit_compile in (True, False):
            generator = keras.random.SeedGenerator(9)

            @tf.function(jit_compile=jit_compile)
            def draw(x, generator=generator):
                return function((tf.shape(x)[0], 5, 3), generator)

            np.testing.assert_allclose(draw(tf.zeros((6, 1))), expected, rtol=1e-6)
            assert not np.isclose(draw(tf.zeros((6, 1))), expected).any(), "the second call draws anew"

    @pytest.mark.parametrize("jit_compile", [True, False])
    def test_every_iteration_of_a_loop_draws_anew(self, function, jit_compile):
        generator = keras.random.SeedGenerator(3)

        @tf.function(jit_compile=jit_compile)
        def loop():
            return tf.while_loop(
                lambda i, rows: i < 50,
                lambda i, rows: (i + 1, tf.tensor_scatter_nd_update(rows, [[i]], [function((40,), generator)])),
                (tf.constant(0), tf.zeros((50, 40))),
            )[1]

        reference = keras.random.SeedGenerator(3)
        expected = np.stack([function((40,), reference).numpy() for _ in range(50)])
        np.testing.assert_allclose(loop(), expected, rtol=1e-6)
        assert len(np.unique(expected)) > 1990  # of 2000; 24 bits repeat now and then


class TestBits:
    def test_every_byte_is_uniform(self):
        """All 32 bits, the low ones too: each byte takes its 256 values equally often, each bit is 1 half the time."""
        for seed in _SEEDS:
            bits = noise._bits((_SIZE,), keras.random.SeedGenerator(seed)).numpy()
            assert bits.dtype == np.uint32
            for place in range(4):
                counts = np.bincount((bits >> (8 * place)) & 255, minlength=256)
                assert scipy.stats.chisquare(counts).pvalue > _UNLIKELY
            ones = np.unpackbits(bits.view("uint8").reshape(-1, 4), axis=1).mean(axis=0)
            assert np.abs(ones - 0.5).max() < 5.5 * 0.5 / np.sqrt(_SIZE)

    def test_bits_do_not_follow_each_other(self):
        """Correlations of each bit with each bit of the next number, and of the same number."""
        bits = noise._bits((_SIZE,), keras.random.SeedGenerator(0)).numpy()
        signs = 2.0 * np.unpackbits(bits.view("uint8").reshape(-1, 4), axis=1) - 1
        same = signs.T @ signs / _SIZE - np.eye(32)
        following = signs[:-1].T @ signs[1:] / (_SIZE - 1)
        assert np.abs(same).max() < 6.5 / np.sqrt(_SIZE)  # of 1024 each
        assert np.abs(following).max() < 6.5 / np.sqrt(_SIZE)

    def test_draws_whose_counters_overlap(self):
        """Of some thousand draws, some begin within a few numbers of each other; they must not share what follows."""
        states = tf.constant(np.arange(2**17), "uint32")
        keys = noise._hash(noise._hash(tf.constant(7, "uint32")) + states).numpy().astype("int64")
        order = np.argsort(keys)
        gaps = np.diff(keys[order])
        generator = keras.random.SeedGenerator(7)
        for near in np.argsort(gaps)[:5]:
            gap, pair = int(gaps[near]), []
            assert 0 < gap < 50
            for number in order[near : near + 2]:
                generator.state.assign([7, int(number)])
                pair.append(noise.uniform((_SIZE,), generator).numpy())
            first, second = pair[0][gap:], pair[1][:-gap]
            assert (first == second).mean() < 1e-4
            _assert_independent(first, second)

    def test_ranges(self):
        numbers = _draw(noise.uniform, (_SIZE,), 0, low=-3.0, high=5.0)
        assert -3 <= numbers.min() < -2.999
        assert 4.999 < numbers.max() < 5
        normal = np.concatenate([_draw(noise.normal, (2**21,), seed) for seed in (0, 1)])
        for limit in (3.0, 4.0):  # the tails are there, and as heavy as they should be
            expected = 2 * scipy.stats.norm.sf(limit) * len(normal)
            assert abs((np.abs(normal) > limit).sum() - expected) < 5.5 * np.sqrt(expected)
        assert 4.3 < np.abs(normal).max() < 4.6


def _corrupted(corruption, x, calls=1):
    """What the encoder of a denoising autoencoder sees in `calls` successive compiled training steps."""
    backbone = zoo.feed_forward(x.shape[1:], 1)
    seen = keras.Model(backbone.encoder.input, backbone.encoder.input)
    model = zoo.Autoencoder(seen, seen, corruption=zoo.denoising(backbone, corruption).corruption)
    step = tf.function(lambda x: model(x, training=True), jit_compile=True)
    return np.stack([step(tf.constant(x)).numpy() for _ in range(calls)])


class TestCorruptions:
    """In `zoo.denoising`, compiled as in `fit`. Bounds are 5.5 standard errors."""

    x = np.full((500, 16, 16, 2), 0.5, "float32")

    @pytest.fixture(autouse=True)
    def _seed(self):
        keras.utils.set_random_seed(0)

    def test_gaussian(self):
        added = _corrupted(zoo.corruption.Gaussian(0.3), self.x)[0] - self.x
        assert abs(added.mean()) < 5.5 * 0.3 / np.sqrt(added.size)
        assert abs(added.var() - 0.09) < 5.5 * 0.09 * np.sqrt(2 / added.size)
        assert scipy.stats.kstest(added.ravel() / 0.3, "norm").pvalue > _UNLIKELY
        _assert_independent(*scipy.stats.norm.cdf([added[..., 0] / 0.3, added[..., 1] / 0.3]))  # channels

    @pytest.mark.parametrize("block", [1, 4])
    def test_masking(self, block):
        kept = _corrupted(zoo.corruption.Masking(0.3, block), self.x)[0] > 0
        np.testing.assert_array_equal(kept[..., 0], kept[..., 1])
        blocks = kept[:, ::block, ::block, 0]
        np.testing.assert_array_equal(kept[..., 0], blocks.repeat(block, axis=1).repeat(block, axis=2))
        assert abs(blocks.mean() - 0.7) < 5.5 * np.sqrt(0.21 / blocks.size)
        for axis in range(3):  # no sample and no position is spared more often than another
            rates = blocks.mean(axis=tuple({0, 1, 2} - {axis}))
            count = blocks.size / len(rates)
            assert np.abs(rates - 0.7).max() < 6.5 * np.sqrt(0.21 / count), axis

    def test_salt_and_pepper(self):
        y = _corrupted(zoo.corruption.SaltAndPepper(0.3), self.x)[0][..., 0]
        for value, rate in ((0.0, 0.15), (1.0, 0.15), (0.5, 0.7)):
            assert abs((y == value).mean() - rate) < 5.5 * np.sqrt(rate * (1 - rate) / y.size)

    def test_affine_shift(self):
        """A bright dot lands uniformly in [-3, 3] along each axis, independently."""
        x = np.zeros((20_000, 11, 11, 1), "float32")
        x[:, 5, 5] = 1
        y = _corrupted(zoo.corruption.Affine(shift=3), x)[0][..., 0]
        np.testing.assert_allclose(y.sum(axis=(1, 2)), 1, atol=1e-5)  # bilinear weights
        down, right = (y.sum(axis=axis) @ np.arange(11) - 5 for axis in (2, 1))
        for shift in (down, right):
            assert np.abs(shift).max() < 3.0001
            assert scipy.stats.kstest((shift + 3) / 6, "uniform").pvalue > _UNLIKELY
        _assert_independent((down + 3) / 6, (right + 3) / 6)

    def test_affine_rotation(self):
        """A dot right of the centre stays at its distance, and its angle is uniform in [-90°, 90°]."""
        x = np.zeros((20_000, 15, 15, 1), "float32")
        x[:, 7, 12] = 1
        y = _corrupted(zoo.corruption.Affine(rotation=90), x)[0][..., 0]
        y /= y.sum(axis=(1, 2), keepdims=True)
        down, right = (y.sum(axis=axis) @ np.arange(15) - 7 for axis in (2, 1))
        np.testing.assert_allclose(np.hypot(down, right), 5, atol=0.3)
        angle = np.degrees(np.arctan2(down, right))
        assert np.abs(angle).max() < 93
        counts, _ = np.histogram(angle, bins=9, range=(-90, 90))  # wider than the error of reading off the angle
        assert np.abs(counts / len(x) - 1 / 9).max() < 0.012

    @pytest.mark.parametrize(
        "corruption",
        [
            zoo.corruption.Gaussian(0.3),
            zoo.corruption.Masking(0.3),
            zoo.corruption.SaltAndPepper(0.3),
            zoo.corruption.Affine(20, 3, 0.1, 0.1),
        ],
        ids=lambda corruption: type(corruption).__name__,
    )
    def test_steps_samples_and_seeds(self, corruption, digits):
        x = np.repeat(digits.samples[:1], 20, axis=0)
        keras.utils.set_random_seed(1)
        steps = _corrupted(corruption.describe(), x, calls=3)
        images = steps.reshape(60, -1)
        assert len(np.unique(images, axis=0)) == 60, "each sample of each step is corrupted in its own way"
        keras.utils.set_random_seed(1)
        np.testing.assert_array_equal(_corrupted(corruption.describe(), x, calls=3), steps)
        keras.utils.set_random_seed(2)
        assert not np.array_equal(_corrupted(corruption.describe(), x, calls=3), steps)


@pytest.mark.parametrize(
    "shape", [(6, 5, 6), (32, 32, 32, 3), (3, 8, 8, 3), (28, 28, 28, 1), (4, 4), (2, 1, 2), (1, 3)]
)
def test_samples_differ_where_there_are_as_many_as_elements_along_an_axis(shape):
    """Keras adds (6, 1, 1) to (5, 6) as a bias, of shape (5, 6): all samples of a batch had one noise then."""
    drawn = np.asarray(noise.uniform(shape, keras.random.SeedGenerator(0)))
    assert drawn.shape == shape
    assert len(np.unique(drawn)) >= 0.99 * np.prod(shape)
