"""A few features that stand for many: greedy k-centre selection."""

import numpy as np

_PROJECTED = 24  # directions in which distances are compared, drawn at random


def k_centre(features: np.ndarray, size: int, random: np.random.Generator) -> np.ndarray:
    """Indices (size,) of features (n, d): each next one is the farthest from those before.

    Distances are those of a random projection, which keeps them approximately (Johnson and Lindenstrauss).

    Source: Sener and Savarese, "Active Learning for Convolutional Neural Networks: A Core-Set Approach", ICLR 2018, as
    used by Roth et al., CVPR 2022.
    """
    if features.shape[1] > _PROJECTED:
        features = features @ random.normal(size=(features.shape[1], _PROJECTED)).astype("float32")
    squares = np.square(features).sum(axis=1)
    nearest = np.full(len(features), np.inf, "float32")
    chosen = [int(random.integers(len(features)))]
    while len(chosen) < size:
        latest = chosen[-1]
        np.minimum(nearest, squares - 2 * (features @ features[latest]) + squares[latest], out=nearest)
        nearest[latest] = -1  # and stays so
        chosen.append(int(nearest.argmax()))
    return np.array(chosen)
