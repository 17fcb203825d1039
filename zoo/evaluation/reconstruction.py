"""How well samples are reconstructed. All but PSNR and SSIM are means over every element of every sample."""

import numpy as np

from zoo.core.batches import forward

# Keras' own clipping, so that values agree with its BinaryCrossentropy.
_EPSILON = 1e-7
_SSIM_WINDOW = 11  # of Wang et al.; smaller images get the largest odd window that fits


def mean_squared_error(x, reconstruction):
    """⟨(x - x̃)²⟩ as float; `x`, `reconstruction`: arrays of the same shape."""
    return float(np.mean(np.square(x.astype("float64") - reconstruction)))


def binary_cross_entropy(x, reconstruction):
    """-⟨x log x̃ + (1 - x) log(1 - x̃)⟩ in nats as float; `x`, `reconstruction`: arrays in [0, 1] of the same shape."""
    p = np.clip(reconstruction.astype("float64"), _EPSILON, 1 - _EPSILON)
    return float(-np.mean(x * np.log(p) + (1 - x) * np.log1p(-p)))


def peak_signal_to_noise_ratio(x, reconstruction):
    """Mean over samples of -10 log₁₀ of each sample's mean squared error, in decibels, for values in [0, 1]."""
    errors = np.square(x.astype("float64") - reconstruction).reshape(len(x), -1).mean(axis=1)
    return float(np.mean(-10 * np.log10(np.maximum(errors, 1e-10))))


def signal_to_noise_ratio(x, reconstruction):
    """Mean over samples of 10 log₁₀ (Σx² / Σ(x - x̃)²), in decibels: of each sample's energy to that of its error."""
    energy = np.square(x.astype("float64")).reshape(len(x), -1).sum(axis=1)
    errors = np.square(x.astype("float64") - reconstruction).reshape(len(x), -1).sum(axis=1)
    return float(np.mean(10 * np.log10(np.maximum(energy, 1e-10) / np.maximum(errors, 1e-10))))


def structural_similarity(x, reconstruction):
    """Mean structural similarity (SSIM) of images (samples, height, width, channels) in [0, 1], as float of at most 1.

    Source: Wang et al., "Image Quality Assessment", IEEE Transactions on Image Processing 13 (2004).
    """
    import tensorflow as tf

    side = min(x.shape[1:3])
    window = min(_SSIM_WINDOW, side - 1 + side % 2)

    def similarity(indices):
        return tf.image.ssim(x[indices], reconstruction[indices], max_val=1.0, filter_size=window)

    return float(np.mean(forward(similarity, np.arange(len(x)))))


def explained_variance(x, reconstruction):
    """Share of the variance over the dataset that the reconstruction explains, as float of at most 1.

    1 - Σ(x - x̃)² / Σ(x - ⟨x⟩)², with the mean of each element over the samples.
    """
    from sklearn.metrics import r2_score

    x, reconstruction = x.reshape(len(x), -1), reconstruction.reshape(len(x), -1)
    return float(r2_score(x, reconstruction, multioutput="variance_weighted"))
