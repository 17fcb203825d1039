"""E9 and E10: denoising with a dense and with a convolutional network."""

import math

import keras
import numpy as np

import zoo
from paper import figures
from paper.common import Row, noisy, pixels

_BATCH, _SHARE = 150, 0.2


def e9(directory, epochs=30):
    """(784, 32, 784): noisy input, clean target, drawn once; erratum 10."""
    keras.utils.set_random_seed(1)
    model = zoo.feed_forward((784,), 32)
    model.compile(keras.optimizers.Adam(1e-3), "binary_crossentropy")
    history = fit(model, noisy("train"), pixels("mnist", "train")[0], epochs)
    figures.images(directory / "denoising_dense.png", _pictures(model, (784,)))
    outside = float(np.mean((noisy("train") < 0) | (noisy("train") > 1)))
    values = history["loss"][-1], history["val_loss"][-1]
    rows = [
        Row("E9", f"dense denoiser, {split} BCE", "picture", author, value, -np.inf, float(author) * 1.03)
        for split, author, value in zip(("training", "validation"), ("0.1281", "0.1301"), values, strict=True)
    ]
    return rows, (
        f"Erratum 10: {outside:.0%} of the noisy pixels lie outside [0, 1]; the noise has a standard deviation of"
        " 0.55 and is not clipped.\n\n![Digits denoised by the dense network](paper/denoising_dense.png)"
    )


def e10(directory, epochs, dense_validation, state):
    """The un-strided convolutional denoiser with max-norm kernels; erratum 7. `state` keeps its epochs."""
    keras.utils.set_random_seed(1)
    model = zoo.convolutional((28, 28, 1), None, (64, 32), strides=1, padding="valid", latent_activation="relu")
    for layer in [*model.encoder.layers, *model.decoder.layers]:
        if hasattr(layer, "kernel"):
            layer.kernel.assign(keras.initializers.HeUniform()(layer.kernel.shape))
            layer.kernel.constraint = keras.constraints.MaxNorm(2.0)
    model.compile(keras.optimizers.Adam(1e-3), "binary_crossentropy", jit_compile="auto")
    shape = (-1, 28, 28, 1)
    history = fit(
        model,
        noisy("train").reshape(shape),
        pixels("mnist", "train")[0].reshape(shape),
        epochs,
        state / "e10",
        verbose=2,
    )
    figures.images(directory / "denoising_convolutional.png", _pictures(model, (28, 28, 1)))
    values = history["loss"][-1], history["val_loss"][-1]
    latent = math.prod(model.latent_shape)
    counted = model.count_params()
    rows = [Row("E10", "parameters of the convolutional denoiser", "47,425", "47425", counted, 47425, 47425, ".0f")]
    for split, author, value in zip(("training", "validation"), ("0.0959", "0.0970"), values, strict=True):
        quantity = f"convolutional denoiser, {split} BCE, {epochs} epochs"
        rows.append(Row("E10", quantity, "picture", f"{author}, 30 epochs", value, -np.inf, 0.8 * dense_validation))
    return rows, (
        "The band is E9's validation BCE less 20 %. Erratum 7: the latent map"
        f" {'×'.join(map(str, model.latent_shape))} holds {latent:,} values, {latent / 784:.1f} times the input: no"
        " bottleneck.\n\n![Digits denoised by the convolutional network](paper/denoising_convolutional.png)"
    )


def fit(model, x, y, epochs, backup=None, callbacks=(), verbose=0):
    """History of all epochs, of a training that goes on where it was interrupted if `backup` is a directory."""
    kept, log = round(len(x) * (1 - _SHARE)), None
    if backup is not None:
        backup.mkdir(parents=True, exist_ok=True)
        log = backup / "epochs.csv"
        recorded = keras.callbacks.CSVLogger(log, append=True)
        callbacks = [keras.callbacks.BackupAndRestore(backup / "state"), recorded, *callbacks]
    history = model.fit(
        x[:kept],
        y[:kept],
        batch_size=_BATCH,
        epochs=epochs,
        validation_data=(x[kept:], y[kept:]),
        callbacks=list(callbacks),
        verbose=verbose,
    ).history
    if log is None:
        return history
    table = np.genfromtxt(log, delimiter=",", names=True)
    return {name: np.atleast_1d(table[name]) for name in table.dtype.names}


def _pictures(model, shape):
    clean, corrupted = (array[:10].reshape(-1, *shape) for array in (pixels("mnist", "test")[0], noisy("test")))
    return {"original": clean, "noisy": corrupted, "denoised": np.asarray(model(corrupted, training=False))}
