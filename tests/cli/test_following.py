"""zoo score --follow: the same rows from every kind of file and pipe, at once, in constant memory, to a quiet end."""

import os
import re
import signal
import subprocess
import sys
import threading

import keras
import numpy as np
import pytest
import soundfile

import zoo
from tests.cli.test_streams import FULL, shell
from zoo.cli import main

RATE = 100


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A model of 20 samples, one of 20 x 2, and 130 samples of 16 bits in every format."""
    folder = tmp_path_factory.mktemp("signals")
    keras.utils.set_random_seed(0)
    for name, shape in (("one", (20,)), ("two", (20, 2))):
        zoo.export(
            zoo.feed_forward(shape, 3, (8,), output_activation="linear"), folder / name, "tflite", threshold=0.09
        )
    zoo.export(zoo.feed_forward((20,), 3, (8,)), folder / "without", "tflite")
    whole = np.random.default_rng(0).integers(-16384, 16384, (130, 2), dtype="int16")
    for name, integers in (("one", whole[:, :1]), ("two", whole)):
        values = integers / np.float32(32768)
        rows = [",".join(map(str, row)) for row in values.tolist()]
        timed = "time;a;b\n".encode("utf-8-sig") + "".join(f"{i}:0;{r}\r\n" for i, r in enumerate(rows)).encode()
        for suffix, content in (
            ("s16le", integers.astype("<i2").tobytes()),
            ("f32le", values.astype("<f4").tobytes()),
            ("csv", "\n".join(rows).encode()),
            ("timed.csv", timed.replace(b",", b";")),
            ("tsv", "\n".join(["x\ty", "", *rows, ""]).replace(",", "\t").encode()),
            ("spaces", "\n".join(rows).replace(",", "   ").encode()),
        ):
            (folder / f"{name}.{suffix}").write_bytes(content)
        soundfile.write(folder / f"{name}.wav", integers, RATE)
        soundfile.write(folder / f"{name}.flac", integers, 8000)
    return folder


def rows(files, name, times=True, k=1, n=1, **options):
    stream = zoo.lite.Stream(zoo.lite.load(files / name / "model.tflite"), k=k, n=n, **options)
    samples = np.frombuffer((files / f"{name}.f32le").read_bytes(), "<f4").reshape(130, -1)
    windows = stream.push(samples)
    first = [f"{w.start / RATE:.6f}" if times else str(w.start) for w in windows]
    lines = [f"{t},{w.score:.9g},{int(w.alarm)}" for t, w in zip(first, windows, strict=True)]
    return "\n".join([f"{'time' if times else 'sample'},score,alarm", *lines, ""])


def run(capsys, *arguments):
    """Code, output and error of the command in this process."""
    with pytest.raises(SystemExit) as stopped:
        main(list(map(str, arguments)))
    received = capsys.readouterr()
    return stopped.value.code, received.out, received.err


@pytest.mark.parametrize("name", ["one", "two"])
def test_every_format(files, name, capsys):
    model = files / name / "model.tflite"
    expected = rows(files, name)
    assert {line[-1] for line in expected.split()[1:]} == {"0", "1"}
    for suffix, options in (
        ("wav", []),
        ("csv", ["--sampling-rate", RATE]),
        ("timed.csv", ["--sampling-rate", RATE, "--channels", 1 if name == "one" else 2]),
        ("tsv", ["--sampling-rate", RATE]),
        ("spaces", ["--format", "csv", "--sampling-rate", RATE]),
        ("f32le", ["--format", "f32le", "--sampling-rate", RATE]),
        ("s16le", ["--format", "s16le", "--scale", "1/32768", "--sampling-rate", RATE]),
    ):
        arguments = ["score", model, files / f"{name}.{suffix}", "--follow", *options]
        assert run(capsys, *arguments) == (0, expected, ""), suffix
    assert run(capsys, "score", model, files / f"{name}.flac", "--follow")[1].splitlines()[2].startswith("0.002500,")
    other = run(capsys, "score", model, files / f"{name}.csv", "--follow", "--hop", 7, "--alarm", "2/3")
    assert other == (0, rows(files, name, False, 2, 3, hop=7), "")
    assert other[1] != rows(files, name, False, hop=7)
    scaled = run(capsys, "score", model, files / f"{name}.wav", "--follow", "--scale", 3, "--threshold", 0.5)[1]
    assert scaled.splitlines()[1] != expected.splitlines()[1]


def test_pipes_without_tensorflow(files):
    model = files / "two" / "model.tflite"
    for suffix, format_ in (("csv", "csv"), ("wav", "audio"), ("s16le", "s16le --scale 1/32768"), ("f32le", "f32le")):
        rate = "" if suffix == "wav" else f"--sampling-rate {RATE}"
        command = f"zoo score {model} - --follow --format {format_} {rate} < <(cat {files}/two.{suffix})"
        assert shell(command) == (0, rows(files, "two").encode(), b""), suffix
    code = (
        "import sys; from zoo.cli import main;"
        f"main(['score', {str(model)!r}, {str(files / 'two.wav')!r}, '--follow'], standalone_mode=False);"
        "print('tensorflow' in sys.modules, 'keras' in sys.modules)"
    )
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout
    assert output == rows(files, "two") + "False False\n"


def command(*arguments):
    return [sys.executable, "-m", "zoo.cli", "score", *map(str, arguments)]


@pytest.mark.parametrize("end", ["interrupt", "end"])
def test_rows_come_at_once_and_the_end_is_quiet(files, end):
    """One row for each window, before anything of the next one is sent."""
    model, expected = files / "one" / "model.tflite", rows(files, "one", False).encode().splitlines(keepends=True)
    samples = (files / "one.f32le").read_bytes()
    process = subprocess.Popen(
        command(model, "-", "--follow", "--format", "f32le"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
    )
    watchdog = threading.Timer(60, process.kill)  # so that a row that does not come is no endless wait
    watchdog.start()
    assert process.stdout.readline() == expected[0]
    for number in range(3):
        process.stdin.write(samples[number * 80 : number * 80 + 33])
        process.stdin.write(samples[number * 80 + 33 : number * 80 + 80])
        assert process.stdout.readline() == expected[number + 1]
    if end == "interrupt":
        process.send_signal(signal.SIGINT)
    output, error = process.communicate()
    watchdog.cancel()
    assert (output, error, process.returncode) == (b"", b"", 130 if end == "interrupt" else 0)


def test_nobody_reads(files):
    model = files / "one" / "model.tflite"
    endless = f"zoo score {model} - --follow --format f32le --hop 1 < /dev/zero"
    code, output, error = shell(f"{endless} | head -2")
    assert (code, output.split(b"\n")[0], len(output.splitlines()), error) == (0, b"sample,score,alarm", 2, b"")
    assert shell(f"{endless} > /dev/full") == (2, b"", FULL)


def test_memory_is_flat(files):
    """50 MB through a pipe take as much memory as 1 MB."""
    peaks = []
    for megabytes in (1, 50):
        process = subprocess.Popen(
            command(files / "one" / "model.tflite", "-", "--follow", "--format", "f32le", "--hop", "1000"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        reader = subprocess.Popen(["wc", "-l"], stdin=process.stdout, stdout=subprocess.PIPE)
        process.stdout.close()
        for _ in range(megabytes * 10):
            process.stdin.write(bytes(100_000))
        process.stdin.close()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0
        assert int(reader.communicate()[0]) == megabytes * 250 + 1
        peaks.append(usage.ru_maxrss / 1000)
    assert peaks[1] < peaks[0] + 5, peaks


def test_samples_that_are_no_numbers(files, tmp_path, capsys):
    lines = (files / "one.csv").read_text().splitlines()
    lines[45], lines[46], lines[70] = "NaN", "", "n/a"  # an empty line is no row
    (tmp_path / "x.csv").write_text("\n".join(lines))
    code, output, error = run(capsys, "score", files / "one" / "model.tflite", tmp_path / "x.csv", "--follow")
    skipped = [line for line in output.splitlines() if ",," in line]
    assert (code, [line.split(",")[0] for line in skipped]) == (0, ["40", "60"])
    assert error == (
        "Warning: 2 windows have no score, because of samples that are missing, NaN or infinite: the first is number"
        " 45.\n"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("one one.s16le", "Say with --format what '"),
        ("one -", "Say with --format what standard input holds"),
        ("one one.s16le --format s16le", "float32 samples in the unit that it was trained on, and s16le are integers"),
        ("one two.wav", "The model takes signals of 1 channel. Received one of 2."),
        ("one one.csv --channels 3", "The model takes signals of 1 channel. Received one of 3."),
        ("two one.csv", "Line 1: expected 2 numbers, one for each channel of the model, or one field more"),
        ("one one.wav --sampling-rate 50", "--sampling-rate is 50, but the signal has 100."),
        ("one one.wav --sampling-rate 0", "Invalid value for '--sampling-rate'"),
        ("one one.csv --format audio", "is not audio that can be read: "),
        ("one absent.wav", "No such file"),
        ("one one", "Say with --format what "),
        ("one one --format csv", "Expected a regular file"),
        ("one one.csv --alarm 2", "Invalid value for '--alarm': '2' is not such as 3/5."),
        ("one one.csv --alarm 4/3", "k must not exceed n. Received k=4, n=3"),
        ("one one.csv --hop 0", "Invalid value for '--hop'"),
        ("one one.csv --scale 1/0", "Invalid value for '--scale'"),
        ("one one.csv --split test", "--split does not go with --follow"),
        ("without one.csv --alarm 1/2", "--alarm needs a threshold"),
        ("without one.wav", "samples lies outside [0, 1]"),
        ("one short.csv", "The signal is too short: a window is 20 samples. Received 19."),
        ("one words.csv", "Line 3: expected numbers. Received: 'three'."),
        ("one cut.f32le --format f32le", "ends in the middle of a sample: expected 4 bytes for each (1 of float32)"),
        ("one line.csv", "Expected lines of at most 1,000,000 bytes. Line 2 is longer."),
    ],
)
def test_errors(files, arguments, message, capsys):
    for name, content in (
        ("short.csv", b"1\n" * 19),
        ("words.csv", b"x\n2\nthree\n"),
        ("cut.f32le", bytes(402)),
        ("line.csv", b"1\n" + b"1" * 2_000_000),
    ):
        (files / name).write_bytes(content)
    model, data, *options = arguments.split()
    data = data if data == "-" else files / data
    code, _, error = run(capsys, "score", files / model / "model.tflite", data, "--follow", *options)
    assert code == 2
    assert error.startswith("Error: ") and message in error and error.count("\n") == 1, error


def test_a_model_that_takes_integers(files, tmp_path, capsys):
    """And the same model of floats, which knows what integers are worth."""
    backbone = zoo.feed_forward((20, 2), 3, (8,), output_activation="linear")
    raw = zoo.preprocessing.Rescale(1 / 200, integers="int16")
    model = zoo.detector(zoo.preprocessed(backbone, sampling_rate=RATE, unit="mV", raw=raw), threshold=9)
    zoo.export(model, tmp_path / "int16", "tflite", raw_input=True)
    zoo.export(model, tmp_path / "float32", "tflite")
    integers = np.frombuffer((files / "two.s16le").read_bytes(), "<i2").reshape(130, 2)
    (tmp_path / "x.csv").write_text("\n".join(f"{a},{b}" for a, b in integers))
    expected = model.score(integers[:120].reshape(6, 20, 2) / 200)
    for name, *arguments in (
        ("int16", files / "two.s16le", "--format", "s16le"),
        ("int16", files / "two.wav"),
        ("int16", tmp_path / "x.csv"),
        ("float32", files / "two.s16le", "--format", "s16le"),
        ("float32", tmp_path / "x.csv", "--scale", "1/200"),
    ):
        code, output, error = run(capsys, "score", tmp_path / name / "model.tflite", *arguments, "--follow")
        assert (code, error) == (0, "")
        table = np.array([line.split(",") for line in output.splitlines()[1:]], float)
        np.testing.assert_allclose(table[:, 0], np.arange(6) * 0.2)
        np.testing.assert_allclose(table[:, 1], expected, rtol=1e-5)
        np.testing.assert_array_equal(table[:, 2], expected > 9)
    for arguments, message in (
        (("x.csv", "--scale", 2), "takes int16 samples as they are: leave --scale out"),
        (("y.csv",), "The model takes int16 samples. Received 1, 0.5."),
        (("z.csv",), "The model takes int16 samples. Received 1, 40000."),
        (("n.csv",), "The model takes int16 samples. Received 1, nan."),
        (("f.wav",), "takes samples of dtype int16. Received a file of 32 bit float samples."),
        (("x.csv", "--sampling-rate", 50), "sampling rate of 50 Hz, the model takes 100 Hz"),
        (("r.wav",), "sampling rate of 8000 Hz, the model takes 100 Hz"),
    ):
        for name, value in (("y", "0.5"), ("z", "40000"), ("n", "")):
            (tmp_path / f"{name}.csv").write_text(f"0,0\n1,{value}\n")
        soundfile.write(tmp_path / "f.wav", integers / 32768, RATE, "FLOAT")
        soundfile.write(tmp_path / "r.wav", integers, 8000)
        data, *others = arguments
        code, _, error = run(capsys, "score", tmp_path / "int16" / "model.tflite", tmp_path / data, "--follow", *others)
        assert code == 2 and message in error, error


def test_options_that_need_following(files, capsys):
    for name, value in (("hop", 3), ("alarm", "1/2"), ("format", "csv"), ("sampling-rate", 3), ("scale", 2)):
        code, _, error = run(capsys, "score", files / "one" / "model.tflite", files / "x.npy", f"--{name}", value)
        assert (code, error.split(" See ")[0]) == (2, f"Error: --{name} goes with --follow.")


def test_a_file_without_threshold(files, tmp_path, capsys):
    (tmp_path / "x.csv").write_text("0.25\n" * 45)
    arguments = ("score", files / "without" / "model.tflite", tmp_path / "x.csv", "--follow")
    code, output, _ = run(capsys, *arguments)
    assert (code, output.splitlines()[0], len(output.splitlines())) == (0, "sample,score", 3)
    code, output, _ = run(capsys, *arguments, "--threshold", 0)
    assert (code, output.splitlines()[0], output.splitlines()[1][-2:]) == (0, "sample,score,alarm", ",1")


TIMED = "day,index,y,label,time [s],x\n" + "".join(
    f'"2026-11-25, {i:03}",{i},{i % 7},0,{i / 10},{-(i % 5)}\n' for i in range(50)
)


class TestColumns:
    """Of a file of two channels with more columns, of which the header says what they are."""

    @pytest.fixture
    def score(self, files, tmp_path, capsys):
        (tmp_path / "log.csv").write_text(TIMED)
        model = zoo.lite.load(files / "two" / "model.tflite")

        def score(*options, text=None):
            if text is not None:
                (tmp_path / "log.csv").write_text(text)
            path = files / "two" / "model.tflite"
            code, output, error = run(capsys, "score", path, tmp_path / "log.csv", "--follow", "--hop", 10, *options)
            return code, output.splitlines(), error

        values = np.array([[i % 7, -(i % 5)] for i in range(50)], "float32")
        score.expected = [model.score(values[begin : begin + 20]) for begin in range(0, 31, 10)]
        score.swapped = [model.score(values[begin : begin + 20, ::-1]) for begin in range(0, 31, 10)]
        return score

    def scores(self, lines):
        return [float(line.split(",")[-2]) for line in lines[1:]]

    def test_by_the_header(self, score):
        code, lines, _ = score(text=TIMED.replace('"2026-11-25, ', '"').replace("day", "time_ms"))
        assert (code, lines[0]) == (0, "sample,score,alarm")
        assert self.scores(lines) == pytest.approx(score.expected, rel=1e-6)
        code, lines, _ = score(text="y,x,label\n" + "".join(f"{i % 7},{-(i % 5)},0\n" for i in range(50)))
        assert self.scores(lines) == pytest.approx(score.expected, rel=1e-6)

    def test_chosen_and_with_its_times(self, score):
        _, lines, _ = score("--column", "x", "--column", "y", "--time-column", "time [s]")
        assert self.scores(lines) == pytest.approx(score.swapped, rel=1e-6)
        assert [line.split(",")[0] for line in lines] == ["time", "0.0", "1.0", "2.0", "3.0"]
        _, lines, _ = score("--time-column", "day", "--column", "y", "--column", "x")
        assert lines[2].startswith('"2026-11-25, 010",')

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ([], r"Line 2: expected 2 numbers.* Choose the columns of the channels among \['day', 'index', 'y'"),
            (["--column", "z"], r"no column 'z'. It has \['day', 'index', 'y', 'label', 'time \[s\]', 'x'\]"),
            (["--column", "x"], r"The model takes 2 channels. Received the columns \('x',\)"),
            (["--time-column", "hour"], "no column 'hour'"),
            (["--format", "f32le", "--column", "x"], "--column is for CSV signals"),
        ],
    )
    def test_refused(self, score, options, message):
        code, _, error = score(*options)
        assert code == 2
        assert re.search(message, error)

    def test_lines_and_headers_that_do_not_fit(self, score):
        lines = TIMED.splitlines()
        assert (
            "Line 3: expected 6 fields. Received 5"
            in score("--column", "x", "--column", "y", text="\n".join([*lines[:2], "1,2,3,4,5", *lines[2:]]))[2]
        )
        assert "chosen by their names" in score("--time-column", "t", text="1,2\n3,4\n")[2]
        assert "--time-column goes with --follow" in run_without_following()


def run_without_following():
    from click.testing import CliRunner

    return CliRunner().invoke(main, ["score", "x.tflite", "y.npy", "--time-column", "t"]).stderr
