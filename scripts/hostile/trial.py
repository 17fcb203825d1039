"""One case: what is read, what may come of it, and what did."""

import dataclasses
import pathlib
import re
import time
import traceback
from collections.abc import Callable

from hostile import watching

FAULTS = (
    "other numbers",
    "foreign exception",
    "hang",
    "crash",
    "touched outside",
    "wrote on read",
    "memory",
    "not prepared",
    "neither result",
    "left behind",
)
GOOD = ("refused", "same numbers", "another model", "read")
OUTCOMES = (*GOOD, *FAULTS)
MEMORY = 1.0e9  # bytes that reading one file may take, beyond what the process has


@dataclasses.dataclass
class Trial:
    """A case that is prepared.

    Attributes:
        row: what was changed; the table counts by it.
        detail: how, for a person who looks for the reason of an outcome.
        path: what is read; it has to stay as it is.
        read: function without arguments: reads it and returns one of `GOOD`, or "other numbers".
        canary: a folder that nobody may touch.
        clean: called at the end.
    """

    row: str
    detail: str
    path: pathlib.Path
    read: Callable[[], str]
    canary: pathlib.Path
    clean: Callable[[], None] = lambda: None


def run(trial: Trial) -> dict:
    """Do a trial and judge it: {"outcome", "message", "seconds", "bytes"}."""
    from zoo.core.errors import ZooError

    before = watching.snapshot(trial.path)
    canary = watching.Canary(trial.canary)
    _reset_peak()
    memory, begin, message = _memory("VmRSS"), time.perf_counter(), ""
    try:
        outcome = trial.read()
    except ZooError as error:
        outcome, message = "refused", f"{type(error).__name__}: {error}"
    except BaseException as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        outcome = "foreign exception"
        message = f"{type(error).__name__}: {str(error)[:300]} ({pathlib.Path(place.filename).name}:{place.lineno})"
    seconds, used = time.perf_counter() - begin, _memory("VmHWM") - memory
    if used > MEMORY:
        outcome, message = "memory", f"{used / 1e6:,.0f} MB; {outcome}: {message}"
    if (after := watching.snapshot(trial.path)) != before:
        changed = sorted({k for k in before.keys() | after.keys() if before.get(k) != after.get(k)})
        outcome, message = "wrote on read", f"{changed[:5]}; {outcome}: {message}"
    if touched := canary.touched():
        outcome, message = "touched outside", f"{touched[:5]}; {outcome}: {message}"
    canary.close()
    trial.clean()
    return {
        "outcome": outcome,
        "message": readable(message),
        "seconds": round(seconds, 3),
        "bytes": used,
    }


def readable(text):
    """At most 300 characters of a text, which may hold surrogates."""
    return re.sub(r"\s+", " ", text)[:300].encode(errors="backslashreplace").decode()


def _reset_peak():
    pathlib.Path("/proc/self/clear_refs").write_text("5")


def _memory(key):
    """Bytes of memory that this process has (VmRSS), or had at most since `_reset_peak` (VmHWM)."""
    status = pathlib.Path("/proc/self/status").read_text()
    return int(re.search(rf"{key}:\s+(\d+)", status)[1]) * 1024
