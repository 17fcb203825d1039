"""All cases, by several workers, with every result kept at once."""

import concurrent.futures
import json
import pathlib
import queue

from hostile import kills, victims
from hostile.worker import Worker

RESULTS, VICTIMS, LOGS = "results.jsonl", "victims", "logs"


def prepare(state: pathlib.Path, *, few: bool = False) -> pathlib.Path:
    """The folder of the victims below the folder of a campaign, made where there is none."""
    root = state / VICTIMS
    if not (root / victims.SAMPLES).is_file():
        root.mkdir(parents=True, exist_ok=True)
        victims.build(root, few=few)
    (state / LOGS).mkdir(exist_ok=True)
    return root


def known(state: pathlib.Path, seed: int) -> dict:
    """What is done already: name of the case to its result."""
    path = state / RESULTS
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else ()
    return {result["case"]: result for result in map(json.loads, lines) if result["seed"] == seed}


def run(state, cases, seed, *, workers=2, report=lambda result: None):
    """Do the cases that are not done yet; a line of results.jsonl is written as soon as a case is done.

    Args:
        state: folder of the campaign, see `prepare`.
        cases: list of (kind, row, number), see `kinds.cases`.
        seed: of all cases.
        workers: number of processes.
        report: function of a result, called with each new one.
    """
    done = known(state, seed)
    left = queue.SimpleQueue()
    for case in cases:
        if f"{case[0]}/{case[2]}" not in done:
            left.put(case)
    results = queue.SimpleQueue()

    def work(number):
        worker = Worker(state / VICTIMS, seed, state / LOGS / f"worker-{number}.log")
        try:
            while True:
                results.put(worker.do(left.get_nowait()))
        except queue.Empty:
            pass
        finally:
            worker.close()
            results.put(None)

    with (
        concurrent.futures.ThreadPoolExecutor(workers) as pool,
        open(state / RESULTS, "a", encoding="utf-8") as file,
    ):
        working = [pool.submit(work, number) for number in range(workers)]
        ended = 0
        while ended < workers:
            result = results.get()
            if result is None:
                ended += 1
                continue
            result["seed"] = seed
            file.write(json.dumps(result) + "\n")
            file.flush()
            report(result)
        for future in working:
            future.result()


def run_kills(state, seed, *, report=lambda result: None):
    """Kill the writers that were not killed yet, one after the other, as `run` does cases."""
    done = known(state, seed)
    with open(state / RESULTS, "a", encoding="utf-8") as file:
        for result in kills.campaign(state / "kills", seed, done):
            file.write(json.dumps({**result, "seed": seed}) + "\n")
            file.flush()
            report(result)


def alone(state, case, seed):
    """The result of one case."""
    worker = Worker(state / VICTIMS, seed, state / LOGS / "alone.log")
    try:
        return worker.do(case)
    finally:
        worker.close()
