"""Sample weights in the shape of what they weigh."""

import keras
from keras import ops

from zoo.core.errors import ConfigError

_BY_SHAPE = ("crossentropy", "ce")  # Keras chooses the loss of these names by the shape of the target


def for_loss(loss, y, y_pred, sample_weight):
    """`sample_weight` with as many axes as the values of a compiled `loss`, so that no axis meets another one.

    Keras multiplies the values by the weights as they are: (batch,) would meet the last axis of (batch, height, width).

    Args:
        loss: as given to `compile`, for one output.
        y, y_pred: tensors (batch, ...).
        sample_weight: tensor (batch,), or with one weight per element of the values.

    Raises:
        ConfigError: a loss of one value for the whole batch, or fewer values than weights.
    """
    loss = keras.tree.flatten(loss)[0]
    loss = keras.losses.get("mse" if isinstance(loss, str) and loss.lower() in _BY_SHAPE else loss)
    function = loss.call if isinstance(loss, keras.losses.Loss) else loss
    dtype = getattr(loss, "dtype", keras.config.floatx())
    shape = getattr(function(ops.cast(y, dtype), ops.cast(y_pred, dtype)), "shape", None)
    if shape is None:
        return sample_weight
    missing = len(shape) - len(sample_weight.shape)
    if len(shape) == 0 or any(size != 1 for size in sample_weight.shape[len(shape) :]):
        received = "one value for the whole batch" if len(shape) == 0 else f"values of shape {tuple(shape)}"
        raise ConfigError(
            f"sample_weight of shape {tuple(sample_weight.shape)} cannot weigh a loss that returns {received}."
            " Return one value per sample, shape (batch,), or weigh samples as a whole."
        )
    if missing < 0:
        return ops.squeeze(sample_weight, axis=tuple(range(len(shape), len(sample_weight.shape))))
    return ops.reshape(sample_weight, (*ops.shape(sample_weight), *[1] * missing))
