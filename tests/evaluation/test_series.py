import numpy as np
import pytest

from zoo.core.errors import ConfigError, DataError
from zoo.evaluation.series import point_scores


def test_mean_over_the_windows_of_a_point():
    found = point_scores([1.0, 3.0, 8.0], 4, 2, 10)
    np.testing.assert_allclose(found, [1, 1, 2, 2, 5.5, 5.5, 8, 8, 8, 8])
    scores = np.random.default_rng(0).random(31)
    covering = [[s for w, s in enumerate(scores) if w * 3 <= point < w * 3 + 7] for point in range(97)]
    np.testing.assert_allclose(point_scores(scores, 7, 3, 97), [np.mean(c) for c in covering], rtol=1e-12)


def test_online_a_point_knows_only_windows_that_are_complete():
    found = point_scores([2.0, 1.0, 8.0], 4, 2, 10, online=True)
    np.testing.assert_array_equal(found, [1, 1, 1, 2, 2, 1, 1, 8, 8, 8])


def test_errors():
    with pytest.raises(DataError, match="Windows of 4 points, one every 5, must lie .* without gaps"):
        point_scores([1.0, 2.0], 4, 5, 20)
    with pytest.raises(DataError, match="in the series of 5 points"):
        point_scores([1.0, 2.0], 4, 2, 5)
    with pytest.raises(DataError, match=r"Received scores of shape \(0,\)"):
        point_scores([], 4, 2, 5)
    with pytest.raises(ConfigError, match="hop must be a whole number of at least 1"):
        point_scores([1.0], 4, 0, 5)
