import numpy as np

from zoo.evaluation.representation import knn_accuracy
from zoo.exporting import task


def test_large_maps_are_read_as_zoo_evaluate_reads_them():
    """kNN of 20 × 20 × 3 maps: on the 12 means over the quadrants, every other sample as a query."""
    random = np.random.default_rng(0)
    labels = np.arange(60) // 20
    maps = random.normal(size=(60, 20, 20, 3)).astype("float32")
    maps[..., 0] += 0.1 * labels[:, None, None]
    means = maps.reshape(60, 2, 10, 2, 10, 3).mean(axis=(2, 4)).reshape(60, 12)
    expected = knn_accuracy(means[::2], labels[::2], means[1::2], labels[1::2])
    assert expected != knn_accuracy(*(part for i in (0, 1) for part in (maps[i::2].reshape(30, -1), labels[i::2])))
    assert task.metrics({"encode": maps}, {}, {}, None, labels=labels) == {"knn_accuracy": expected}
