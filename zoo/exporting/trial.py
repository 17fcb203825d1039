"""A file that nobody vouches for is tried in a process of its own: whatever it does to its runtime, it does there."""

import contextlib
import gc
import os
import signal
import subprocess
import sys

import numpy as np

from zoo.core.errors import ExportError
from zoo.exporting import runtime

_SECONDS = 8
_MEMORY = 8 << 30
_REFUSED = 3


def check(engine: type, content: bytes) -> None:
    """Load the content of a file in another process, and run every signature, on zeros and on ones.

    Args:
        engine: class of `zoo.exporting.runtime` that runs it.
        content: bytes of the file.

    Raises:
        ExportError: that process failed, died, or did not end within some seconds.
    """
    command = [sys.executable, "-c", f"from zoo.exporting import trial; trial.run({engine.__name__!r})"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    try:
        done = subprocess.run(
            command, input=content, capture_output=True, timeout=_SECONDS, env=environment, check=False
        )
    except subprocess.TimeoutExpired:
        raise ExportError(f"its runtime did not run it within {_SECONDS} s") from None
    except OSError as problem:
        raise ExportError(f"it could not be tried in a process of its own: {problem}") from problem
    if done.returncode == _REFUSED:
        raise ExportError(done.stdout.decode(errors="replace").strip())
    if done.returncode < 0:
        with contextlib.suppress(ValueError):
            raise ExportError(f"it ends its runtime with {signal.Signals(-done.returncode).name}")
    if done.returncode:
        raise ExportError(f"it ends its runtime with exit code {done.returncode}")


def run(engine: str) -> None:
    """What the other process does, with the file on standard input."""
    _limit()
    content = sys.stdin.buffer.read()
    try:
        opened = getattr(runtime, engine)(content)
        for value in (0, 1):
            for name, details in opened.signatures.items():
                opened.run(name, np.full((details.batch_size or 1, *details.input_shape), value, details.dtype))
        del opened  # a runtime that has written where it must not dies at the latest when it frees its memory
        gc.collect()
    except BaseException as problem:
        print(str(problem)[:500])
        sys.stdout.flush()
        os._exit(_REFUSED)
    os._exit(0)  # without what runtimes do at the end


def _limit():
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_CPU, (2 * _SECONDS, 2 * _SECONDS))
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
