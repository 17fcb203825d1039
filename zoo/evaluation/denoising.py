"""How much of a corruption a denoiser removes, at three strengths of the corruption that it was trained on."""

import keras
import numpy as np

from zoo.evaluation.reconstruction import peak_signal_to_noise_ratio

LEVELS = {"low": 0.5, "medium": 1.0, "high": 1.5}
_BATCH_SIZE = 500


def denoising_of(subject):
    """Peak signal-to-noise ratio in decibels of corrupted samples and of their reconstructions, against clean ones.

    "medium" is the corruption of the training, "low" half and "high" one and a half times as strong.
    """
    results = {}
    for seed, (level, factor) in enumerate(LEVELS.items()):
        corrupted, denoised = restore(subject.model, subject.pixels, factor, seed)
        results[f"psnr_corrupted_{level}"] = peak_signal_to_noise_ratio(subject.pixels, corrupted)
        results[f"psnr_denoised_{level}"] = peak_signal_to_noise_ratio(subject.pixels, denoised)
    return results


def restore(model, x, factor=1.0, seed=0):
    """Corrupt samples as in training, `factor` times as strongly, and reconstruct them.

    Args:
        model: a denoising Autoencoder.
        x: float32 array (samples, *input_shape).
        factor: strength of the corruption, 1 as in training.
        seed: seed of the corruption.

    Returns:
        (corrupted, reconstructions), arrays of the shape of `x`.
    """
    layers = [corruption.scaled(factor) for corruption in model.corruption]
    for number, layer in enumerate(layers):
        layer.random = keras.random.SeedGenerator(1000 * seed + number)
    corrupted, denoised = [], []
    for i in range(0, len(x), _BATCH_SIZE):
        batch = x[i : i + _BATCH_SIZE]
        for layer in layers:
            batch = layer(batch, training=True)
        corrupted.append(keras.ops.convert_to_numpy(batch))
        denoised.append(keras.ops.convert_to_numpy(model(batch, training=False)))
    return np.concatenate(corrupted), np.concatenate(denoised)
