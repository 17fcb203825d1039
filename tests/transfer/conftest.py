import keras
import pytest

import zoo


@pytest.fixture
def encoder():
    """A small convolutional encoder with batch normalisation, of 8 × 8 digits to 6 features."""
    keras.utils.set_random_seed(0)
    return zoo.convolutional((8, 8, 1), 6, (4,), batch_normalization=True).encoder
