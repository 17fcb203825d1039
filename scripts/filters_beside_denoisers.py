#!/usr/bin/env python
"""Measure what the pretrained denoisers of heart beats gain beside classical filters: docs/ecg-denoising.md.

For each kind of noise alone and for their mixture, as strong as in the training of the models. What a filter is set to
(cut-off, width, components) is chosen on the training split for each kind of noise by itself, so a filter knows the
noise; the models do not. Reads mitbih_beats_180hz.npz in ZOO_DATA_DIR.
"""

import pathlib

import keras
import numpy as np
import scipy.signal
from scipy.ndimage import median_filter
from sklearn.decomposition import PCA

import zoo
from zoo.core.tables import markdown_table
from zoo.evaluation.reconstruction import signal_to_noise_ratio

PAGE = pathlib.Path(__file__).parents[1] / "docs" / "ecg-denoising.md"
MODELS = ("mitbih-denoising-noise-256", "mitbih-denoising-noise-32")
RATE = 180
KINDS = {
    "baseline wander": ("BaselineWander",),
    "mains": ("PowerLine",),
    "muscle noise": ("MuscleNoise",),
    "mixture": ("BaselineWander", "PowerLine", "MuscleNoise"),
}
CUT_OFFS = (10, 15, 20, 25, 30, 35, 40, 45, 50, 60, 70)  # Hz
WIDTHS = (37, 55, 73, 91, 109, 127)  # values
COMPONENTS = (4, 8, 12, 16, 24, 32, 48, 64)
STEP = 10  # every tenth beat, in the order of the patients


def low_pass(cut_off):
    sections = scipy.signal.butter(4, cut_off, fs=RATE, output="sos")
    return lambda x: scipy.signal.sosfiltfilt(sections, x, axis=1)


def median_and_low_pass(width, cut_off):
    smooth = low_pass(cut_off)
    return lambda x: centred(smooth(x - median_filter(x, (1, width), mode="nearest")))


def components(number, clean):
    pca = PCA(number, svd_solver="covariance_eigh").fit(clean)
    return lambda x: pca.inverse_transform(pca.transform(x))


def main():
    train, test = (centred(zoo.data.load("mitbih_beats", split).values()[::STEP]) for split in ("train", "test"))
    models = [zoo.load(name) for name in MODELS]
    filters = {
        "low-pass": {f"{f} Hz": low_pass(f) for f in CUT_OFFS},
        "moving median, low-pass": {
            f"{w / RATE:.2f} s, {f} Hz": median_and_low_pass(w, f) for w in WIDTHS for f in CUT_OFFS[2::2]
        },
        "PCA": {f"{k} components": components(k, train) for k in COMPONENTS},
    }
    table = {name: [] for name in (*MODELS, *filters)}
    for kind, layers in KINDS.items():
        noise = [layer for layer in models[0].corruption if type(layer).__name__ in layers]
        noisy = {
            split: corrupted(noise, x, seed) for seed, (split, x) in enumerate({"train": train, "test": test}.items())
        }
        for name, model in zip(MODELS, models, strict=True):
            table[name].append(f"{gain(test, noisy['test'], model.predict(noisy['test'], verbose=0)):.1f}")
        for name, settings in filters.items():
            gains = {key: gain(train, noisy["train"], function(noisy["train"])) for key, function in settings.items()}
            best = max(gains, key=gains.get)
            value = gain(test, noisy["test"], settings[best](noisy["test"]))
            table[name].append(f"{value:.1f} ({best})")
        print(kind, {name: row[-1] for name, row in table.items()}, flush=True)
    write(markdown_table(["", *KINDS], [[name, *row] for name, row in table.items()]), len(test))


def write(table, count):
    PAGE.write_text(
        "# Denoisers of heart beats beside filters\n\n"
        f"Gain of the signal-to-noise ratio in dB on {count:,} beats of MIT-BIH's DS2 (every {STEP}th), for each kind"
        " of noise alone and for all together, as strong as in the training. In brackets what a filter is set to: the"
        " best on the training split for that kind of noise. So filters know what noise comes; the pretrained models"
        " were trained on the mixture and take all kinds alike. Low-pass filters are Butterworth filters of order 4,"
        " forwards and backwards; the moving median is subtracted before.\n\n"
        f"{table}\n\n"
        "Choose by the noise that you have: where one kind prevails, a filter made for it may be better than a model"
        " and costs nothing.\n\nWritten by `scripts/filters_beside_denoisers.py`.\n",
        encoding="utf-8",
    )


def centred(beats):
    return beats - beats.mean(axis=1, keepdims=True)


def corrupted(layers, x, seed):
    """`x` with noise, mean removed as the models do it."""
    for number, layer in enumerate(layers):
        layer = layer.scaled(1.0)  # a new one, whose random numbers may be seeded
        layer.random = keras.random.SeedGenerator(1000 * seed + number)
        x = np.asarray(layer(x, training=True))
    return centred(x)


def gain(clean, noisy, restored):
    return signal_to_noise_ratio(clean, restored) - signal_to_noise_ratio(clean, noisy)


if __name__ == "__main__":
    main()
