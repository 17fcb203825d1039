import numpy as np
import pytest

import zoo
from tests.base import ZooTest
from zoo.core.errors import ConfigError, UnknownNameError

BACKBONES = {
    "feed_forward": lambda: zoo.feed_forward((28, 28, 1), 40, latent_activation="sigmoid"),
    "convolutional": lambda: zoo.convolutional((28, 28, 1), 40, (4, 6), latent_activation="sigmoid"),
    "spatial": lambda: zoo.convolutional((28, 28, 1), None, (4, 6), latent_activation="sigmoid"),
    "denoising": lambda: zoo.denoising(
        zoo.feed_forward((28, 28, 1), 40, latent_activation="sigmoid"), zoo.corruption.Gaussian(0.1)
    ),
}
SPARSITIES = {
    "L1": zoo.sparsity.L1(1e-3),
    "L2": {"type": "L2", "weight": 1e-3},
    "KL": zoo.sparsity.KL(target=0.1, weight=1e-3),
    "TopK": zoo.sparsity.TopK(7),
}


class TestSparse(ZooTest):
    @pytest.mark.parametrize("sparsity", SPARSITIES)
    @pytest.mark.parametrize("backbone", BACKBONES)
    def test_every_backbone_and_sparsity(self, backbone, sparsity):
        plain = BACKBONES[backbone]()
        self.run_builder_test(
            lambda: zoo.sparse(BACKBONES[backbone](), SPARSITIES[sparsity]),
            input_shape=(28, 28, 1),
            latent_shape=plain.latent_shape,
            parameters=plain.count_params(),
        )

    @pytest.mark.parametrize("k", [1, 7, 40])
    def test_top_k_keeps_exactly_k_and_the_largest(self, k, mnist_like):
        backbone = zoo.feed_forward((28, 28, 1), 40, latent_activation="sigmoid")
        model = zoo.sparse(backbone, zoo.sparsity.TopK(k))
        x = mnist_like[:50]
        dense, kept = backbone.encode(x), model.encode(x)
        assert (np.count_nonzero(kept, axis=1) == k).all()
        smallest = np.sort(dense, axis=1)[:, -k][:, None]
        np.testing.assert_array_equal(kept, np.where(dense >= smallest, dense, 0))

    def test_sparsity_lowers_activity(self, mnist_like):
        import keras

        def activity(weight):
            keras.utils.set_random_seed(0)
            model = zoo.sparse(zoo.feed_forward((28, 28, 1), 64), zoo.sparsity.L1(weight))
            model.fit(mnist_like[:512], epochs=15, batch_size=64, verbose=0)
            return np.abs(model.encode(mnist_like[:512])).mean()

        assert activity(0.1) < 0.2 * activity(0.0)

    def test_bad_arguments(self):
        backbone = zoo.feed_forward((784,), 8)
        with pytest.raises(ConfigError, match="cannot keep more units than there are: k=9, latent units=8"):
            zoo.sparse(backbone, zoo.sparsity.TopK(9))
        with pytest.raises(ConfigError, match="k must be a whole number of at least 1. Received: k=0"):
            zoo.sparsity.TopK(0)
        with pytest.raises(ConfigError, match=r"target must be a number in \(0, 1\)"):
            zoo.sparsity.KL(target=1.0, weight=0.1)
        with pytest.raises(UnknownNameError, match="Unknown sparsity type 'TopKK'. Did you mean 'TopK'"):
            zoo.sparse(backbone, {"type": "TopKK", "k": 3})
        with pytest.raises(ConfigError, match="sparse autoencoder already"):
            zoo.sparse(zoo.sparse(backbone, zoo.sparsity.L1(0.1)), zoo.sparsity.L1(0.1))
        with pytest.warns(UserWarning, match="KL sparsity needs latent features in .* latent_activation='sigmoid'"):
            zoo.sparse(backbone, zoo.sparsity.KL(0.1, 0.1))
