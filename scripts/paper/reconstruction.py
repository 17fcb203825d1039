"""E1 to E4: reconstruction with q latent features, and two losses."""

import numpy as np

from paper import figures
from paper.common import Row, errors, pixels, trained

_AUTHOR = {8: 0.1639, 16: 0.1272, 64: 0.0726}


def e1_to_e3(directory):
    """Test cross-entropy after 30 epochs for q = 8, 16, 64."""
    rows, pictures = [], {"original": pixels("mnist", "test")[0][:10]}
    for number, (q, author) in enumerate(_AUTHOR.items(), start=1):
        model = trained("mnist", q)
        bce = errors(model, "mnist")[1]
        rows.append(
            Row(f"E{number}", f"(784, {q}, 784), test BCE", "picture", f"{author}", bce, -np.inf, author * 1.03)
        )
        pictures[f"q = {q}"] = model.reconstruct(pictures["original"])
    figures.images(directory / "reconstruction.png", pictures)
    return rows, "![MNIST digits reconstructed from 8, 16 and 64 latent features](paper/reconstruction.png)"


def e4(directory):
    """The same picture with mean squared error as the loss, q = 16, 10 epochs."""
    models = {loss: trained("mnist", 16, loss, epochs=10) for loss in ("binary_crossentropy", "mse")}
    values = {loss: errors(model, "mnist") for loss, model in models.items()}
    original = pixels("mnist", "test")[0][:10]
    figures.images(
        directory / "losses.png",
        {
            "original": original,
            "trained by BCE": models["binary_crossentropy"].reconstruct(original),
            "trained by MSE": models["mse"].reconstruct(original),
        },
    )
    mse = values["mse"][0]
    rows = [
        Row("E4", "q = 16 trained by MSE, 10 epochs, test MSE", "“also works”", "0.0230", mse, -np.inf, 0.0230 * 1.03)
    ]
    (bce_mse, bce_bce), (mse_mse, mse_bce) = values["binary_crossentropy"], values["mse"]
    return rows, (
        f"Trained by BCE: test MSE {bce_mse:.4f}, BCE {bce_bce:.4f}. Trained by MSE: {mse_mse:.4f}, {mse_bce:.4f}."
        "\n\n![The same digits reconstructed by networks trained with either loss](paper/losses.png)"
    )
