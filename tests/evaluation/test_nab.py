"""NAB's score against numbers that NAB 1.1 publishes with its results."""

import csv
import io
import json
import os
import pathlib
import zipfile

import numpy as np
import pytest

from zoo.core.errors import DataError, UnknownNameError
from zoo.evaluation import nab
from zoo.evaluation.nab import best_nab_score, nab_score, windows_between

# realTraffic/speed_7578.csv: windows in combined_windows.json, and the rows at which Numenta's detector is above
# 0.5126953125 in results/numenta. Of the four windows it misses one, and raises three false alarms.
WINDOWS = [(303, 331), (740, 768), (909, 937), (945, 973)]
NUMENTA = [363, 632, 679, 754, 924, 960, 966]
ARCHIVE = pathlib.Path(os.environ.get("ZOO_DATA_DIR", "absent")) / "nab_v1.1.zip"


def alarms(points, at):
    found = np.zeros(points, bool)
    found[at] = True
    return found


def raw(score, windows):
    """The sum that NAB publishes for a file, of a normalised score in the standard profile."""
    return score / 100 * 2 * windows - windows


def test_a_published_detector():
    score = nab_score([(alarms(1127, NUMENTA), WINDOWS)])
    assert raw(score, 4) == pytest.approx(1.23649741556, abs=1e-10)


@pytest.mark.parametrize(
    ("before_the_end", "width", "published"), [(202, 403, 0.86067182427), (211, 403, 0.875727409493)]
)
def test_one_published_alarm_in_a_window(before_the_end, width, published):
    """Numenta in art_daily_jumpsup.csv and ec2_cpu_utilization_ac20cd.csv."""
    window = 2000, 2000 + width - 1
    score = nab_score([(alarms(4032, [window[1] + 1 - before_the_end, window[1]]), [window])])
    assert raw(score, 1) == pytest.approx(published, abs=1e-11)


@pytest.mark.parametrize("profile", nab.PROFILES)
def test_null_and_perfect_detector(profile):
    series = [(1127, WINDOWS), (4000, []), (500, [(100, 130)])]
    null = [(alarms(points, []), windows) for points, windows in series]
    perfect = [(alarms(points, [first for first, _ in windows]), windows) for points, windows in series]
    assert nab_score(null, profile) == pytest.approx(0, abs=1e-12)
    assert nab_score(perfect, profile) == pytest.approx(100)


def test_profiles_weigh_false_alarms_and_misses():
    one_false = [(alarms(1127, [200, 303, 740, 909, 945]), WINDOWS)]
    assert nab_score(one_false) == pytest.approx(100 * (8 - 0.11) / 8)
    assert nab_score(one_false, "reward_low_FP_rate") == pytest.approx(100 * (8 - 0.22) / 8)
    one_missed = [(alarms(1127, [303, 740, 909]), WINDOWS)]
    assert nab_score(one_missed) == pytest.approx(75)
    assert nab_score(one_missed, "reward_low_FN_rate") == pytest.approx(75)
    soon_after = [(alarms(1127, [303, 333, 740, 909, 945]), WINDOWS)]
    assert nab_score(one_false) < nab_score(soon_after) < 100


@pytest.mark.parametrize(
    ("rows_after", "cost"), [(70, 1 - 2 / (1 + np.exp(12.5))), (84, 1), (28, 1 - 2 / (1 + np.exp(5))), (700, 1)]
)
def test_a_false_alarm_costs_more_the_farther_from_the_window_before_it(rows_after, cost):
    score = nab_score([(alarms(1127, [303, 331 + rows_after]), [(303, 331)])])
    assert raw(score, 1) == pytest.approx(1 - 0.11 * cost, abs=1e-12)


def test_alarms_in_the_first_share_do_not_count():
    assert nab_score([(alarms(1127, range(169)), WINDOWS)]) == pytest.approx(0, abs=1e-12)
    assert nab_score([(alarms(1127, [169]), WINDOWS)]) < 0
    long = [(alarms(20_000, [749]), [(5000, 5100)])]
    assert nab_score(long) == pytest.approx(0, abs=1e-12)  # 750 points at most
    assert nab_score([(alarms(20_000, [750]), [(5000, 5100)])]) == pytest.approx(-5.5)


def test_the_best_threshold_is_what_trying_all_finds():
    generator = np.random.default_rng(0)
    series = [(generator.random(n).round(2) + (np.arange(n) % 97 == 5), w) for n, w in ((1127, WINDOWS), (600, []))]
    best = best_nab_score(series)
    levels = np.unique(np.concatenate([scores for scores, _ in series]))
    tried = [nab_score([(scores > level, windows) for scores, windows in series]) for level in [-1, *levels]]
    assert best.score == pytest.approx(max(tried))
    assert nab_score([(scores > best.threshold, windows) for scores, windows in series]) == pytest.approx(best.score)
    nothing = best_nab_score([(np.where(alarms(1127, [200]), 1.0, 0.0), WINDOWS)])
    assert nothing == (0, 1)  # no alarm is better than these


@pytest.mark.skipif(not ARCHIVE.is_file(), reason="nab_v1.1.zip is not in ZOO_DATA_DIR")
def test_the_corpus_gives_the_published_sum_of_the_null_detector():
    series = []
    with zipfile.ZipFile(ARCHIVE) as archive:
        for name, limits in json.loads(archive.read("labels/combined_windows.json")).items():
            with archive.open(f"data/{name}") as file:
                times = [row["timestamp"] for row in csv.DictReader(io.TextIOWrapper(file))]
            series.append((len(times), windows_between(times, limits)))
            if name == "realTraffic/speed_7578.csv":
                assert series[-1] == (1127, WINDOWS)
    assert (len(series), sum(n for n, _ in series), sum(len(w) for _, w in series)) == (58, 365_558, 116)
    assert sum(nab._raw(alarms(n, []), w, nab.PROFILES["standard"]) for n, w in series) == -116
    assert sum(nab._raw(alarms(n, []), w, nab.PROFILES["reward_low_FN_rate"]) for n, w in series) == -232
    assert nab_score([(alarms(n, [first for first, _ in w]), w) for n, w in series]) == pytest.approx(100)


def test_windows_by_time():
    assert windows_between([0.0, 0.5, 1.0, 1.5], [(0.5, 1.2)]) == [(1, 2)]
    times = ["2015-09-11 15:34:00", "2015-09-11 15:39:00", "2015-09-11 15:44:00"]
    assert windows_between(times, [("2015-09-11 15:39:00.000000", "2015-09-11 15:44:00.000000")]) == [(1, 2)]


def test_errors():
    with pytest.raises(UnknownNameError, match="Unknown profile 'standrad'. Did you mean 'standard'"):
        nab_score([], "standrad")
    with pytest.raises(DataError, match="at least one window"):
        nab_score([(alarms(100, [50]), [])])
    with pytest.raises(DataError, match="at least one window that ends after its first 15 %"):
        nab_score([(alarms(100, [50]), [(2, 10)])])
    for windows in ([(50, 60), (60, 70)], [(60, 50)], [(50, 100)], [(50, 60), (20, 30)]):
        with pytest.raises(DataError, match=r"in \[0, 100\), in order and apart"):
            nab_score([(alarms(100, []), windows)])
