import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression

import zoo
from zoo.core.errors import ConfigError, DataError, UnknownNameError
from zoo.transfer import heads
from zoo.transfer.augmentation import with_copies

ESTIMATORS = {
    "discriminant": LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto"),
    "regression": LogisticRegression(max_iter=1000),
}
DISTORTION = {"type": "Affine", "rotation": 10.0, "shift": 0.5}


def _probabilities(encoder, kind, train, test):
    """What scikit-learn says of `test` after learning the standardised features of `train`."""
    features = encoder.predict(train[0], verbose=0).astype("float64")
    mean, scale = features.mean(axis=0), np.sqrt(features.var(axis=0) + 1e-3)
    estimator = ESTIMATORS[kind].fit((features - mean) / scale, train[1])
    return estimator.predict_proba((encoder.predict(test, verbose=0) - mean) / scale)


def _labelled(features, labels):
    return heads.Labelled(features, labels, np.ones(len(labels)))


class TestSolvedHeads:
    @pytest.mark.parametrize("classes", [2, 10])
    @pytest.mark.parametrize("kind", ESTIMATORS)
    def test_equals_scikit_learn_and_leaves_the_encoder(self, encoder, digits, kind, classes):
        chosen = np.flatnonzero(digits.labels < classes)[:150]
        x, y = digits.samples[chosen], digits.labels[chosen]
        before = encoder.get_weights()
        model = zoo.classifier(encoder, classes)
        history = zoo.fine_tune(model, x, y, head=kind, epochs=0)
        assert all(np.array_equal(a, b) for a, b in zip(encoder.get_weights(), before, strict=True))
        assert history.epoch == []
        assert model.trainable_weights[: len(before)], "it ends unfrozen"
        expected = _probabilities(encoder, kind, (x, y), x)
        np.testing.assert_allclose(model.predict(x, verbose=0), expected, atol=1e-3)
        assert (model.predict(x, verbose=0).argmax(axis=1) == y).mean() > 0.7

    def test_only_the_discriminant_learns_the_distorted_copies(self, encoder, digits):
        x, y = digits.samples[:60], digits.labels[:60]
        both = with_copies(x, DISTORTION, 10), np.tile(y, 11)
        for kind, train in (("regression", (x, y)), ("discriminant", both)):
            model = zoo.classifier(encoder, 10)
            zoo.fine_tune(model, x, y, head=kind, epochs=0, augmentation=DISTORTION)
            np.testing.assert_allclose(
                model.predict(x, verbose=0), _probabilities(encoder, kind, train, x), atol=1e-3, err_msg=kind
            )

    def test_the_second_phase_goes_on_from_it(self, encoder, digits):
        model = zoo.classifier(encoder, 10)
        x, y = digits.samples[:200], digits.labels[:200]
        zoo.fine_tune(model, x, y, head="discriminant", epochs=0)
        before = model.evaluate(x, y, verbose=0)[0]
        history = zoo.fine_tune(model, x, y, head="discriminant", epochs=8, learning_rate=1e-3, verbose=0)
        assert history.epoch == list(range(8))
        assert model.evaluate(x, y, verbose=0)[0] < before

    def test_errors(self, encoder, digits):
        with pytest.raises(ConfigError, match="build the classifier without hidden_units"):
            zoo.fine_tune(zoo.classifier(encoder, 10, hidden_units=(8,)), digits, head="regression")
        few = digits.subset(np.flatnonzero(digits.labels < 9))
        with pytest.raises(DataError, match='head="auto" needs samples of all 10 classes. Received 9 classes'):
            zoo.fine_tune(zoo.classifier(encoder, 10), few, head="auto")
        one_each = digits.subset(np.unique(digits.labels, return_index=True)[1])
        with pytest.raises(DataError, match="at least two samples of some class. Received 10 samples"):
            zoo.fine_tune(zoo.classifier(encoder, 10), one_each, head="auto")
        with pytest.raises(UnknownNameError, match="Unknown head 'discriminent'. Did you mean 'discriminant'"):
            zoo.fine_tune(zoo.classifier(encoder, 10), digits, head="discriminent")


class TestWeights:
    @pytest.mark.parametrize("kind", ESTIMATORS)
    def test_a_weight_is_a_number_of_samples(self, digits, kind):
        """As scikit-learn finds it of the repeated samples; a weight of 0 is none."""
        random = np.random.default_rng(0)
        features = random.normal(size=(90, 5)) * [1, 2, 3, 0.1, 1] + digits.labels[:90, None] % 3
        y, weights = digits.labels[:90] % 3, random.integers(1, 4, 90)
        repeated = np.repeat(np.arange(90), weights)
        mean, variance, kernel, bias = heads.fit(kind, heads.Labelled(features, y, weights.astype(float)), 0.0)
        x = features[repeated]
        np.testing.assert_allclose(mean, x.mean(axis=0), rtol=1e-10)
        np.testing.assert_allclose(variance, x.var(axis=0), rtol=1e-10)
        expected = ESTIMATORS[kind].fit((x - mean) / np.sqrt(variance), y[repeated])
        scores = (features - mean) / np.sqrt(variance) @ kernel + bias
        odds = np.exp(scores - scores.max(axis=1, keepdims=True))
        found = odds / odds.sum(axis=1, keepdims=True)
        expected = expected.predict_proba((features - mean) / np.sqrt(variance))
        np.testing.assert_allclose(found, expected, atol=1e-9 if kind == "discriminant" else 2e-3)
        unweighted = heads.fit(kind, _labelled(features, y))[2]
        assert np.abs(unweighted - kernel).max() > 0.01

    @pytest.mark.parametrize("kind", ["discriminant", "regression", "auto"])
    def test_reach_the_classifier(self, encoder, digits, kind):
        x, y = digits.samples[:300], digits.labels[:300]
        found = {}
        for name, given in {
            "none": {},
            "class": {"class_weight": {3: 20.0}},
            "samples": {"sample_weight": np.where(y == 3, 20.0, 1.0)},
            "without": {"sample_weight": (np.arange(300) < 200).astype(float)},
        }.items():
            model = zoo.classifier(encoder, 10)
            zoo.fine_tune(model, x, y, head=kind, epochs=0, **given)
            found[name] = model.predict(x, verbose=0)
        assert found["class"][:, 3].mean() > 1.15 * found["none"][:, 3].mean()
        np.testing.assert_allclose(found["class"], found["samples"], atol=1e-5)
        model = zoo.classifier(encoder, 10)
        zoo.fine_tune(model, x[:200], y[:200], head=kind, epochs=0)
        np.testing.assert_allclose(found["without"], model.predict(x, verbose=0), atol=1e-5)

    def test_errors(self, encoder, digits):
        x, y = digits.samples[:100], digits.labels[:100]
        with pytest.raises(DataError, match="weights of at least 0. Received -1"):
            zoo.fine_tune(zoo.classifier(encoder, 10), x, y, head="auto", sample_weight=-np.ones(100))
        with pytest.raises(DataError, match="needs samples of all 10 classes. Received 9 classes"):
            zoo.fine_tune(zoo.classifier(encoder, 10), x, y, head="auto", class_weight={4: 0})


class TestChoice:
    def test_takes_what_is_better_on_held_out_samples(self):
        random = np.random.default_rng(0)
        y = np.repeat([0, 1], 40)
        # Many features, few samples, each feature a little informative: shrinkage wins.
        many = random.normal(size=(80, 60)) + 0.3 * (2 * y - 1)[:, None]
        assert heads.choose(_labelled(many, y)) == "discriminant"
        # A narrow class beside a wide one: the border does not lie midway between their means.
        wide = np.where(y == 0, random.uniform(-1, 0, 80), random.uniform(0, 50, 80))[:, None]
        assert heads.choose(_labelled(wide, y)) == "regression"

    def test_single_samples_cannot_be_held_out(self):
        assert heads.choose(_labelled(np.eye(3), np.arange(3))) == "discriminant"

    def test_auto_is_the_chosen_one(self, encoder, digits, monkeypatch):
        x, y = digits.samples[:150], digits.labels[:150]
        for kind in ESTIMATORS:
            monkeypatch.setattr(heads, "choose", lambda features, kind=kind: kind)
            model = zoo.classifier(encoder, 10)
            zoo.fine_tune(model, x, y, head="auto", epochs=0)
            expected = _probabilities(encoder, kind, (x, y), x)
            np.testing.assert_allclose(model.predict(x, verbose=0), expected, atol=1e-3)
