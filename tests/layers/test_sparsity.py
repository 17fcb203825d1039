import keras
import numpy as np
import pytest
from scipy.special import rel_entr

import zoo
from zoo.layers.sparsity import KeepLargest

Z = np.random.default_rng(0).random((32, 10)).astype("float32")


@pytest.mark.parametrize(
    ("sparsity", "expected"),
    [
        (zoo.sparsity.L1(0.5), 0.5 * np.abs(Z).mean()),
        (zoo.sparsity.L2(0.5), 0.5 * (Z**2).mean()),
        (
            zoo.sparsity.KL(target=0.05, weight=2.0),
            2.0 * np.mean(rel_entr(0.05, Z.mean(axis=0)) + rel_entr(0.95, 1 - Z.mean(axis=0))),
        ),
    ],
)
def test_penalties_equal_numpy(sparsity, expected):
    np.testing.assert_allclose(float(sparsity.penalty(keras.ops.convert_to_tensor(Z))), expected, rtol=1e-5)


def test_kl_is_zero_at_the_target_and_sees_the_batch_mean_only():
    kl = zoo.sparsity.KL(target=0.25, weight=1.0)
    alternating = np.zeros((4, 3), "float32")
    alternating[0] = 1  # mean over the batch: 0.25 for each unit, though no single value is
    np.testing.assert_allclose(float(kl.penalty(keras.ops.convert_to_tensor(alternating))), 0, atol=1e-6)


def test_top_k_lets_no_tie_through():
    x = np.array([[3, 1, 3, 3, 0], [2, 2, 2, 2, 2], [-1, -2, -3, -4, -5]], "float32")
    kept = keras.ops.convert_to_numpy(KeepLargest(2)(x))
    np.testing.assert_array_equal(kept, [[3, 0, 3, 0, 0], [2, 2, 0, 0, 0], [-1, -2, 0, 0, 0]])


def test_top_k_passes_gradients_to_the_kept_units_only():
    import tensorflow as tf

    x = tf.Variable([[1.0, 5.0, 3.0]])
    with tf.GradientTape() as tape:
        y = tf.reduce_sum(KeepLargest(2)(x) * [[10.0, 20.0, 30.0]])
    np.testing.assert_array_equal(tape.gradient(y, x), [[0.0, 20.0, 30.0]])
