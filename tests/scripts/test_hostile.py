"""A sample of the campaign of docs/security.md, and proof that the campaign notices what it looks for."""

import json

import pytest
from hostile import campaign, commands, control, kills, kinds, report, trial, worker

SEED = 99  # not the one of the page
SAMPLE = {"models": 155, "exports": 70, "data": 42}


@pytest.fixture(scope="module")
def state(tmp_path_factory):
    folder = tmp_path_factory.mktemp("campaign")
    campaign.prepare(folder, few=True)
    return folder


def test_a_sample_of_the_campaign(state):
    cases = [case for kind, count in SAMPLE.items() for case in kinds.cases(kind, count)]
    campaign.run(state, cases, SEED)
    results = campaign.known(state, SEED)
    assert len(results) == len(cases)
    assert [result for result in results.values() if result["outcome"] in trial.FAULTS] == []
    counts = report.counted(results.values())
    for kind in kinds.KINDS:
        rows = counts[kind]
        assert all(rows.values()), f"every row of {kind} has cases"
        totals = {good: sum(count.get(good, 0) for count in rows.values()) for good in trial.GOOD}
        assert totals["refused"] > SAMPLE[kind] / 3, kind
        assert totals["read" if kind == "data" else "same numbers"] > 0, f"not everything of {kind} is refused"

    campaign.run(state, cases, SEED, report=lambda result: pytest.fail("it is done already"))


def test_what_the_campaign_looks_for_is_noticed(state):
    doing = worker.Worker(state / campaign.VICTIMS, SEED, state / "control.log", seconds=2, warm=False)
    try:
        results = [doing.do(case) for case in kinds.cases("control", len(control.ROWS))]
    finally:
        doing.close()
    assert len(results) == 7
    assert [result["outcome"] for result in results] == [result["row"] for result in results]


def test_the_page_shows_the_committed_outcomes():
    summary = json.loads(commands.SUMMARY.read_text(encoding="utf-8"))
    text = commands.PAGE.read_text(encoding="utf-8")
    assert commands.page(text, summary) == text
    assert report.faults(summary["counts"]) == 0
    for kind, count in kinds.CASES.items():
        assert set(summary["counts"][kind]) == set(kinds.KINDS[kind].ROWS), "run scripts/hostile.py --write again"
        assert sum(sum(outcomes.values()) for outcomes in summary["counts"][kind].values()) == count
    assert list(summary["counts"]["kills"]) == kills.rows()
    assert all(
        sum(outcomes.values()) >= 20 for row, outcomes in summary["counts"]["kills"].items() if "full" not in row
    )
