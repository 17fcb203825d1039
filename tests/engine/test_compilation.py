import warnings

import keras
import pytest

import zoo


@keras.saving.register_keras_serializable(package="test")
class NoXLA(keras.layers.Layer):
    def __init__(self):
        super().__init__(name="stubborn")
        self.supports_jit = False

    def call(self, x):
        return x


def _with_stubborn_layer():
    model = zoo.feed_forward((8, 8, 1), 4)
    encoder = keras.Model(model.encoder.input, NoXLA()(model.encoder.output), name="encoder")
    return zoo.Autoencoder(encoder, model.decoder)


def test_xla_is_on_by_default_and_stays_quiet():
    model = zoo.convolutional((8, 8, 1), 4)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.compile()
    assert model.jit_compile is True
    assert zoo.classifier(model.encoder, 3).jit_compile is True


def test_a_layer_in_the_way_is_named(digits):
    model = _with_stubborn_layer()
    with pytest.warns(UserWarning, match=r"trains without XLA: .* by layer 'stubborn' \(NoXLA\)"):
        model.compile()
    assert model.jit_compile is False
    model.fit(digits.samples[:32], verbose=0)
    with pytest.warns(UserWarning, match="'stubborn'"):
        assert zoo.classifier(model.encoder, 3).jit_compile is False


def test_switching_it_off_is_quiet():
    model = _with_stubborn_layer()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.compile(jit_compile=False)
    assert model.jit_compile is False
