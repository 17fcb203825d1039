"""A competitor in a process of its own: two frameworks' threads in one process slow each other down, and unequally."""

import multiprocessing

import keras


class Remote:
    """The same to the benchmark as a competitor; its process starts, compiles and warms up here.

    Args:
        competitor: a class of competitors.
        network: `zoo.benchmark.models.Network`.
        source: zoo.data.Source of the samples.
    """

    def __init__(self, competitor, network, source):
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, competitor, network.name, source), daemon=True)
        self._process.start()
        theirs.close()
        self.settings, self.parameters = self._reply()

    def epoch(self):
        """Train one epoch there; its mean loss."""
        self._connection.send("epoch")
        return self._reply()

    def close(self):
        """End the process."""
        self._connection.close()
        self._process.join()

    def _reply(self):
        reply = self._connection.recv()
        if isinstance(reply, Exception):
            raise reply
        return reply


def _serve(connection, competitor, network, source):
    from zoo.benchmark import models

    try:
        keras.utils.set_random_seed(0)
        running = competitor(models.NETWORKS[network], source, source.pixels())
        for _ in range(running.warm_up):
            running.epoch()
        connection.send((running.settings, running.parameters))
        while connection.recv():
            connection.send(running.epoch())
    except EOFError:
        pass  # closed: the benchmark has all it wants
    except Exception as error:  # for the benchmark to raise
        connection.send(error)
