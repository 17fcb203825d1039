"""How latent features of any shape are read."""

import numpy as np
import pytest

import zoo
from zoo.evaluation.context import features
from zoo.evaluation.features import feature_count


@pytest.mark.parametrize(
    ("shape", "filters", "expected"),
    [((16, 16, 1), 8, (4, 8)), ((17, 33, 1), 2, (4, 2)), ((600, 1), 3, (2, 3))],
)
def test_large_maps_are_averaged_over_halves_of_each_axis(shape, filters, expected):
    model = zoo.convolutional(shape, None, (filters,), strides=1)
    samples = zoo.data.Source(zoo.data.samples_like(shape, 6))
    read = features(model, samples)
    latent = model.encode(samples)
    assert read.shape == (6, int(np.prod(expected)))
    assert read.shape[1] == feature_count(model.latent_shape)
    first = latent[:, : -(-shape[0] // 2)]  # an odd axis has the longer half first
    first = first[:, :, : -(-shape[1] // 2)] if len(shape) == 3 else first
    np.testing.assert_allclose(
        read[:, :filters], first.mean(axis=tuple(range(1, first.ndim - 1))), atol=1e-6, err_msg="the first quadrant"
    )
    whole = latent.mean(axis=tuple(range(1, latent.ndim - 1)))
    if all(size % 2 == 0 for size in shape[:-1]):
        np.testing.assert_allclose(read.reshape(6, *expected).mean(axis=1), whole, atol=1e-6)


def test_all_others_are_flattened():
    model = zoo.convolutional((8, 8, 1), None, (5,))
    samples = zoo.data.Source(zoo.data.samples_like((8, 8, 1), 6))
    np.testing.assert_array_equal(features(model, samples), model.encode(samples).reshape(6, 80))
    assert feature_count((4, 4, 5)) == 80
    assert feature_count((5000,)) == 5000


def test_a_spatial_sparse_model_is_measured_as_it_is():
    """kNN and probe read averages; sparsity counts every unit, PCA has as many components."""
    model = zoo.sparse(zoo.convolutional((36, 36, 1), None, (4,), strides=2), zoo.sparsity.TopK(20))
    images = zoo.data.resize(zoo.data.load("digits", "test").samples, (36, 36, 1))
    results = zoo.evaluate(model, images, metrics=["active_units", "dead_fraction"])
    assert 1 <= results["active_units"] <= 20
    assert results["dead_fraction"] > 0
    latent = model.encode(images).reshape(len(images), -1)
    busy = np.abs(latent) > 0.01 * np.abs(latent).max()
    assert results["active_units"] == pytest.approx(busy.sum() / len(images), rel=1e-6)
