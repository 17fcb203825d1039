"""Errata whose evidence is a computation of its own: 8 and 9."""

import keras
import numpy as np

import zoo
from paper.common import pixels


def errata(directory):
    """Evidence for errata 8 and 9."""
    return [], f"{_second_derivative()}\n\n{_l2()}"


def _second_derivative():
    """The second derivative of the cross-entropy in x̃ at its minimum x̃ = x, by differences and by both formulas."""

    def cross_entropy(x, restored):
        return -(x * np.log(restored) + (1 - x) * np.log(1 - restored))

    x, step = 0.3, 1e-4
    measured = (cross_entropy(x, x + step) - 2 * cross_entropy(x, x) + cross_entropy(x, x - step)) / step**2
    numerator = x * (1 - x) ** 2 + (1 - x) * x**2
    right, printed = numerator / ((1 - x) ** 2 * x**2), numerator / ((1 - x**2) * x**2)
    return (
        f"Erratum 8: at x̃ = x = {x} the second derivative of the cross-entropy is {measured:.3f} by differences;"
        f" {right:.3f} with the denominator (1−x̃)²x̃², {printed:.3f} with the printed (1−x̃²)x̃²."
    )


def _l2():
    """Share of latent features near 0, linear latent: weight decay shrinks weights, L1 on features makes zeros."""
    shares, norms = {}, {}
    penalties = {"no penalty": 0.0, "l2 on the weights": 1e-4, "L1 on the features": 0.0}
    for name, weight in penalties.items():
        keras.utils.set_random_seed(1)
        model = zoo.feed_forward((784,), 64, latent_activation="linear")
        if name.startswith("L1"):
            model = zoo.sparse(model, zoo.sparsity.L1(0.1))
        for layer in (model.encoder.layers[-1], model.decoder.layers[-1]):
            layer.kernel_regularizer = keras.regularizers.L2(weight) if weight else None
            layer.kernel.regularizer = layer.kernel_regularizer
        model.compile(keras.optimizers.Adam(1e-3), "mse")
        model.fit(pixels("mnist", "train")[0], batch_size=256, epochs=10, verbose=0)
        latent = np.abs(model.encode(pixels("mnist", "test")[0]))
        shares[name] = float(np.mean(latent < 0.01 * latent.max()))
        norms[name] = float(np.linalg.norm(model.encoder.get_weights()[0]))
    shown = "; ".join(f"{name}: {shares[name]:.0%} (norm of the encoder's kernel {norms[name]:.0f})" for name in shares)
    return (
        "Erratum 9: the printed regularised loss has g(f(x)) where f(g(x)) is meant, and l2 on weights does not make"
        f" the features sparse. Share of 64 linear features below 1 % of the largest, after 10 epochs: {shown}."
    )
