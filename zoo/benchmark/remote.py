"""An object in a process of its own: two frameworks' threads in one process slow each other down, and unequally."""

import contextlib
import multiprocessing
import signal

from zoo.core.errors import ZooError


class Remote:
    """Starts a process and makes an object there, whose methods are called from here.

    As a context manager it ends the process; after an error, whatever the process is doing.

    Args:
        make: class, or function that returns the object; importable by its name.
        arguments: for `make`; they are pickled.

    Example:
        >>> with Remote(collections.Counter, "zoo") as counter:
        ...     counter.call("most_common", 1)
        [('o', 2)]
    """

    def __init__(self, make, *arguments):
        self._name = make.__name__
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, make, arguments), daemon=True)
        with _interruptions_blocked():
            self._process.start()
        theirs.close()

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if kind is not None:
            self._process.terminate()
        self.close()

    def call(self, method, *arguments):
        """What the object's method returns; raises what it raises, or what making the object raised."""
        self.send(method, *arguments)
        return self.reply()

    def send(self, method, *arguments):
        """Call a method without waiting for its `reply`, so that several processes work at once."""
        with contextlib.suppress(OSError):  # it has ended: `reply` tells why
            self._connection.send((method, arguments))

    def reply(self):
        """The result of the oldest call whose result was not fetched."""
        try:
            reply = self._connection.recv()
        except (EOFError, OSError):
            self._process.join()
            raise ZooError(
                f"The process of {self._name} ended with {self._process.exitcode} in the middle of its work; perhaps"
                " the memory did not suffice."
            ) from None
        if isinstance(reply, BaseException):
            raise reply
        return reply

    def close(self):
        """End the process, once it has done its work."""
        self._connection.close()
        self._process.join()


def _serve(connection, make, arguments):
    # Blocked until here, see below; but some of TensorFlow's native code unblocks it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        served = make(*arguments)
        while True:
            method, arguments = connection.recv()
            connection.send(getattr(served, method)(*arguments))
    except (EOFError, BrokenPipeError):
        pass  # closed: the benchmark has all it wants
    except Exception as error:  # for the benchmark to raise
        connection.send(error)


@contextlib.contextmanager
def _interruptions_blocked():
    """A process that is started here inherits that Ctrl-C does not reach it; this one gets it afterwards."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    kept = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, kept)
