"""scripts/check_arm64.sh where there is no emulator, and what scripts/check_arm64.py makes of two processors."""

import argparse
import copy
import importlib.metadata
import json
import os
import pathlib
import platform
import shutil
import stat
import subprocess
import sys

import keras
import numpy as np
import pytest

import zoo

ROOT = pathlib.Path(__file__).parents[2]

import check_arm64  # noqa: E402

SET = "mnist-feed-forward-8"


def program(path, text):
    """Write an executable shell script."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!{shutil.which('bash')}\n{text}\n", encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


class Checkout:
    """A copy of the script and its document, started with only a few programs in PATH."""

    def __init__(self, root):
        self.root, self.programs = root, root / "programs"
        for file in ("scripts/check_arm64.sh", "scripts/check_arm64.py", "docs/mobile.md"):
            (root / file).parent.mkdir(exist_ok=True)
            shutil.copy(ROOT / file, root / file)
        for name in ("bash", "basename", "cat", "dirname", "head", "ls", "mkdir", "rm", "touch", "tr"):
            self.has(name, f'exec {shutil.which(name)} "$@"')
        self.has("uname", "echo Linux x86_64")
        self.has("python", f'exec {sys.executable} "$@"')

    def has(self, name, text):
        program(self.programs / name, text)

    def run(self, *arguments):
        environment = {"PATH": str(self.programs), "PYTHON": str(self.programs / "python")}
        command = [self.root / "scripts" / "check_arm64.sh", *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    def refuses(self, reason):
        """It says why nothing was checked in one line, exits with 0 and changes nothing."""
        result = self.run()
        assert result.stdout == f"Not checked on 64-bit ARM: {reason}.\n"
        assert result.returncode == 0
        assert (self.root / "docs" / "mobile.md").read_bytes() == (ROOT / "docs" / "mobile.md").read_bytes()
        assert not (self.root / "docs" / "arm64.json").exists()


@pytest.fixture
def checkout(tmp_path):
    return Checkout(tmp_path)


def test_no_emulator_and_no_apt(checkout):
    checkout.refuses("neither an emulator with an ARM system nor apt-get to fetch them is here")


def test_apt_without_a_network(checkout):
    checkout.has("apt-get", "exit 100")
    checkout.has("dpkg-deb", "exit 0")
    checkout.refuses("QEMU is not installed and apt-get cannot fetch it")
    checkout.has("qemu-aarch64", "exit 0")
    checkout.refuses("apt-get cannot fetch a system for arm64")


def test_no_packages_for_arm(checkout):
    system = checkout.root / "arm64-state" / "system"
    (system / "usr" / "lib" / "python3.11").mkdir(parents=True)
    (system / ".complete").touch()
    checkout.has("qemu-aarch64", "exit 0")
    checkout.has("python", f'[ "$1 $2" != "-m pip" ] || exit 1; exec {sys.executable} "$@"')
    names = ("ai-edge-litert", "flatbuffers", "numpy")
    wanted = " ".join(f"{name}=={importlib.metadata.version(name)}" for name in names)
    checkout.refuses(f"pip cannot fetch {wanted} for aarch64")


def test_another_system(checkout):
    checkout.has("uname", "echo Darwin arm64")
    checkout.refuses("this emulation is for Linux on x86-64, not for Darwin arm64")


def test_python_without_the_zoo(checkout):
    checkout.has("python", "exit 1")
    result = checkout.run()
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == (
        f"Error: {checkout.programs / 'python'} lacks the zoo. Run make install, or set PYTHON to a Python that has"
        " it.\n"
    )


def test_help(checkout):
    result = checkout.run("--help")
    assert (result.returncode, result.stderr) == (0, "")
    assert "--samples N" in result.stdout
    assert "Not checked" not in result.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["mnist-feed-forward-9"], "Error: Unknown pretrained model 'mnist-feed-forward-9'. Did you mean"),
        (["--samples", "0"], "Error: --samples must be at least 1. Received: 0."),
    ],
)
def test_wrong_arguments(arguments, message, tmp_path, capsys):
    assert check_arm64.main(["--state", str(tmp_path), *arguments]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(message)
    assert printed.err.count("\n") == 1


@pytest.mark.parametrize(("version", "told"), [("7.2.22", "max,sme=off"), ("10.0.13", "max")])
def test_both_sides_run_the_same_files(version, told, tmp_path, monkeypatch, mnist_like):
    """Everything but the emulation: a stand-in for QEMU runs the other side on this processor."""
    state, log = tmp_path / "state", tmp_path / "processors"
    system = state / "system"
    program(
        tmp_path / "qemu",
        f'[ "$1" != --version ] || exec echo "qemu-aarch64 version {version} (Debian)"\n'
        f'echo "$2 $(grep -c 0x41 {system}/proc/cpuinfo) $(grep -m1 part {system}/proc/cpuinfo)" >> {log}\n'
        f'export PATH={os.environ["PATH"]}\nexec "${{@:5}}"',
    )
    (system / "usr" / "bin").mkdir(parents=True)
    (system / "usr" / "bin" / "python3.11").symlink_to(sys.executable)
    monkeypatch.setattr(check_arm64, "MODES", ("float32",))
    pixels = np.rint(mnist_like[:50] * 255).astype("uint8")
    monkeypatch.setattr(check_arm64, "_source", lambda dataset: zoo.data.Source(pixels, scale=1 / 255))
    card = zoo.card(SET)
    folder = state / "files" / f"{SET}-float32-{check_arm64._digest(card)}"
    zoo.export(zoo.load(SET), folder, "tflite")  # as an earlier run would have left it
    packages = os.pathsep.join(path for path in sys.path if path)
    options = argparse.Namespace(state=state, samples=7, emulator=str(tmp_path / "qemu"), packages=packages)
    results = check_arm64.check([card], options)

    cores = os.cpu_count()
    part = "CPU part\t: "
    assert log.read_text().splitlines() == [
        f"cortex-a53 {cores} {part}0xd03",
        f"cortex-a76 {cores} {part}0xd0b",
        f"{told} {cores} {part}0xd47",
    ]
    assert results["emulator"] == f"QEMU {version}"
    assert results["there"] == {"machine": platform.machine(), "python": platform.python_version()}
    compared = results["models"][SET]["float32"]["cortex-a53"]
    assert {signature: d["values"] for signature, d in compared.items()} == {
        "encode": 7 * 8,
        "decode": 7 * 784,
        "reconstruct": 7 * 784,
        "score": 7,
    }
    assert all(d["differing"] == 0 for d in compared.values())
    here = np.load(folder / "here.npz")
    pixels = np.rint(mnist_like[[0, 8, 16, 24, 32, 40, 49]] * 255).astype("float32") / 255
    np.testing.assert_allclose(here["encode"], zoo.load(SET).encode(pixels), atol=1e-5)
    np.testing.assert_allclose(here["decode"], here["reconstruct"], atol=1e-6)


def test_a_detector_of_integers_is_run_on_integers(tmp_path, monkeypatch):
    """The last model of the list: preprocessing, int16 samples, a score and errors, in an int8 file."""
    keras.utils.set_random_seed(0)
    samples = np.rint(np.cumsum(np.random.default_rng(0).normal(0, 9, (300, 128)), axis=1)).astype("int16")
    monkeypatch.setattr(check_arm64, "_source", lambda dataset: zoo.data.Source(samples))
    commands = []

    def export(command, **options):
        commands.append(command)
        model = zoo.preprocessed(
            zoo.feed_forward((128,), 4, output_activation="linear"),
            [zoo.preprocessing.PerWindowStandardize(deviation=False)],
            raw=zoo.preprocessing.Rescale(0.005, integers="int16"),
        )
        folder = command[command.index("-o") + 1]
        calibrated = {"quantization": "int8", "calibration": samples, "samples": samples}
        zoo.export(zoo.detector(model), folder, "tflite", raw_input=True, **calibrated)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(check_arm64.subprocess, "run", export)
    card = zoo.card(check_arm64.SETS[-1])
    folder = check_arm64.prepare(card, "int8", argparse.Namespace(state=tmp_path, samples=5))
    assert commands[0][-3:] == ["--raw-input", "--quantization", "int8"]
    given = np.load(folder / "samples.npy")
    assert given.dtype == np.int16
    np.testing.assert_array_equal(given, samples[[0, 74, 149, 224, 299]])
    here = dict(np.load(folder / "here.npz"))
    assert {name: values.shape for name, values in here.items()} == {
        "decode": (5, 128),
        "encode": (5, 4),
        "error": (5, 128),
        "reconstruct": (5, 128),
        "score": (5,),
    }
    np.testing.assert_allclose(here["error"].mean(axis=1), here["score"], rtol=1e-4)
    there = Outputs(here, score=here["score"] * (1 + 5e-6), error=here["error"] * (1 + 5e-6))
    compared = check_arm64.compare("int8", Outputs(here), there)
    found = {"models": {"a-model": {"int8": {"max": compared}}}}
    assert compared["score"]["differing"] > 0
    assert check_arm64.outside(found) == []
    assert [compared[name]["allowed"] > 0 for name in here] == [name in ("error", "score") for name in here]


class Outputs(dict):
    """What numpy.load gives."""

    @property
    def files(self):
        return list(self)


def test_int8_must_be_exact_and_floats_close():
    here = Outputs(encode=np.array([[0.0, 4.0]], "float32"), score=np.array([0.01], "float32"))
    close = Outputs(encode=here["encode"] + np.float32(3e-5), score=here["score"] + np.float32(9e-6))
    steps = check_arm64.compare("int8", here, close)
    assert steps["encode"] == {
        "values": 2,
        "differing": 2,
        "largest": pytest.approx(3e-5, rel=0.02),
        "allowed": 0.0,
    }
    assert steps["score"]["allowed"] == 1e-5
    floats = check_arm64.compare("float32", here, close)
    assert floats["encode"]["allowed"] == pytest.approx(4e-5)  # scaled by the largest output

    def found(mode, there):
        compared = check_arm64.compare(mode, here, there)
        return check_arm64.outside({"models": {"a-model": {mode: {"max": compared}}}})

    assert found("float32", close) == []
    assert found("int8", here) == []
    assert found("int8", close) == ["a-model, int8, max, encode: 2 of 2 values differ, by up to 3e-05 (allowed: 0)."]
    far = Outputs(encode=here["encode"], score=here["score"] + np.float32(2e-5))
    assert found("int8", far) == ["a-model, int8, max, score: 1 of 1 values differ, by up to 2e-05 (allowed: 1e-05)."]
    lost = Outputs(encode=here["encode"] * np.nan, score=here["score"])
    assert len(found("float32", lost)) == 1


def test_a_difference_is_written_and_fails(tmp_path, monkeypatch, capsys):
    """With one int8 value changed in what was measured: exit code 1, and the document says where."""
    measured = json.loads(check_arm64.RESULTS.read_text(encoding="utf-8"))
    document = check_arm64.DOCUMENT.read_text(encoding="utf-8")
    for name, text in (("RESULTS", "{}"), ("DOCUMENT", document)):
        (tmp_path / name).write_text(text, encoding="utf-8")
        monkeypatch.setattr(check_arm64, name, tmp_path / name)
    monkeypatch.setattr(check_arm64, "ROOT", tmp_path)
    changed = copy.deepcopy(measured)
    name = check_arm64.SETS[1]
    changed["models"][name]["int8"]["cortex-a76"]["encode"].update(differing=1, largest=0.25)
    monkeypatch.setattr(check_arm64, "check", lambda cards, options: changed)
    assert check_arm64.main(["--state", str(tmp_path)]) == 1
    sentence = f"- {name}, int8, cortex-a76, encode: 1 of 1,024 values differ, by up to 0.25 (allowed: 0)."
    for text in (capsys.readouterr().out, (tmp_path / "DOCUMENT").read_text(encoding="utf-8")):
        assert "**Outside what is allowed:**\n\n" + sentence in text
        assert "Everything is within" not in text
        assert "| 1 of " in next(line for line in text.splitlines() if line.startswith(f"| {name} "))
    assert json.loads((tmp_path / "RESULTS").read_text(encoding="utf-8")) == changed

    # Chosen sets are told, but what is published stays.
    monkeypatch.setattr(check_arm64, "check", lambda cards, options: measured)
    assert check_arm64.main(["--state", str(tmp_path), SET]) == 0
    assert "Everything is within what is allowed." in capsys.readouterr().out
    assert json.loads((tmp_path / "RESULTS").read_text(encoding="utf-8")) == changed
