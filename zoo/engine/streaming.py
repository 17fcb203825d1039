"""Samples that do not fit in memory, as chunks: read anew in every epoch."""

import math

import numpy as np
import tensorflow as tf

from zoo.engine.batches import KeepsFailure
from zoo.engine.in_memory import assign, chunk_ends, index_type, sizes


class StreamChunks(KeepsFailure):
    """The same as `in_memory.ArrayChunks`, of a `zoo.data.Stream`: every chunk contains its own samples.

    While one chunk is computed, the next is read. Memory holds these, and the stream's own buffers.

    Args:
        state: `tensorflow.ChunkState` of the model.
        stream: zoo.data.Stream.
        batch_size: samples per step; the last step of an epoch takes what remains.
        length: steps per chunk.
        shuffle: another order in every epoch, from NumPy's global random state at this moment.
    """

    def __init__(self, state, stream, *, batch_size, length, shuffle=False):
        self._state, self._stream, self._batch_size, self._length = state, stream, batch_size, length
        self._seed = int(np.random.randint(2**31)) if shuffle else None
        full, self._rest = divmod(len(stream), batch_size)
        self.steps = full + bool(self._rest)
        self.ends = chunk_ends(self.steps, length)
        # 8-bit pixels are scaled by the program; what else there is comes as its values.
        self._part, self._dtype = ("pixels", "uint8") if stream.is_pixels else ("x", "float32")
        self.ranks = "stream", self._part, batch_size, self._rest
        self._sizes = sizes(batch_size, self._rest)
        number = tf.TensorSpec((), index_type())
        span = dict.fromkeys(["begin", "end", "first", *["last"][: self._rest]], number)
        samples = tf.TensorSpec((length * batch_size, math.prod(stream.shape)), self._dtype)
        chunks = tf.data.Dataset.from_generator(
            self._chunks,
            output_signature={
                "span": span,
                "sizes": {name: tf.TensorSpec(size.shape, size.dtype) for name, size in self._sizes.items()},
                "data": {self._part: samples},
            },
        )
        self.dataset = chunks.prefetch(1)
        self.begin()

    @property
    def failed(self):
        """Number of the first step of the last chunk whose loss was not finite, or -1."""
        return int(self._state.failed)

    def begin(self, epoch=0, done=0):
        """Start an epoch, of which `done` steps are taken already.

        Where reading begins is decided by the first call; it goes on with the next epochs by itself.
        """
        self._first, self._done = epoch, done
        order = np.arange(self._length * self._batch_size).reshape(self._length, self._batch_size)
        last = (self.steps - 1) % self._length
        assign(self._state, order, order[last : last + 1, : self._rest], 0)

    def _chunks(self):
        """All chunks of all epochs, one after the other."""
        epoch, done = self._first, self._done
        with self.keeping():
            while True:
                yield from self._epoch(epoch, done)
                epoch, done = epoch + 1, 0

    def _epoch(self, epoch, done):
        seed = None if self._seed is None else int(np.random.default_rng((self._seed, epoch)).integers(2**31))
        read = self._stream.batches if self._part == "pixels" else self._stream.value_batches
        batches = read(self._batch_size, seed, done * self._batch_size)
        for number, end in enumerate(self.ends):
            first = max(number * self._length, min(done, end))
            # Always of the same size, so that one program serves all chunks.
            samples = np.zeros((self._length * self._batch_size, math.prod(self._stream.shape)), self._dtype)
            taken = 0
            for _ in range(first, end):
                batch = next(batches)
                samples[taken : taken + len(batch)] = batch.reshape(len(batch), -1)
                taken += len(batch)
            span = {"begin": 0, "end": taken // self._batch_size, "first": first}
            if self._rest:
                span["last"] = int(end == self.steps)
            span = {name: np.asarray(number, index_type()) for name, number in span.items()}
            yield {"span": span, "sizes": self._sizes, "data": {self._part: samples}}
