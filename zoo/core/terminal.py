"""What a user reads in a terminal: progress, undisturbed by what native libraries print."""

import contextlib
import os
import sys
import time

_SECONDS_BEFORE_PROGRESS = 1.0  # what is done sooner needs no bar
_SECONDS_BETWEEN_DRAWINGS = 0.1


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
