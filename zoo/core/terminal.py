"""Keeping native libraries from writing over what a user reads."""

import contextlib
import os
import sys


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
