"""The wheel, built, installed into an empty environment, and used outside the checkout."""

import os
import pathlib
import re
import subprocess
import sys
import zipfile

import pytest

import zoo

ROOT = pathlib.Path(__file__).parents[2]

# Runs in the new environment, in an empty directory, without a network: reports every set it could load.
_LOAD_ALL = """
import pathlib, socket, sys
def offline(*arguments, **keywords):
    raise OSError("no network")
socket.socket.connect = offline
import zoo
assert pathlib.Path(zoo.__file__).is_relative_to(sys.prefix), zoo.__file__
for name in zoo.list_pretrained():
    encoder = zoo.load_encoder(name)
    print(name, zoo.load(name).count_params(), encoder.count_params() > 0)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    directory = tmp_path_factory.mktemp("wheel")
    source = directory / "source"
    subprocess.run(["git", "clone", "-q", "--shared", ROOT, source], check=True, env=_environment())
    # What is in the working tree counts, not what was committed last.
    for path in ("zoo", "pretrained", "setup.py", "pyproject.toml", "README.md"):
        subprocess.run(["cp", "-r", ROOT / path, source], check=True)
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", directory, source]
    subprocess.run(command, check=True, env=_environment())
    (path,) = directory.glob("*.whl")
    return path


def _environment():
    return {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}


def test_carries_every_set_and_nothing_else(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert wheel.name.startswith("autoencoder_zoo-")
    for name in zoo.list_pretrained():
        for file in ("recipe.toml", "config.json", "metadata.json", "model.weights.h5", "manifest.json", "README.md"):
            assert f"zoo/pretrained/{name}/{file}" in names
    assert not [n for n in names if n.startswith(("tests/", "scripts/", "build/")) or "/.checkpoint/" in n]


def test_loads_every_set_from_an_empty_environment(wheel, tmp_path):
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    pins = re.findall(r"^[^\s#].*?==[^\\\n]*", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    (tmp_path / "pins").write_text("\n".join(pins))  # without hashes: the wheel has none
    install = [python, "-m", "pip", "install", "-q", "-c", tmp_path / "pins", wheel]
    subprocess.run(install, check=True, env=_environment())
    (tmp_path / "elsewhere").mkdir()
    output = subprocess.run(
        [python, "-c", _LOAD_ALL],
        cwd=tmp_path / "elsewhere",
        capture_output=True,
        text=True,
        check=True,
        env=_environment(),
    ).stdout
    expected = [f"{name} {zoo.card(name).parameters} True" for name in zoo.list_pretrained()]
    assert output.splitlines() == expected
