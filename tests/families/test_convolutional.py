import itertools
import math

import keras
import numpy as np
import pytest

import zoo
from tests.base import ZooTest
from zoo.core.errors import ConfigError


def _parameters(input_shape, latent_dim, filters, feature_maps, kernel=3):
    """Parameters of a convolutional autoencoder, counted layer by layer."""
    window = kernel ** (len(input_shape) - 1)
    channels = [input_shape[-1], *filters]
    total = sum(window * a * b + b for a, b in itertools.pairwise(channels))
    upward = [filters[-1], *reversed(filters)]
    total += sum(window * a * b + b for a, b in itertools.pairwise(upward))
    total += window * filters[0] * input_shape[-1] + input_shape[-1]
    if latent_dim is not None:
        features = math.prod(feature_maps)
        total += features * latent_dim + latent_dim + latent_dim * features + features
    return total


class TestConvolutional(ZooTest):
    @pytest.mark.parametrize(
        ("input_shape", "arguments", "feature_maps"),
        [
            ((28, 28, 1), {}, (7, 7, 6)),
            ((27, 31, 3), {}, (7, 8, 6)),
            ((27, 31, 2), {"strides": 1}, (27, 31, 6)),
            ((9, 10, 1), {"padding": "valid"}, (1, 1, 6)),
            ((10, 9, 1), {"padding": "valid", "strides": 1, "kernel_size": 2}, (8, 7, 6)),
            ((65, 2), {}, (17, 6)),
            ((64, 1), {"strides": 3, "padding": "valid"}, (7, 6)),
        ],
    )
    def test_any_size(self, input_shape, arguments, feature_maps):
        self.run_builder_test(
            lambda: zoo.convolutional(input_shape, 5, (4, 6), **arguments),
            input_shape=input_shape,
            latent_shape=(5,),
            parameters=_parameters(input_shape, 5, (4, 6), feature_maps, arguments.get("kernel_size", 3)),
        )

    def test_batch_normalization(self):
        # One normalisation per layer but the output: 4 parameters for each filter or unit, half of them trainable.
        normalised = 4 + 6 + 5 + 7 * 7 * 6 + 6 + 4
        plain = _parameters((28, 28, 1), 5, (4, 6), (7, 7, 6))
        self.run_builder_test(
            lambda: zoo.convolutional((28, 28, 1), 5, (4, 6), batch_normalization=True),
            input_shape=(28, 28, 1),
            latent_shape=(5,),
            parameters=plain + 4 * normalised,
            trainable=plain + 2 * normalised,
        )

    def test_spatial_latent(self):
        self.run_builder_test(
            lambda: zoo.convolutional((27, 31, 3), None, (4, 6)),
            input_shape=(27, 31, 3),
            latent_shape=(7, 8, 6),
            parameters=_parameters((27, 31, 3), None, (4, 6), None),
        )

    @pytest.mark.parametrize(
        ("input_shape", "latent_dim", "arguments"),
        [
            ((28, 28, 1), 5, {}),
            ((27, 31, 3), None, {"kernel_size": 6}),
            ((33, 2), 5, {"batch_normalization": True}),
            ((10, 9, 1), 4, {"padding": "valid", "strides": 1}),
        ],
    )
    def test_tied_weights_are_one_variable_and_need_no_closing_convolution(self, input_shape, latent_dim, arguments):
        def build():
            return zoo.convolutional(input_shape, latent_dim, (4, 6), tied_weights=True, **arguments)

        model = build()
        kernels = [w for w in model.encoder.weights if w.path.endswith("kernel")]
        assert {id(w) for w in kernels} == {id(w) for w in model.decoder.weights if w.path.endswith("kernel")}
        biases = [4, 6, 4, input_shape[-1]] + ([latent_dim, math.prod(kernels[-1].shape[:1])] if latent_dim else [])
        normalised = sum(biases) - input_shape[-1] if arguments.get("batch_normalization") else 0
        parameters = sum(math.prod(w.shape) for w in kernels) + sum(biases) + 2 * normalised
        self.run_builder_test(
            build,
            input_shape=input_shape,
            latent_shape=model.latent_shape,
            parameters=parameters + 2 * normalised,
            trainable=parameters,
        )

    @pytest.mark.parametrize("padding", ["same", "valid"])
    @pytest.mark.parametrize("input_shape", [(12, 16, 3), (20, 2)])
    def test_tied_linear_decoder_is_the_adjoint(self, input_shape, padding):
        """⟨g(x), z⟩ = ⟨x, f(z)⟩ for every x and z, which only the transpose of a linear g fulfils."""
        linear = {"activation": "linear", "output_activation": "linear"}
        model = zoo.convolutional(
            input_shape, None, (4, 5), kernel_size=4, padding=padding, tied_weights=True, **linear
        )
        random = np.random.default_rng(0)
        x = random.random((3, *input_shape)).astype("float32")
        z = random.normal(size=(3, *model.latent_shape)).astype("float32")
        encoded, decoded = model.encode(x) * z, x * model.decode(z)
        np.testing.assert_allclose(encoded.reshape(3, -1).sum(1), decoded.reshape(3, -1).sum(1), rtol=1e-4)

    @pytest.mark.parametrize(("input_shape", "maps"), [((32, 28, 3), (2, 2)), ((70, 2), (5,))])
    def test_pooling_averages_the_maps_and_is_undone(self, input_shape, maps):
        self.run_builder_test(
            lambda: zoo.convolutional(input_shape, None, (4,), pooling=7),
            input_shape=input_shape,
            latent_shape=(*maps, 4),
            parameters=_parameters(input_shape, None, (4,), None) + 7 ** len(maps) * 4 * 4 + 4,
        )
        model = zoo.convolutional(input_shape, None, (4,), pooling=7)
        x = zoo.data.samples_like(input_shape, 3)
        before = keras.Model(model.encoder.input, model.encoder.get_layer("pooling").input)(x).numpy()
        first = before[(slice(None), *[slice(0, 7)] * len(maps))].mean(axis=tuple(range(1, 1 + len(maps))))
        np.testing.assert_allclose(model.encode(x)[(slice(None), *[0] * len(maps))], first, atol=1e-6)

    def test_the_papers_denoiser_has_47425_parameters_and_its_feature_maps(self):
        model = zoo.convolutional((28, 28, 1), None, (64, 32), strides=1, padding="valid", latent_activation="relu")
        assert model.count_params() == 47_425
        maps = [layer.output.shape[1:] for half in (model.encoder, model.decoder) for layer in half.layers[1:]]
        assert maps == [(26, 26, 64), (24, 24, 32), (26, 26, 32), (28, 28, 64), (28, 28, 1)]

    @pytest.mark.parametrize(
        ("input_shape", "arguments", "message"),
        [
            ((784,), {}, r"takes \(height, width, channels\) or \(length, channels\). Received: input_shape=\(784,\)"),
            ((28, 28, 1), {"latent_dim": 0}, "latent_dim must be a whole number of at least 1"),
            ((28, 28, 1), {"filters": ()}, "at least one convolution"),
            ((28, 28, 1), {"padding": "full"}, "padding must be 'same' or 'valid'. Received: padding='full'"),
            ((28, 28, 1), {"pooling": 8}, r"too small to pool: they are \(7, 7\). Received: pooling=8"),
            ((28, 28, 1), {"pooling": 2, "tied_weights": True}, "Pooling has no weights to tie"),
            ((6, 6, 1), {"padding": "valid"}, r"too small: convolution 2 of 2 sees \(2, 2\) with kernel_size=3"),
        ],
    )
    def test_bad_arguments(self, input_shape, arguments, message):
        with pytest.raises(ConfigError, match=message):
            zoo.convolutional(input_shape, **{"latent_dim": 4, "filters": (4, 6), **arguments})
