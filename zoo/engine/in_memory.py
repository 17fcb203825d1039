"""Samples that stay in memory for a whole training, and the order in which each epoch sees them."""

import numpy as np
import tensorflow as tf

_ALIGNMENT = 64  # bytes; TensorFlow's own kernels abort on less
_XLA_ALIGNMENT = 16


class Resident:
    """Arrays of one training or evaluation, held by TensorFlow without another copy where that is possible.

    Args:
        x: array (samples, ...). 8-bit pixels are kept as they are.
        y: array of targets (samples, ...), or None.
        sample_weight: array (samples,), or None.
        batch_size: samples per step; the last step of an epoch takes what remains.
        length: steps of a chunk.
        shuffle: draw a new permutation for every epoch, from NumPy's global random state at this moment; else keep the
            order of the arrays.
        scale_pixels: divide `x` by 255 in every batch, giving float32 in [0, 1].
        xla: whether a program compiled by XLA will read the arrays.

    Attributes:
        tensors: tuple of three, (x, y, sample_weight), samples flattened; an empty tuple for each that is None.
        steps: steps of an epoch, the short last one included.
    """

    def __init__(
        self, x, y=None, sample_weight=None, *, batch_size, length=1, shuffle=False, scale_pixels=False, xla=False
    ):
        self.samples = len(x)
        self.batch_size, self.length = batch_size, length
        self.steps = -(-self.samples // batch_size)
        self.scale_pixels = scale_pixels
        self.shapes = tuple(None if a is None else a.shape[1:] for a in (x, y, sample_weight))
        self.tensors = tuple(() if a is None else _tensor(a, xla) for a in (x, y, sample_weight))
        self._seed = int(np.random.randint(2**31)) if shuffle else None

    def order(self, epoch):
        """Indices of an epoch's samples: int32 (full steps, batch size), and (1, rest) for a short last step or None.

        The permutation follows from the seed and the number of the epoch alone, so a resumed training sees the same.
        """
        if self._seed is None:
            indices = np.arange(self.samples)
        else:
            indices = np.random.default_rng((self._seed, epoch)).permutation(self.samples)
        full, rest = divmod(self.samples, self.batch_size)
        indices = indices.astype("int32")
        whole = indices[: full * self.batch_size].reshape(full, self.batch_size)
        return tf.constant(whole), tf.constant(indices[None, full * self.batch_size :]) if rest else None

    def begin(self, epoch, done):
        """Start an epoch, of which `done` steps are taken already."""
        self._order = self.order(epoch)

    def take(self, begin, end):
        """The steps `begin` to `end` as calls of a program: (tensors, order, begin, end, number of the first step)."""
        full, rest = self._order
        whole = full.shape[0]
        if begin < min(end, whole):
            yield self.tensors, full, begin, min(end, whole), 0
        if end > whole:
            yield self.tensors, rest, 0, 1, whole


def gather(tensors, shapes, indices, scale_pixels):
    """The batch (x, y, sample_weight) at `indices`, inside a compiled program; None for what there is not."""
    x, y, sample_weight = (
        None if shape is None else tf.reshape(tf.gather(tensor, indices), (indices.shape[0], *shape))
        for tensor, shape in zip(tensors, shapes, strict=True)
    )
    if scale_pixels:
        x = tf.cast(x, tf.float32) / 255.0
    return x, y, sample_weight


def _tensor(array, xla):
    """`array` as a tensor of two axes at most, whose rows are gathered faster.

    On a CPU it shares the memory of the array, which `tf.constant` would hold twice more.
    """
    array = np.ascontiguousarray(array)
    array = array.reshape(len(array), -1) if array.ndim > 1 else array
    if tf.config.list_logical_devices("GPU"):
        return tf.constant(array)
    if array.ctypes.data % (_XLA_ALIGNMENT if xla else _ALIGNMENT) or not array.flags.writeable:
        array = _aligned_copy(array)
    return tf.experimental.dlpack.from_dlpack(array.__dlpack__())


def _aligned_copy(array):
    memory = np.empty(array.nbytes + _ALIGNMENT, "uint8")
    start = -memory.ctypes.data % _ALIGNMENT
    copy = memory[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
    np.copyto(copy, array)
    return copy
