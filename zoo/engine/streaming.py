"""Samples that do not fit in memory: read anew in every epoch, a chunk at a time."""

import numpy as np
import tensorflow as tf


class Streamed:
    """The same to `Chunks` as `Resident`, with the samples of a `zoo.data.Stream`.

    While one chunk is computed, the stream reads ahead. Memory holds one chunk and the stream's own buffers.

    Args:
        stream: zoo.data.Stream.
        batch_size: samples per step; the last step of an epoch takes what remains.
        length: steps per chunk.
        shuffle: another order in every epoch, from NumPy's global random state at this moment.
    """

    def __init__(self, stream, *, batch_size, length, shuffle=False):
        self.stream, self.batch_size, self.length = stream, batch_size, length
        self.steps = -(-len(stream) // batch_size)
        self.scale_pixels = True
        self.shapes = (stream.shape, None, None)
        self._seed = int(np.random.randint(2**31)) if shuffle else None

    def begin(self, epoch, done):
        """Start an epoch, of which `done` steps are taken already."""
        seed = None if self._seed is None else int(np.random.default_rng((self._seed, epoch)).integers(2**31))
        self._batches = self.stream.batches(self.batch_size, seed, skip=done * self.batch_size)

    def take(self, begin, end):
        """The steps `begin` to `end` as calls of a program: (tensors, order, begin, end, number of the first step)."""
        # Always of the same size, so that one program serves all chunks.
        images = np.zeros((self.length * self.batch_size, int(np.prod(self.stream.shape))), "uint8")
        taken = 0
        for _ in range(begin, end):
            batch = next(self._batches)
            images[taken : taken + len(batch)] = batch.reshape(len(batch), -1)
            taken += len(batch)
        order = np.arange(len(images), dtype="int32").reshape(self.length, self.batch_size)
        whole, rest = divmod(taken, self.batch_size)
        tensors = (tf.constant(images), (), ())
        if whole:
            yield tensors, tf.constant(order), 0, whole, begin
        if rest:
            yield tensors, tf.constant(order[whole : whole + 1, :rest]), 0, 1, begin + whole
