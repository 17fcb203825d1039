"""A sample of the campaign of docs/security.md, and proof that the campaign notices what it looks for."""

import collections
import json
import random

import numpy as np
import pytest
from hostile import campaign, commands, control, kills, kinds, models, report, trial, victims, worker

SEED = 99  # not the one of the page
SAMPLE = {"models": 93, "exports": 70, "data": 42}


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
    for form in (models.FOUND, models.SEALED, models.UNSEALED):
        assert any(form in r["detail"] and r["outcome"] == "same numbers" for r in results.values()), form

    campaign.run(state, cases, SEED, report=lambda result: pytest.fail("it is done already"))


@pytest.mark.parametrize("checked", [True, False])
def test_without_a_manifest_other_numbers_would_be_noticed(state, tmp_path, monkeypatch, checked):
    if not checked:
        monkeypatch.setattr("zoo.core.manifest._checked", lambda folder, name, entry: (folder / name).read_bytes())
    with np.load(state / campaign.VICTIMS / victims.SAMPLES) as stored:
        computed = dict(stored)
    outcomes = collections.Counter()
    for number in range(60):
        place = tmp_path / str(number)
        place.mkdir()
        row = "config.json, structure"
        case = kinds.trial("models", row, random.Random(number), place, state / campaign.VICTIMS, computed)
        if models.FOUND in case.detail:
            outcomes[trial.run(case)["outcome"]] += 1
    assert outcomes["refused"] > 5
    assert (outcomes["other numbers"] > 0) is not checked, outcomes


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
