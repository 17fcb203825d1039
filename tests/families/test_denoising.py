import numpy as np
import pytest

import zoo
from tests.base import ZooTest
from zoo.core.errors import ConfigError, UnknownNameError

BACKBONES = {
    "feed_forward": lambda: zoo.feed_forward((28, 28, 1), 8),
    "convolutional": lambda: zoo.convolutional((28, 28, 1), 8, (4, 6)),
    "sparse": lambda: zoo.sparse(zoo.feed_forward((28, 28, 1), 30), zoo.sparsity.TopK(8)),
}
CORRUPTIONS = {
    "gaussian": zoo.corruption.Gaussian(0.2),
    "masking": zoo.corruption.Masking(0.3, block=4),
    "salt": zoo.corruption.SaltAndPepper(0.2),
    "affine": {"type": "Affine", "rotation": 10, "shift": 2},
    "several": [zoo.corruption.Affine(10, 2, 0.1, 0.1), {"type": "Gaussian", "stddev": 0.1}],
}


class TestDenoising(ZooTest):
    @pytest.mark.parametrize("corruption", CORRUPTIONS)
    @pytest.mark.parametrize("backbone", BACKBONES)
    def test_every_backbone_and_corruption(self, backbone, corruption):
        plain = BACKBONES[backbone]()
        self.run_builder_test(
            lambda: zoo.denoising(BACKBONES[backbone](), CORRUPTIONS[corruption]),
            input_shape=(28, 28, 1),
            latent_shape=plain.latent_shape,
            parameters=plain.count_params(),
        )

    def test_corruption_acts_in_training_only_and_is_not_in_the_encoder(self, mnist_like):
        backbone = zoo.feed_forward((28, 28, 1), 8)
        model = zoo.denoising(backbone, zoo.corruption.Gaussian(0.5))
        x = mnist_like[:16]
        assert model.encoder is backbone.encoder
        np.testing.assert_array_equal(model.reconstruct(x), backbone.reconstruct(x))
        np.testing.assert_array_equal(model(x, training=False), backbone(x, training=False))
        first, second = (np.asarray(model(x, training=True)) for _ in range(2))
        assert np.abs(first - second).max() > 1e-3, "the noise is not fresh"
        assert np.abs(first - model.reconstruct(x)).max() > 1e-3, "training sees clean input"
        assert {type(layer).__name__ for layer in model.encoder.layers} == {"InputLayer", "Flatten", "Dense"}

    def test_the_target_is_the_clean_input(self, mnist_like):
        """With a model that cannot change (learning rate 0) the training loss is that of corrupted → clean."""
        import keras

        keras.utils.set_random_seed(0)
        model = zoo.denoising(zoo.feed_forward((28, 28, 1), 8), zoo.corruption.Masking(1.0))
        model.compile(keras.optimizers.SGD(0.0))
        x = mnist_like[:64]
        loss = model.fit(x, batch_size=64, verbose=0).history["loss"][0]
        black = model.reconstruct(np.zeros_like(x))
        np.testing.assert_allclose(loss, np.mean((black - x) ** 2), rtol=1e-5)

    def test_bad_arguments(self):
        backbone = zoo.feed_forward((784,), 8)
        with pytest.raises(
            ConfigError, match=r"Affine corruption needs images .* Received a backbone with input_shape"
        ):
            zoo.denoising(backbone, zoo.corruption.Affine(rotation=10))
        with pytest.raises(UnknownNameError, match="Unknown corruption type 'Gausian'. Did you mean 'Gaussian'"):
            zoo.denoising(backbone, {"type": "Gausian", "stddev": 1})
        with pytest.raises(UnknownNameError, match="Unknown argument of corruption 'Gaussian' 'sigma'"):
            zoo.denoising(backbone, {"type": "Gaussian", "sigma": 1})
        with pytest.raises(ConfigError, match="Corruption 'Gaussian': .*stddev"):
            zoo.denoising(backbone, {"type": "Gaussian"})
        with pytest.raises(ConfigError, match="at least one corruption"):
            zoo.denoising(backbone, [])
        with pytest.raises(ConfigError, match=r"rate must be a number in \[0, 1\]. Received: rate=1.5"):
            zoo.corruption.Masking(1.5)
        with pytest.raises(ConfigError, match="denoising autoencoder already"):
            zoo.denoising(zoo.denoising(backbone, zoo.corruption.Gaussian(0.1)), zoo.corruption.Gaussian(0.1))
        with pytest.raises(ConfigError, match="backbone must be an Autoencoder or its config"):
            zoo.denoising(backbone.encoder, zoo.corruption.Gaussian(0.1))
