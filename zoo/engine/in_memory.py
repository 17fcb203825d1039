"""Samples that stay in memory for a whole training, as chunks, and the order in which each epoch sees them."""

import numpy as np
import tensorflow as tf

_ALIGNMENT = 64  # bytes; TensorFlow's own kernels abort on less
_XLA_ALIGNMENT = 16


class ArrayChunks:
    """The chunks of arrays, held by TensorFlow without another copy where that is possible.

    Args:
        state: `tensorflow.ChunkState` of the model.
        samples: `inputs.Samples` in memory. 8-bit pixels are kept as they are.
        batch_size: samples per step; the last step of an epoch takes what remains.
        length: steps per chunk.
        shuffle: draw a new permutation for every epoch, from NumPy's global random state at this moment; else keep the
            order of the arrays.
        xla: whether a program compiled by XLA will read the arrays.

    Attributes:
        steps: steps of an epoch, the short last one included.
        ends: for each chunk of an epoch the number of steps taken after it.
        data: dict of tensors: "x" or "pixels" (samples, elements), "target" likewise or "labels", "sample_weight".
        dataset: tf.data.Dataset of chunks without end: "span", the steps from `begin` up to `end` of the order, the
            number of the `first` step, and, where an epoch ends with a short one, whether it is the `last` chunk;
            "sizes"; and "data".
        ranks: what Keras' functions are traced for.
    """

    def __init__(self, state, samples, *, batch_size, length=1, shuffle=False, xla=False):
        self._state, self._count, self._batch_size = state, samples.count, batch_size
        self._seed = int(np.random.randint(2**31)) if shuffle else None
        full, rest = divmod(self._count, batch_size)
        self.steps = full + bool(rest)
        self.ends = chunk_ends(self.steps, length)
        y = samples.y
        is_target = y is not None and y.shape[1:] == samples.x.shape[1:] and y.ndim > 1
        parts = {"pixels" if samples.pixels else "x": samples.x, "target" if is_target else "labels": y}
        # With two axes, whose rows are gathered faster; these parts have the shape of the model's samples.
        parts = {name: a if a is None or name == "labels" else a.reshape(len(a), -1) for name, a in parts.items()}
        parts["sample_weight"] = samples.sample_weight
        self.data = {name: _tensor(part, xla) for name, part in parts.items() if part is not None}
        self.ranks = tuple((name, part.dtype, part.shape.rank) for name, part in self.data.items()), batch_size, rest
        begins = [0, *self.ends[:-1]]
        ends = [min(end, full) for end in self.ends]
        self.dataset = _dataset(begins, ends, sizes(batch_size, rest), self.data)

    @property
    def failed(self):
        """Number of the first step of the last chunk whose loss was not finite, or -1."""
        return int(self._state.failed)

    def order(self, epoch):
        """Indices of an epoch's samples: int array (full steps, batch size), and (1, rest) of a short last step.

        The permutation follows from the seed and the number of the epoch alone, so a resumed training sees the same.
        """
        if self._seed is None:
            indices = np.arange(self._count)
        else:
            indices = np.random.default_rng((self._seed, epoch)).permutation(self._count)
        whole = self._full * self._batch_size
        return indices[:whole].reshape(self._full, self._batch_size), indices[None, whole:]

    def begin(self, epoch=0, done=0):
        """Start an epoch, of which `done` steps are taken already."""
        order, rest = self.order(epoch)
        assign(self._state, order, rest, done)

    @property
    def _full(self):
        return self._count // self._batch_size


def chunk_ends(steps, length):
    """The number of steps after each chunk of an epoch of `steps` steps."""
    return [min(begin + length, steps) for begin in range(0, steps, length)]


def sizes(batch_size, rest):
    """Part of a chunk whose shapes are the numbers of samples of a step, and of a short last one if there is any.

    Shapes, not numbers: the program is compiled for steps of a known size, which is faster without XLA.
    """
    return {"step": np.zeros(batch_size, bool)} | ({"last": np.zeros(rest, bool)} if rest else {})


def _dataset(begins, ends, sizes, data):
    """The endless tf.data.Dataset of `ArrayChunks`.

    Without functions (`map`, `from_generator`), which cost milliseconds per iterator, and without TensorFlow's
    optimisations of datasets, which cost half a millisecond.
    """
    span = {"begin": begins, "end": ends, "first": [0] * len(begins)}
    if "last" in sizes:
        span["last"] = [0] * (len(begins) - 1) + [1]
    span = tf.data.Dataset.from_tensor_slices({name: np.asarray(n, index_type()) for name, n in span.items()})
    constant = {name: tf.data.Dataset.from_tensors(part).repeat() for name, part in (("sizes", sizes), ("data", data))}
    options = tf.data.Options()
    options.experimental_optimization.apply_default_optimizations = False
    options.autotune.enabled = False
    return tf.data.Dataset.zip({"span": span, **constant}).repeat().with_options(options)


def assign(state, order, rest, done):
    """Set the variables of a `tensorflow.ChunkState` for an epoch; those that change, since each takes its time."""
    if not len(order):  # XLA compiles no gather from nothing, even if it is never done
        order = np.zeros((1, order.shape[1]), "int32")
    state.order.assign(order.astype(index_type()))
    if rest.size:
        state.rest.assign(rest.astype(index_type()))
    if done != state.assigned_done:
        state.done.assign(done)
        state.assigned_done = done


def index_type():
    """The type of indices: TensorFlow keeps no int32 variables on a GPU."""
    return "int64" if tf.config.list_logical_devices("GPU") else "int32"


def _tensor(array, xla):
    """`array` as a tensor; on a CPU it shares the memory of the array, which `tf.constant` would hold twice more."""
    array = np.ascontiguousarray(array)
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
