"""The kinds of cases, and which cases a campaign has."""

from hostile import control, data, exports, models

KINDS = {"models": models, "exports": exports, "data": data}
_ALL = {**KINDS, "control": control}
CASES = {"models": 10_000, "exports": 2_000, "data": 500}


def cases(kind: str, count: int) -> list[tuple[str, str, int]]:
    """Cases (kind, row, number) of one kind: every row comes as often as its share says, from the first cases on."""
    rows = {row: share for row, (share, _) in _ALL[kind].ROWS.items()}
    turns = [row for turn in range(max(rows.values())) for row, share in rows.items() if share > turn]
    return [(kind, turns[number % len(turns)], number) for number in range(count)]


def trial(kind, row, *arguments):
    """The prepared `hostile.trial.Trial` of a case."""
    return _ALL[kind].trial(row, *arguments)


def warm_up():
    """Import what reading needs, so that the first case does not pay for it."""
    import tensorflow  # noqa: F401

    import zoo

    zoo.load, zoo.lite, zoo.data  # noqa: B018
