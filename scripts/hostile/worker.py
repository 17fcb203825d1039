"""A process that does trials, one after the other, so that a crash or a hang ends nothing else."""

import contextlib
import multiprocessing
import os
import pathlib
import random
import resource
import shutil
import tempfile
import traceback

from hostile import trial

PREPARING = 60  # that making a case may take
_SPARE = 6e9  # bytes of address space beyond what TensorFlow takes
_LARGEST = 2.5e9  # bytes of memory of a process that goes on: Keras keeps a little of every model


class Worker:
    """Does cases in a process of its own, which is replaced when it ends, hangs, or has grown.

    Args:
        root: folder of `victims.build`.
        seed: of the campaign.
        log: file for what the process prints.
        seconds: that reading may take.
        warm: import TensorFlow before the first case.
    """

    def __init__(self, root: pathlib.Path, seed: int, log: pathlib.Path, *, seconds: float = 10, warm: bool = True):
        self._arguments = root, seed, log, warm
        self._seconds = seconds
        self._process = None

    def do(self, case: tuple[str, str, int]) -> dict:
        """The result of a case (kind, row, number), see `trial.run`."""
        kind, row, number = case
        known = {"case": f"{kind}/{number}", "row": row}
        if self._process is None:
            self._start()
        try:
            self._pipe.send(case)
            result = self._answer(PREPARING)
            if isinstance(result, str):
                known["detail"] = result
                result = self._answer(3 * self._seconds)  # the folder is looked at before and after, too
        except TimeoutError as error:
            self.close()
            outcome = "hang" if "detail" in known else "not prepared"
            return {**known, "outcome": outcome, "message": str(error)}
        except (EOFError, ConnectionError):
            self._process.join()
            code = self._process.exitcode
            self._process = None
            return {**known, "outcome": "crash", "message": f"exit code {code}"}
        if result["seconds"] > self._seconds and result["outcome"] not in (
            "memory",
            "touched outside",
            "wrote on read",
        ):
            result.update(outcome="hang", message=f"{result['seconds']} s; {result['outcome']}")
        if result.pop("memory") > _LARGEST:
            self.close()
        return {**known, **result}

    def _answer(self, seconds):
        if not self._pipe.poll(seconds):
            raise TimeoutError(f"no answer after {seconds} s")
        return self._pipe.recv()

    def close(self):
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._process = None

    def _start(self):
        context = multiprocessing.get_context("spawn")
        self._pipe, other = context.Pipe()
        self._process = context.Process(target=_work, args=(other, *self._arguments), daemon=True)
        self._process.start()
        other.close()
        if not self._pipe.poll(120):
            raise RuntimeError("A worker did not start.")
        self._pipe.recv()


def _work(pipe, root, seed, log, warm):
    import numpy as np

    from hostile import kinds, victims

    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for descriptor in (1, 2):
        os.dup2(output, descriptor)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with np.load(root / victims.SAMPLES) as stored:
        computed = dict(stored)
    if warm:
        kinds.warm_up()
    size = int(pathlib.Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (int(size + _SPARE),) * 2)
    pipe.send("ready")
    while True:
        try:
            kind, row, number = pipe.recv()
        except EOFError:
            return
        place = pathlib.Path(tempfile.mkdtemp(prefix="hostile-"))
        os.chdir(place)
        os.write(2, f"\n{kind}/{number} {row}\n".encode())
        rng = random.Random(f"{seed} {kind} {number}")
        try:
            try:
                prepared = kinds.trial(kind, row, rng, place, root, computed)
            except Exception:  # a fault of the campaign itself, which must not look like a good outcome
                message = traceback.format_exc()[-300:]
                result = {"outcome": "not prepared", "message": message, "seconds": 0}
            else:
                pipe.send(trial.readable(prepared.detail))
                result = trial.run(prepared)
        finally:
            os.chdir("/")
            with contextlib.suppress(OSError):
                shutil.rmtree(place)
        result["memory"] = trial._memory("VmRSS")
        pipe.send(result)
