"""What a user reads in a terminal: text that any terminal can show, progress, and nothing of native libraries."""

import codecs
import contextlib
import io
import os
import sys
import time

from zoo.core.errors import OutputError

_SECONDS_BEFORE_PROGRESS = 1.0  # what is done sooner needs no bar
_SECONDS_BETWEEN_DRAWINGS = 0.1
_SUBSTITUTES = {"×": "x", "÷": "/", "±": "+-", "–": "-", "…": "...", "≤": "<=", "≥": ">=", "→": "->"}


def printable(text: str) -> str:
    r"""`text` without control characters, which could steer a terminal, and without what cannot be encoded.

    Example:
        >>> printable("a\x1b[2Jb\udcff")
        'a\\x1b[2Jb\\xff'
    """
    return "".join(c if c.isprintable() or c == "\n" else _escaped(c) for c in text)


def one_line(text: str) -> str:
    """`text` as one printable line."""
    return printable(" ".join(text.split()))


def _escaped(character):
    if "\udc80" <= character <= "\udcff":  # stands for a byte of a file name that is no UTF-8
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode()


def _substitute(error):
    text = error.object[error.start : error.end]
    return "".join(_SUBSTITUTES.get(c) or _escaped(c) for c in text), error.end


codecs.register_error("zoo.substitute", _substitute)


class NoReaderError(Exception):
    """Nobody reads standard output any more. No `BrokenPipeError`, which click and rich turn into exit code 1."""


class _Stream(io.TextIOWrapper):
    """Standard output or standard error: a failure is told once, in words, and what follows it is dropped.

    What writes bytes stays in C: an interrupt between a raw write in Python and its return would lose the count of
    written bytes, and the buffer would write them a second time.
    """

    silent = False  # whether to tell no failure
    needs_reader = True  # whether it is a failure that nobody reads
    failed = False

    def write(self, text: str) -> int:
        with self._failure_told_once():
            if not self.failed:
                super().write(text)
        return len(text)

    def flush(self):
        with self._failure_told_once():
            if not self.failed:
                super().flush()

    @contextlib.contextmanager
    def _failure_told_once(self):
        try:
            yield
        except BrokenPipeError as error:
            self.failed = True
            if self.needs_reader and not self.silent:
                raise NoReaderError from error
        except OSError as error:
            self.failed = True
            if not self.silent:
                raise OutputError(f"Cannot write to standard output: {error.strerror}.") from error


def prepare_streams():
    """Make standard input, output and error what every command can rely on; for the start of a process.

    A closed one becomes an empty one: otherwise the next file that is opened takes its place and receives what is
    printed. What the encoding lacks is written in other characters. A failed write to standard output is one
    `NoReaderError` or `OutputError`; what cannot be written to standard error is dropped.
    """
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        stream = getattr(sys, name)
        if stream is None:
            empty = open(os.devnull, mode, encoding="utf-8", errors="zoo.substitute")  # noqa: SIM115
            os.set_inheritable(empty.fileno(), True)  # the number of the closed one, the lowest that is free
            setattr(sys, name, empty)
        elif mode == "w" and stream is getattr(sys, f"__{name}__"):  # not what a test put in its place
            live = name == "stderr" or stream.isatty()
            raw = io.BufferedWriter(io.FileIO(number, mode, closefd=False))
            text = _Stream(raw, stream.encoding, "zoo.substitute", line_buffering=live)
            text.silent = name == "stderr"
            setattr(sys, name, text)


def work_without_reader():
    """For commands that do more than print: where nobody reads standard output any more, they finish in silence."""
    if isinstance(sys.stdout, _Stream):
        sys.stdout.needs_reader = False


@contextlib.contextmanager
def native_errors_hidden():
    """Drop what is written to standard error below Python: TensorFlow's native code has no log level for some of it."""
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
            yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def load_tensorflow():
    """Import TensorFlow and hold back what it prints while it starts, which no log level silences."""
    import logging

    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    with native_errors_hidden():
        import tensorflow

        tensorflow.config.list_physical_devices()
        tensorflow.zeros(())


@contextlib.contextmanager
def progress(total, title, unit="samples"):
    """A progress bar on standard error, shown in a terminal only, for work that takes longer than a second.

    Args:
        total: how much there is to do.
        title: what is done.
        unit: what is counted.

    Yields:
        function that is called with how much more is done, by default 1.

    Example:
        >>> with progress(len(names), "export", "models") as advance:
        ...     for name in names:
        ...         export(name)
        ...         advance()
    """
    if not sys.stderr.isatty():
        yield lambda count=1: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    # Drawn by `advance` and not by a thread of its own, which would disturb what is measured meanwhile. Standard output
    # is left alone: it may be a file.
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
        auto_refresh=False,
        redirect_stdout=False,
    )
    task = bar.add_task(title, total=total)
    done, drawn_next = 0, time.monotonic() + _SECONDS_BEFORE_PROGRESS

    def advance(count=1):
        nonlocal done, drawn_next
        done += count
        if time.monotonic() >= drawn_next:
            bar.start()
            bar.update(task, completed=done, refresh=True)
            drawn_next = time.monotonic() + _SECONDS_BETWEEN_DRAWINGS

    try:
        yield advance
    finally:
        if bar.live.is_started:
            bar.stop()
