"""How much of a corruption a denoiser removes, at three strengths of the corruption that it was trained on."""

import keras

from zoo.core.batches import forward
from zoo.evaluation.reconstruction import peak_signal_to_noise_ratio, signal_to_noise_ratio

LEVELS = {"low": 0.5, "medium": 1.0, "high": 1.5}
_BATCH_SIZE = 500  # the random numbers of a corruption depend on it, and so do the numbers of the cards


def gains(model, x):
    """Signal-to-noise ratio in decibels of corrupted samples and of their reconstructions, against clean ones.

    "psnr" relates the noise to the range [0, 1], "snr" to the samples themselves.
    "medium" is the corruption of the training, "low" half and "high" one and a half times as strong. Arguments as
    `restore`.
    """
    results = {}
    for seed, (level, factor) in enumerate(LEVELS.items()):
        corrupted, denoised = restore(model, x, factor, seed)
        for state, samples in (("corrupted", corrupted), ("denoised", denoised)):
            results[f"psnr_{state}_{level}"] = peak_signal_to_noise_ratio(x, samples)
            results[f"snr_{state}_{level}"] = signal_to_noise_ratio(x, samples)
    return results


def restore(model, x, factor=1.0, seed=0):
    """Corrupt samples as in training, `factor` times as strongly, and reconstruct them; both as the model's target is.

    Args:
        model: a denoising Autoencoder.
        x: float32 array (samples, *target_shape), preprocessed: `Autoencoder.target`.
        factor: strength of the corruption, 1 as in training.
        seed: seed of the corruption.

    Returns:
        (corrupted, reconstructions), arrays of the shape of `x`.
    """
    layers = [corruption.scaled(factor) for corruption in model.corruption]
    for number, layer in enumerate(layers):
        layer.random = keras.random.SeedGenerator(1000 * seed + number)

    def corrupt(batch):
        for layer in layers:
            batch = layer(batch, training=True)
        return batch

    corrupted = forward(corrupt, x, _BATCH_SIZE)
    encoder = model.behind_preprocessing()
    return corrupted, forward(lambda batch: model.decoder(encoder(batch)), corrupted, _BATCH_SIZE)
