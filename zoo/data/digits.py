"""The embedded dataset: 1,797 real handwritten digits, 8×8 pixels, that come with scikit-learn."""

import numpy as np

from zoo.data.source import Source

# Every fifth digit is held out: both parts then cover the whole file, which is ordered by writer.
_TEST_EVERY = 5


def load_digits(split):
    """The digits as a `Source`: float32 (samples, 8, 8, 1) in [0, 1]; splits "train" (1,438), "test" (359), "all".

    Source: E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI repository (the test part), as
    distributed by `sklearn.datasets.load_digits`; its 17 levels of grey are divided by 16.
    """
    from sklearn.datasets import load_digits as scikit_learn_digits

    data = scikit_learn_digits()
    held_out = np.arange(len(data.target)) % _TEST_EVERY == _TEST_EVERY - 1
    rows = {"train": ~held_out, "test": held_out, "all": slice(None)}[split]
    return Source(
        samples=(data.images / 16).astype("float32")[..., None][rows],
        labels=data.target.astype("int64")[rows],
        name="digits",
        split=split,
        version="scikit-learn",
        class_names=tuple(str(n) for n in data.target_names),
    )
