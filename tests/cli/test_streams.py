"""The command as a process: what it does with streams, terminals and names that are not as expected."""

import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import zoo
from tests.recipes.test_recipe import RECIPE
from zoo.cli import main
from zoo.core.errors import ConfigError

ZOO = f"{sys.executable} -m zoo.cli"
PAPER = "mnist-paper-denoising-gaussian-18432"  # its latent shape has multiplication signs


def shell(command, **environment):
    """Exit code, and what arrives on standard output and standard error as bytes; `zoo` in a command is the command."""
    line = command.replace("zoo ", f"{ZOO} ", 1)
    variables = {key: value for key, value in {**os.environ, **environment}.items() if value is not None}
    result = subprocess.run(["bash", "-o", "pipefail", "-c", line], capture_output=True, env=variables, timeout=60)
    return result.returncode, result.stdout, result.stderr


FULL = b"Error: Cannot write to standard output: No space left on device.\n"


@pytest.mark.parametrize(
    ("command", "code", "output", "error"),
    [
        ("zoo list | head -1", 0, b"name ", b""),
        ("zoo list | true", 0, b"", b""),
        ("zoo list --json | true", 0, b"", b""),
        (f"zoo show {PAPER} | true", 0, b"", b""),
        ("zoo --help | true", 0, b"", b""),
        ("zoo list --help | true", 0, b"", b""),
        ("zoo absent 2>&1 | true", 2, b"", b""),
        ("zoo list > /dev/full", 2, b"", FULL),
        ("zoo > /dev/full", 2, b"", FULL),
        ("zoo list --help > /dev/full", 2, b"", FULL),
        ("zoo show absent 2> /dev/full", 2, b"", b""),
        ("zoo list <&-", 0, b"name ", b""),
        ("zoo list >&-", 0, b"", b""),
        ("zoo list 2>&-", 0, b"name ", b""),
        ("zoo absent 2>&-", 2, b"", b""),
        ("zoo list <&- >&- 2>&-", 0, b"", b""),
        ("zoo list --bogus", 2, b"", b"Error: No such option '--bogus'. See python -m zoo.cli list --help.\n"),
        ("zoo show", 2, b"", b"Error: Missing argument 'NAME'. See python -m zoo.cli show --help.\n"),
        ("zoo benchmark | head -1", 0, b"Usage: ", b""),
        ("zoo ''", 2, b"", b"Error: No such command ''. See python -m zoo.cli --help.\n"),
        ("zoo show $'\\xff\\n\\e[2J'", 2, b"", b"Error: Unknown pretrained model '\\udcff\\n\\x1b[2J'.\n"),
    ],
)
def test_streams(command, code, output, error):
    received = shell(command)
    assert (received[0], received[2]) == (code, error)
    assert received[1].startswith(output) and bool(received[1]) == bool(output)


@pytest.mark.parametrize(
    ("environment", "shape"),
    [
        ({"LANG": "C", "LC_ALL": "C"}, "24×24×32"),  # Python takes UTF-8 then
        ({"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, "24x24x32"),
        ({"PYTHONIOENCODING": "ascii"}, "24x24x32"),
        ({"PYTHONIOENCODING": "latin-1"}, "24×24×32"),
        ({"HOME": None}, "24×24×32"),
        ({"HOME": "/proc/absent"}, "24×24×32"),
        ({"TERM": "dumb", "NO_COLOR": "1", "COLUMNS": "40"}, "24×24×32"),
    ],
)
def test_environments(environment, shape):
    encoding = environment.get("PYTHONIOENCODING", "utf-8")
    code, output, error = shell(f"zoo list {PAPER}", **environment)
    assert (code, error) == (0, b"")
    assert output.decode(encoding).splitlines()[-1].replace("|", "").split() == [
        PAPER,
        shape,
        "220",
        "0.00367",
        "0.9193",
    ]


def in_terminal(command, columns):
    """What a command prints in a terminal of so many columns."""
    script = f"stty cols {columns}; {command}"
    environment = {key: value for key, value in os.environ.items() if key != "COLUMNS"}
    program = "import pty, sys, os; sys.exit(os.waitstatus_to_exitcode(pty.spawn(['bash', '-c', sys.argv[1]])))"
    result = subprocess.run(
        [sys.executable, "-c", program, script],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env={**environment, "NO_COLOR": "1", "TERM": "xterm"},
        timeout=60,
    )
    assert result.returncode == 0, result.stderr
    return re.sub(r"\x1b\[[0-9;]*m", "", result.stdout)


@pytest.mark.parametrize("columns", [20, 40, 80])
def test_no_number_is_lost_in_a_narrow_terminal(columns):
    lines = in_terminal(f"{ZOO} list 'mnist-feed-forward-*'", columns).splitlines()
    text = "\n".join(lines)
    for card in map(zoo.card, zoo.list_pretrained("mnist-feed-forward-*")):
        assert f"{card.metrics['mse']:.5f}"[:6] in text
        assert f"{card.metrics['knn_accuracy']:.4f}"[:6].rstrip("0") in text
    if columns >= 40:
        assert max(map(len, lines)) <= columns


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """An exported file, and a folder of images whose names are no UTF-8, have newlines, commas and escape sequences."""
    folder = tmp_path_factory.mktemp("files")
    zoo.export(zoo.feed_forward((4, 4, 1), 2), folder / "exported", "tflite")
    inner = os.fsencode(folder / "pictures") + b"/\xfe"
    os.makedirs(inner)  # noqa: PTH103 - of bytes
    for name in (b"\xff.png", b"a\nb.png", b'"c",d.png', b"\x1b[2J.png"):
        with open(inner + b"/" + name, "wb") as file:
            Image.fromarray(np.zeros((4, 4), "uint8")).save(file, "png")
    np.save(folder / "many.npy", np.zeros((5000, 4, 4, 1), "float32"))
    return folder


def test_scores_of_files_with_any_name(files):
    file = files / "exported" / "model.tflite"
    code, output, error = shell(f"zoo score {file} {files}/pictures")
    assert (code, error) == (0, b"")
    names = [line.rsplit(",", 1)[0] for line in output.decode().replace("a\nb", "a|b").splitlines()[1:]]
    assert names == ["\\xfe/\x1b[2J.png", '"\\xfe/""c"",d.png"', '"\\xfe/a|b.png"', "\\xfe/\\xff.png"]
    assert "\x1b[2J" not in in_terminal(f"{ZOO} score {file} {files}/pictures", 80)


def test_scores_nobody_waits_for(files):
    file = files / "exported" / "model.tflite"
    assert shell(f"zoo score {file} {files}/many.npy | head -1") == (0, b"sample,score\n", b"")
    assert shell(f"zoo score {file} {files}/many.npy > /dev/full") == (2, b"", FULL)
    code, _, error = shell(f"zoo encode {file} {files}/many.npy -o {files}/unread.npy | true")
    assert (code, error) == (0, b"") and np.load(files / "unread.npy").shape == (5000, 2)


def test_codes_go_where_they_are_sent_and_nowhere_else(files, tmp_path):
    file, data = files / "exported" / "model.tflite", files / "pictures"
    for name in (b"\xff.npy", b"new/folder/a\nb.npy", b"codes"):
        path = os.fsencode(tmp_path) + b"/" + name
        command = [*map(os.fsencode, [sys.executable, "-m", "zoo.cli", "encode", file, data, "-o"]), path]
        assert subprocess.run(command, capture_output=True).stderr == b""
        with open(path, "rb") as stored:
            assert np.load(stored).shape == (4, 2)
    # Closed streams leave their numbers to the next files that are opened.
    assert shell(f"zoo encode {file} {data} -o {tmp_path}/closed.npy <&- >&- 2>&-")[0] == 0
    assert np.load(tmp_path / "closed.npy").shape == (4, 2)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for name in ("folder", "pipe"):
        code, output, error = shell(f"zoo encode {file} {data} -o {tmp_path}/{name}")
        assert (code, output) == (2, b"")
        assert error.decode() == (
            f"Error: Cannot write the file '{tmp_path}/{name}': in its place is a folder, a device or a pipe.\n"
        )
    assert (tmp_path / "folder").is_dir() and (tmp_path / "pipe").is_fifo()
    for name in ("codes/x.npy", "x" * 300, "/proc/x.npy"):
        code, output, error = shell(f"zoo encode {file} {data} -o {tmp_path / name}")
        assert (code, output, len(error.splitlines())) == (2, b"", 1), error
        assert error.startswith(b"Error: ") and b"unexpected" not in error


def test_a_training_nobody_watches_is_completed(tmp_path):
    (tmp_path / "recipe.toml").write_text(RECIPE)
    code, output, error = shell(f"zoo train {tmp_path}/recipe.toml -o {tmp_path}/out | true")
    assert (code, output, b"Error" in error) == (0, b"", False)
    assert zoo.card(tmp_path / "out").metrics["mse"] > 0


@pytest.mark.parametrize("threshold", ["nan", "inf", "-1", "many"])
def test_a_threshold_is_a_number(files, threshold):
    code, output, error = shell(f"zoo score {files}/exported/model.tflite {files}/many.npy --threshold {threshold}")
    assert (code, output) == (2, b"")
    assert error.startswith(b"Error: Invalid value for '--threshold': ") and error.count(b"\n") == 1


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (ConfigError("two\nlines\x1b[2J"), 2, "Error: two lines\\x1b[2J"),
        (
            ZeroDivisionError("division by zero"),
            2,
            "Error: unexpected ZeroDivisionError: division by zero - a fault of",
        ),
        (RecursionError("too deep"), 2, "Error: unexpected RecursionError: too deep"),
        (ValueError("x" * 10_000), 2, "Error: unexpected ValueError: xxx"),
        (MemoryError(), 2, "Error: There is not enough memory for this."),
        (OSError(28, "No space left on device", "codes.npy"), 2, "Error: No space left on device: 'codes.npy'."),
        (OSError("of a library"), 2, "Error: of a library."),
        (EOFError("ran out of input"), 2, "Error: unexpected end of a file: ran out of input."),
        (KeyboardInterrupt(), 130, "Interrupted."),
    ],
)
def test_whatever_goes_wrong_is_one_line(error, code, line, monkeypatch, capsys):
    def fail(*arguments, **keywords):
        raise error

    monkeypatch.setattr("zoo.catalog.lookup.cards", fail)
    monkeypatch.delenv("ZOO_TRACEBACK", raising=False)
    with pytest.raises(SystemExit) as stopped:
        main(["list"])
    assert stopped.value.code == code
    told = capsys.readouterr().err.strip()
    assert told.startswith(line) and "\n" not in told and len(told) < 500
    monkeypatch.setenv("ZOO_TRACEBACK", "1")
    with pytest.raises(SystemExit):
        main(["list"])
    assert ("Traceback" in capsys.readouterr().err) == (code == 2)


def test_warnings_are_lines(monkeypatch, capsys):
    import warnings

    def warn(*arguments, **keywords):
        warnings.warn("first\nsecond", stacklevel=1)
        return []

    monkeypatch.setattr("zoo.catalog.lookup.cards", warn)
    with pytest.raises(SystemExit) as stopped:
        main(["list", "--json"])
    assert stopped.value.code == 0
    received = capsys.readouterr()
    assert (json.loads(received.out), received.err) == ([], "Warning: first second\n")


def test_results_that_lack_something(tmp_path, capsys):
    path = tmp_path / "benchmark.json"
    for benchmark in ("train", "export"):
        path.write_text(json.dumps({"benchmark": benchmark, "models": {"a": 1}}))
        with pytest.raises(SystemExit) as stopped:
            main(["benchmark", benchmark, "--from-json", str(path), "-o", str(tmp_path / "out")])
        assert stopped.value.code == 2
        assert f"Error: '{path}': the results are incomplete (KeyError: " in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
