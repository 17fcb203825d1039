import numpy as np
import pytest

import zoo
from zoo.core.errors import ConfigError
from zoo.recipes.latent_scale import normalize_latent


@pytest.mark.parametrize("activation", ["relu", "linear"])
@pytest.mark.parametrize("batch_normalization", [False, True])
@pytest.mark.parametrize("hidden_units", [(), (12,)])
def test_changes_the_scale_and_no_bit_of_the_reconstruction(digits, activation, hidden_units, batch_normalization):
    arguments = {"latent_activation": activation, "batch_normalization": batch_normalization}
    model = zoo.feed_forward((8, 8, 1), 6, hidden_units, **arguments)
    x = digits.samples
    model.fit(x[:200], epochs=2, verbose=0)
    for weight in [layer for layer in model.encoder.layers if layer.weights][-1].trainable_weights:
        weight.assign(weight * 37)
    latent, reconstruction = model.encode(x), model.reconstruct(x)
    scale = normalize_latent(model, x)
    assert scale > 1
    np.testing.assert_array_equal(model.encode(x) * np.float32(scale), latent)
    assert 0.5 < np.abs(model.encode(x)).max() <= 1
    np.testing.assert_array_equal(model.reconstruct(x), reconstruction)


@pytest.mark.parametrize("arguments", [{"latent_activation": "sigmoid"}, {"tied_weights": True}])
def test_refuses_what_it_would_change(digits, arguments):
    model = zoo.feed_forward((8, 8, 1), 6, **arguments)
    with pytest.raises(ConfigError, match="normalize_latent needs an untied dense latent layer"):
        normalize_latent(model, digits.samples)
