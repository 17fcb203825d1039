import keras
import numpy as np
import pytest

import zoo
from zoo.transfer import few_labels

WAYS = {
    "fine-tuned": lambda *given: few_labels.fine_tuned(*given, head_epochs=30, epochs=5),
    "discriminant": few_labels.discriminant,
    "scratch": few_labels.from_scratch,
    "features": few_labels.frozen_features,
    "principal components": few_labels.principal_components,
    "pixels": few_labels.raw_pixels,
}


@pytest.mark.parametrize("way", WAYS)
def test_learns_and_leaves_the_encoder(encoder, digits, way):
    keras.utils.set_random_seed(0)
    train, test = few_labels.choose(digits.labels, 10, seed=0)
    before, flags = encoder.get_weights(), [layer.trainable for layer in encoder.layers]
    predict, _ = WAYS[way](digits.samples[train], digits.labels[train], encoder)
    assert np.mean(predict(digits.samples[test]) == digits.labels[test]) > 0.45
    assert all(np.array_equal(a, b) for a, b in zip(encoder.get_weights(), before, strict=True))
    assert [layer.trainable for layer in encoder.layers] == flags


def test_from_scratch_has_fresh_weights(digits):
    encoder = zoo.feed_forward((8, 8, 1), 6).encoder
    before = encoder.get_weights()[0]
    train, _ = few_labels.choose(digits.labels, 1, seed=0)
    _, model = few_labels.from_scratch(digits.samples[train], digits.labels[train], encoder, epochs=1)
    assert model.contract.unit_range is encoder.unit_range is True
    fresh = model.get_encoder().get_weights()[0]
    assert abs(np.corrcoef(fresh.ravel(), before.ravel())[0, 1]) < 0.2


def test_choice():
    labels = np.repeat([0, 1, 2], [5, 7, 9])
    chosen, others = few_labels.choose(labels, 2, seed=0)
    assert labels[chosen].tolist() == [0, 0, 1, 1, 2, 2]
    assert sorted([*chosen, *others]) == list(range(21))
    assert not np.array_equal(few_labels.choose(labels, 2, seed=1)[0], chosen)
