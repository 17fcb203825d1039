import keras
import numpy as np
import pytest

import zoo
from tests.base import ZooTest
from zoo.core.errors import ConfigError, UnknownNameError


class TestFeedForward(ZooTest):
    @pytest.mark.parametrize("latent_dim", [8, 16, 64])
    def test_the_papers_models_have_1569_q_plus_784_parameters(self, latent_dim):
        self.run_builder_test(
            lambda: zoo.feed_forward((28, 28, 1), latent_dim),
            input_shape=(28, 28, 1),
            latent_shape=(latent_dim,),
            parameters=1569 * latent_dim + 784,
        )

    def test_deep_on_vectors(self):
        self.run_builder_test(
            lambda: zoo.feed_forward((784,), 16, (64, 32), activation="elu", latent_activation="linear"),
            input_shape=(784,),
            latent_shape=(16,),
            parameters=784 * 64 + 64 + 64 * 32 + 32 + 32 * 16 + 16 + 16 * 32 + 32 + 32 * 64 + 64 + 64 * 784 + 784,
        )

    def test_tied_weights_are_one_variable(self):
        def build():
            return zoo.feed_forward((28, 28, 1), 8, (32,), tied_weights=True)

        self.run_builder_test(
            build,
            input_shape=(28, 28, 1),
            latent_shape=(8,),
            parameters=784 * 32 + 32 + 32 * 8 + 8 + 32 + 784,
        )
        model = build()
        kernels = [w for w in model.encoder.weights if len(w.shape) == 2]
        tied = [w for w in model.decoder.weights if len(w.shape) == 2]
        assert len(kernels) == len(tied) == 2
        assert {id(w) for w in kernels} == {id(w) for w in tied}
        z = np.ones((1, 8), "float32")
        before = model.decode(z)
        kernels[0].assign(kernels[0] * 2)
        assert not np.array_equal(model.decode(z), before)

    def test_tied_linear_decoder_is_the_transpose(self, digits):
        model = zoo.feed_forward(
            (8, 8, 1), 5, tied_weights=True, latent_activation="linear", output_activation="linear"
        )
        x = digits.samples[:10]
        w = model.encoder.layers[-1].kernel.numpy()
        expected = (x.reshape(10, 64) @ w @ w.T).reshape(x.shape)
        np.testing.assert_allclose(model.reconstruct(x), expected, atol=1e-5)

    def test_batch_normalization_is_the_mlperf_tiny_network(self):
        self.run_builder_test(
            lambda: zoo.feed_forward(
                (640,),
                8,
                (128,) * 4,
                batch_normalization=True,
                latent_activation="relu",
                output_activation="linear",
            ),
            input_shape=(640,),
            latent_shape=(8,),
            parameters=269_992,
            trainable=267_928,
        )

    def test_equals_plain_keras(self, digits):
        """The same network written with Keras alone trains to the same losses, step by step."""
        x = digits.samples[:256]
        keras.utils.set_random_seed(3)
        ours = zoo.feed_forward((8, 8, 1), 6, (20,))
        theirs = keras.Sequential(
            [
                keras.Input((8, 8, 1)),
                keras.layers.Flatten(),
                keras.layers.Dense(20, "relu"),
                keras.layers.Dense(6, "relu"),
                keras.layers.Dense(20, "relu"),
                keras.layers.Dense(64, "sigmoid"),
                keras.layers.Reshape((8, 8, 1)),
            ]
        )
        theirs.set_weights(ours.get_weights())
        theirs.compile("adam", "mse", jit_compile=True)
        arguments = {"epochs": 3, "batch_size": 64, "shuffle": False, "verbose": 0}
        expected = theirs.fit(x, x, **arguments).history["loss"]
        np.testing.assert_allclose(ours.fit(x, **arguments).history["loss"], expected, rtol=1e-5)

    @pytest.mark.parametrize(
        ("arguments", "error", "message"),
        [
            ({"latent_dim": 0}, ConfigError, "latent_dim must be a whole number of at least 1. Received: latent_dim=0"),
            ({"latent_dim": -3}, ConfigError, "Received: latent_dim=-3"),
            ({"latent_dim": 2.5}, ConfigError, "Received: latent_dim=2.5"),
            ({"latent_dim": 2, "hidden_units": (8, 0)}, ConfigError, r"hidden_units\[1\]"),
            (
                {"latent_dim": 2, "activation": "rellu"},
                UnknownNameError,
                "Unknown activation 'rellu'. Did you mean 'relu'",
            ),
        ],
    )
    def test_bad_arguments(self, arguments, error, message):
        with pytest.raises(error, match=message):
            zoo.feed_forward((64,), **arguments)
