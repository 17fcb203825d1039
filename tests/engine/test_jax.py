"""Keras' JAX backend: the same calls, in Keras' own loop."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("jax", reason="JAX is not installed: pip install jax")

_CODE = """
import json, keras, numpy as np, zoo

assert keras.backend.backend() == "jax"
source = zoo.data.load("digits").part(0, 100)
x = source.pixels()
keras.utils.set_random_seed(0)
model = zoo.denoising(zoo.feed_forward((8, 8, 1), 8), zoo.corruption.Gaussian(0.1))
history = model.fit(source, epochs=3, validation_data=x, batch_size=32, verbose=0).history
error = float(model.reconstruction_error(x).mean())  # fine-tuning will change the encoder
classifier = zoo.classifier(model.encoder, 10)
tuned = zoo.fine_tune(classifier, source, head_epochs=10, epochs=2, verbose=0).history
pretrained = zoo.load("mnist-feed-forward-16")
print(json.dumps({
    "loss": history["loss"],
    "val_loss": history["val_loss"][-1],
    "error": error,
    "evaluate": model.evaluate(x, sample_weight=np.zeros(100), verbose=0),
    "difference": float(np.abs(model.predict(x, verbose=0) - model.reconstruct(x)).max()),
    "accuracy": tuned["accuracy"],
    "classified": classifier.predict(x, verbose=0).shape,
    "latent": pretrained.encode(zoo.data.resize(x, (28, 28, 1))).tolist(),
}))
"""


def test_the_methods_of_models():
    import zoo

    run = [sys.executable, "-c", _CODE]
    output = subprocess.check_output(run, env={**os.environ, "KERAS_BACKEND": "jax"}, text=True)
    result = json.loads(output.splitlines()[-1])
    assert result["loss"][2] < result["loss"][0]
    np.testing.assert_allclose(result["val_loss"], result["error"], rtol=1e-5)
    assert result["evaluate"] == 0
    assert result["difference"] < 1e-6
    assert result["accuracy"][-1] > 0.5
    assert result["classified"] == [100, 10]
    x = zoo.data.resize(zoo.data.load("digits").part(0, 100).pixels(), (28, 28, 1))
    np.testing.assert_allclose(result["latent"], zoo.load("mnist-feed-forward-16").encode(x), atol=1e-5)
