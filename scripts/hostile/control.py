"""Cases that are wrong on purpose: each does what its row says, to prove that a campaign would notice."""

import os
import time

from hostile.trial import Trial

ROWS = {
    "other numbers": (1, lambda place: "other numbers"),
    "foreign exception": (1, lambda place: {}["key"]),
    "touched outside": (1, lambda place: (place / "canary" / "secret.txt").read_text()),
    "wrote on read": (1, lambda place: (place / "data" / "file").write_text("other text")),
    "memory": (1, lambda place: len(b"x" * 1_100_000_000)),
    "crash": (1, lambda place: os.abort()),
    "hang": (1, lambda place: time.sleep(600)),
}


def trial(row, rng, place, root, computed):
    """The trial of a row."""
    for folder in ("canary", "data"):
        (place / folder).mkdir()
    (place / "canary" / "secret.txt").write_text("nobody's business")
    (place / "data" / "file").write_text("text")
    return Trial(row, row, place / "data", lambda: _done(ROWS[row][1](place)), place / "canary")


def _done(value):
    return value if value == "other numbers" else "read"
