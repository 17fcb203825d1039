"""docs/signals.md and README's section on signals: their code runs, in order, on recordings that this test makes."""

import contextlib
import io
import pathlib
import re
import shlex
import wave

import numpy as np
import pytest
from click.testing import CliRunner

import zoo
from zoo.cli import main

ROOT = pathlib.Path(__file__).parents[2]
RATE, FAULT = 500, (30, 45)  # Hz; seconds
TEXT = (ROOT / "docs" / "signals.md").read_text(encoding="utf-8")
README = re.search(r"### Signals, sound and tables\n(.*?)\n### ", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)[1]


def vibration(seconds, seed, fault=(0, 0), rate=RATE, channels=3):
    """Two sinusoids and noise, in g; and a third sinusoid while there is a fault."""
    random = np.random.default_rng(seed)
    time = np.arange(seconds * rate) / rate
    base = np.sin(2 * np.pi * 25 * time) + 0.5 * np.sin(2 * np.pi * 50 * time + 1)
    faulty = (time >= fault[0]) & (time < fault[1])
    signal = base + 0.3 * faulty * np.sin(2 * np.pi * 120 * time)
    strengths = np.array([1, 0.6, 0.2])[:channels]
    return time, signal[:, None] * strengths + random.normal(0, 0.1, (len(time), channels)), faulty


def write_csv(path, time, values, labels=None):
    columns = [time, *values.T, *([] if labels is None else [labels])]
    header = "time,x,y,z" + ("" if labels is None else ",label")
    np.savetxt(path, np.stack(columns, axis=1), "%.4f", ",", header=header, comments="")
    if labels is not None:
        path.write_text(re.sub(r"([01])\.0000$", r"\1", path.read_text(), flags=re.MULTILINE))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("signals")
    write_csv(folder / "pump.csv", *vibration(210, 0)[:2])
    write_csv(folder / "pump_test.csv", *vibration(60, 1, FAULT))
    write_csv(folder / "other_pump.csv", *vibration(120, 2)[:2])
    _, sound, _ = vibration(60, 3, rate=8000, channels=1)
    with wave.open(str(folder / "pump.wav"), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes((sound * 8000).astype("<i2").tobytes())
    return folder


def run(text, names):
    """Run the code of a document, block by block; commands in this process. Returns what each block printed."""
    printed = []
    for language, code in re.findall(r"```(python|sh|toml)\n(.*?)```", text, re.DOTALL):
        output = io.StringIO()
        if language == "python":
            with contextlib.redirect_stdout(output):
                exec(compile(code, f"<{code.splitlines()[0]}>", "exec"), names)
        elif language == "toml":
            pathlib.Path("pump_recipe").mkdir()
            pathlib.Path("pump_recipe/recipe.toml").write_text(code, encoding="utf-8")
        else:
            for line in code.splitlines():
                command = shlex.split(line, comments=True)
                if command and command[0] == "zoo":
                    result = CliRunner().invoke(main, command[1:])
                    assert result.exit_code == 0, (line, result.output, result.exception)
                    output.write(result.stdout)
        printed.append(output.getvalue())
    return printed


@pytest.fixture(scope="module")
def followed(folder):
    names = {}
    with contextlib.chdir(folder):
        names["printed"] = run(TEXT, names)
    return names


def test_the_tutorial_finds_the_fault(followed, folder):
    measured = followed["measured"]
    assert measured["auroc"] > 0.95
    assert measured["f1_at_threshold"] > 0.9
    assert {"pca_auroc", "isolation_forest_auroc", "nearest_neighbours_auroc"} <= set(measured)
    alarms = [window.time for window in followed["results"] if window.alarm]
    assert FAULT[0] - 0.5 <= alarms[0] <= FAULT[0] + 2
    assert alarms[-1] <= FAULT[1] + 2
    trained = zoo.load(folder / "trained")
    assert trained.threshold > 0
    assert trained.preprocessing[0].is_fitted


def test_the_tutorial_s_files(followed, folder):
    assert (folder / "exported" / "model.tflite").stat().st_size < 100_000
    lite = zoo.lite.load(folder / "exported" / "model.tflite")
    assert (lite.sampling_rate, lite.unit) == (RATE, "g")
    assert lite.threshold == pytest.approx(followed["model"].threshold)
    raw = zoo.lite.load(folder / "raw" / "model.tflite")
    assert raw.contract.dtype == "int16"
    header = (folder / "micro" / "micro" / "model.h").read_text(encoding="utf-8")
    assert "kArenaBytes" in header
    rows = [line.split(",") for line in followed["printed"][-1].splitlines() if line[0].isdigit()]
    assert [row[2] for row in rows] == [str(int(window.alarm)) for window in followed["results"]]


def test_errors_are_those_of_the_table(followed):
    """Each message of the table comes from the code next to it."""
    rows = re.findall(r"^\| `(.+?)` \| `(.+?)` \|", TEXT, re.MULTILINE)
    assert len(rows) >= 8
    for code, message in rows:
        with pytest.raises(zoo.ZooError) as error:
            exec(code, dict(followed))
        for part in message.split("…"):
            assert part.strip() in str(error.value), (code, str(error.value))


def test_the_readme_s_section_runs(followed, folder):
    names = {"zoo": zoo, "samples": followed["recording"], "normal": followed["held_out"]}
    with contextlib.chdir(folder):
        (printed,) = run(README.replace("epochs=30", "epochs=4"), names)
    alarms = [float(time) for time in re.findall(r"^([\d.]+) [\d.]+ True$", printed, re.MULTILINE)]
    assert FAULT[0] - 0.5 <= alarms[0] <= FAULT[0] + 2
    assert len(README.split("```")[1].strip().splitlines()) <= 11  # with the line of its language
