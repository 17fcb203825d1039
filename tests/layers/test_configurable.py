"""Corruptions and sparsities of one's own: what they must do, and that all doors then take them."""

import json
from typing import ClassVar

import keras
import numpy as np
import pytest

import zoo
from zoo.core.errors import ConfigError, UnknownNameError
from zoo.evaluation.denoising import restore


class Dim(zoo.corruption.Corruption):
    """As Keras users write layers."""

    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def call(self, x, training=False):
        return x * self.factor if training else x


class Invert(zoo.corruption.Corruption):
    """Without arguments."""

    def corrupt(self, x):
        return 1 - x


class Shade(zoo.corruption.Corruption):
    limits: ClassVar = {"amount": 0.5}

    def __init__(self, *, amount=0.25, levels=(0.0, 1.0), steps=3, mode="linear"):
        super().__init__(amount=amount, levels=levels, steps=steps, mode=mode)

    def corrupt(self, x):
        return x - self.amount * self.uniform((keras.ops.shape(x)[0], *[1] * (len(x.shape) - 1)), *self.levels)


class DeepShade(Shade):
    """A subclass of a subclass, whose constructor is its parent's."""


class Variance(zoo.sparsity.Sparsity):
    def __init__(self, *, weight=2.0):
        self.weight = weight

    def penalty(self, latent):
        return self.weight * keras.ops.mean(keras.ops.var(latent, axis=0))


class NonNegative(zoo.sparsity.Sparsity):
    def constrain(self, latent):
        return keras.layers.ReLU()(latent)


class HalvedVariance(Variance):
    def penalty(self, latent):
        return super().penalty(latent) / 2


X = np.random.default_rng(0).random((32, 8, 8, 1), dtype="float32")


@pytest.mark.parametrize(
    ("corruption", "arguments", "scaled"),
    [
        (Dim(0.25), {"factor": 0.25}, {"factor": 0.375}),
        (Dim(3), {"factor": 3}, {"factor": 3}),
        (Invert(), {}, {}),
        (
            Shade(amount=0.4, steps=2),
            {"amount": 0.4, "levels": [0.0, 1.0], "steps": 2, "mode": "linear"},
            {"amount": 0.5, "levels": [0.0, 1.0], "steps": 2, "mode": "linear"},
        ),
        (
            DeepShade(),
            {"amount": 0.25, "levels": [0.0, 1.0], "steps": 3, "mode": "linear"},
            {"amount": 0.375, "levels": [0.0, 1.0], "steps": 3, "mode": "linear"},
        ),
    ],
)
def test_a_corruption_of_ones_own(corruption, arguments, scaled):
    model = zoo.denoising(zoo.feed_forward((8, 8, 1), 4), corruption)
    config = json.loads(json.dumps(model.get_config()))
    assert config["corruption"] == {"type": type(corruption).__name__, **arguments}
    again = zoo.from_config(config)
    assert type(again.corruption[0]) is type(corruption)
    assert again.corruption[0].describe() == corruption.describe()
    assert corruption.scaled(1.5).arguments() == scaled
    np.testing.assert_array_equal(np.asarray(corruption(X)), X)


def test_it_is_what_the_training_sees(tmp_path):
    """With a learning rate of 0 the loss is that of the corrupted input's reconstruction."""
    model = zoo.denoising(zoo.feed_forward((8, 8, 1), 4), [Dim(0.5), Invert()])
    model.compile(keras.optimizers.SGD(0.0))
    seen = model.reconstruct(1 - 0.5 * X)
    loss = model.fit(X, verbose=0).history["loss"][0]
    np.testing.assert_allclose(loss, np.mean((seen - X) ** 2), rtol=1e-5)
    assert abs(loss / np.mean((model.reconstruct(X) - X) ** 2) - 1) > 1e-4
    zoo.save(model, tmp_path, description="mine")
    assert [c.describe() for c in zoo.load(tmp_path).corruption] == [{"type": "Dim", "factor": 0.5}, {"type": "Invert"}]
    corrupted, restored = restore(model, X, factor=1.5)
    np.testing.assert_allclose(corrupted, 1 - 0.75 * X, rtol=1e-6)
    np.testing.assert_allclose(restored, model.reconstruct(1 - 0.75 * X), rtol=1e-5)


def test_a_penalty_of_ones_own_is_in_the_loss():
    for sparsity, share in ((Variance(), 1), (HalvedVariance(weight=3.0), 0.75)):
        model = zoo.sparse(zoo.feed_forward((8, 8, 1), 4, latent_activation="linear"), sparsity)
        penalty = share * 2 * model.encode(X).var(axis=0).mean()
        expected = model.reconstruction_error(X).mean() + penalty
        assert penalty > 0.01
        np.testing.assert_allclose(model.evaluate(X, verbose=0), expected, rtol=1e-5)
        assert zoo.from_config(json.loads(json.dumps(model.get_config()))).sparsity.describe() == sparsity.describe()


def test_a_constraint_of_ones_own():
    backbone = zoo.feed_forward((8, 8, 1), 4, latent_activation="linear")
    model = zoo.sparse(backbone, NonNegative())
    assert backbone.encode(X).min() < 0
    np.testing.assert_array_equal(model.encode(X), np.maximum(backbone.encode(X), 0))
    assert model.get_config()["sparsity"] == {"type": "NonNegative"}


class Forgets(zoo.corruption.Corruption):
    def __init__(self, factor):
        super().__init__()
        self.kept_elsewhere = factor

    def corrupt(self, x):
        return x


class Changes(Forgets):
    def __init__(self, factor):
        super(Forgets, self).__init__(factor=1 - factor)


class ForgetsToo(zoo.sparsity.Sparsity):
    def __init__(self, weight):
        pass


class Hides(zoo.corruption.Corruption):
    def __init__(self, *values, **others):
        super().__init__()

    def corrupt(self, x):
        return x


class Nothing(zoo.corruption.Corruption):
    pass


class Always(zoo.corruption.Corruption):
    def call(self, x):
        return 1 - x


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: Forgets(0.5),
            r"'Forgets' must keep its argument 'factor' .* \(self.factor = factor\).* kept: 'nothing'",
        ),
        (lambda: Changes(0.25), "'Changes' must keep its argument 'factor' .* Received: factor=0.25, kept: 0.75"),
        (lambda: ForgetsToo(1.0), "Sparsity 'ForgetsToo' must keep its argument 'weight'"),
        (lambda: Hides(3), r"'Hides' must name each of its arguments in __init__. Received: \(3,\) through 'values'"),
        (
            lambda: Hides(a=3),
            r"'Hides' must name each of its arguments in __init__. Received: {'a': 3} through 'others'",
        ),
        (lambda: Invert(strength=3), "'Invert' must name each of its arguments in __init__"),
        (lambda: Dim(lambda x: x), "Argument 'factor' of corruption 'Dim' must be a JSON value"),
        (lambda: Variance(weight={1: 2}), "Argument 'weight' of sparsity 'Variance' must be a JSON value"),
        (Nothing, r"'Nothing' must implement corrupt\(self, x\) or call\(self, x, training\)"),
        (Always, r"'Always' must take call\(self, x, training=False\)"),
    ],
)
def test_the_contract_is_checked_when_an_object_is_made(make, message):
    with pytest.raises(ConfigError, match=message):
        make()


def test_other_mistakes():
    backbone = zoo.feed_forward((8, 8, 1), 4)
    with pytest.raises(
        ConfigError, match="A corruption named 'Gaussian' exists already, in module zoo.layers.corruption"
    ):
        type("Gaussian", (zoo.corruption.Corruption,), {})
    with pytest.raises(UnknownNameError, match="Unknown corruption type 'Dimm'. Did you mean 'Dim'.* imported first"):
        zoo.denoising(backbone, {"type": "Dimm"})
    with pytest.raises(UnknownNameError, match="Unknown argument of corruption 'Dim' 'factr'. Did you mean 'factor'"):
        zoo.denoising(backbone, {"type": "Dim", "factr": 1.0})
    with pytest.raises(
        ConfigError, match="A corruption is a zoo.corruption object or a dictionary.* Received: <GaussianNoise"
    ):
        zoo.denoising(backbone, keras.layers.GaussianNoise(0.1))

    class PerSample(zoo.sparsity.Sparsity):
        def penalty(self, latent):
            return keras.ops.mean(latent, axis=1)

        def constrain(self, latent):
            return latent[:, :2]

    with pytest.raises(ConfigError, match=r"constrain of sparsity 'PerSample' .* latent shape \(None, 4\)"):
        zoo.sparse(backbone, PerSample())
    with pytest.raises(ConfigError, match=r"penalty of sparsity 'PerSample' must be one number .* shape \(32,\)"):
        PerSample().loss(keras.ops.ones((32, 4)))
