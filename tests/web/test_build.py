"""Building and serving the page."""

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import urllib.parse

import pytest
from website import models, runtime, samples, server

import zoo
from tests.web.visiting import ROOT, WEB
from zoo.core.errors import ConfigError, DataNotFoundError, IntegrityError, OutputError

SCRIPT = ROOT / "scripts" / "web.py"


def test_what_is_there_is_not_built_again(monkeypatch):
    lines = []
    monkeypatch.setenv("PATH", "")  # no npm
    before = {path: path.stat().st_mtime_ns for path in (WEB / "models").rglob("*.tflite")}
    assert runtime.fetch(WEB / "vendor") is False
    assert models.build(WEB / "models", progress=lines.append) == []
    assert lines == []
    assert len(before) == 10
    assert before == {path: path.stat().st_mtime_ns for path in (WEB / "models").rglob("*.tflite")}


@pytest.mark.parametrize(
    ("name", "shape"), [("ecg5000-convolutional-8", "140, 1"), ("cifar10-jpeg-convolutional-64", "32")]
)
def test_models_of_anything_but_digits_are_refused(name, shape, tmp_path):
    with pytest.raises(
        ConfigError, match=rf"of 28 x 28 pixels .* {name} takes samples of shape \({shape}.*: leave it out"
    ):
        models.build(tmp_path, ["mnist-convolutional-16", name])
    assert not any(tmp_path.iterdir())


def test_changed_weights_and_damaged_files_are_stale(tmp_path):
    name = "mnist-denoising-gaussian-32"
    shutil.copytree(WEB / "models" / name, tmp_path / name)
    key = json.loads((tmp_path / name / "entry.json").read_text())["key"]
    assert key == models._key(zoo.card(name), "auto")
    assert key != models._key(zoo.card(name), "digits")
    assert key != models._key(zoo.card("mnist-convolutional-16"), "auto")
    assert models._is_fresh(tmp_path / name, key)
    assert not models._is_fresh(tmp_path / name, "another")
    path = tmp_path / name / "int8.tflite"
    content = path.read_bytes()
    path.write_bytes(content[:-1] + b"\1")
    assert not models._is_fresh(tmp_path / name, key)
    path.unlink()
    assert not models._is_fresh(tmp_path / name, key)


def test_damaged_runtime_is_fetched_again(tmp_path, monkeypatch):
    shutil.copytree(WEB / "vendor", tmp_path / "vendor")
    (tmp_path / "vendor" / "litert.js").write_text("")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(DataNotFoundError, match=r"npm is not installed, .*\(Debian: apt-get install npm\)"):
        runtime.fetch(tmp_path / "vendor")


def test_another_package_than_the_pinned_one_is_refused(tmp_path, monkeypatch):
    """The packages' contents are what they were when their hashes were written down; others leave nothing behind."""
    content = {name: ("sha512-" + "A" * 86 + "==", wanted) for name, (_, wanted) in runtime.PACKAGES.items()}
    monkeypatch.setattr(runtime, "PACKAGES", content)
    monkeypatch.setattr(runtime, "_packed", lambda npm, package, directory: ROOT / "LICENSE")
    with pytest.raises(IntegrityError, match="@litertjs/core 2.5.3 is not the package it was: expected sha512-AAAA"):
        runtime.fetch(tmp_path / "vendor")
    assert not (tmp_path / "vendor").exists()


def test_npm_without_network(tmp_path, monkeypatch):
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:9/")
    monkeypatch.setenv("npm_config_fetch_retries", "0")
    monkeypatch.setenv("npm_config_cache", str(tmp_path / "cache"))
    with pytest.raises(DataNotFoundError, match="npm cannot fetch @litertjs/core@2.5.3: .* Check the network"):
        runtime.fetch(tmp_path / "vendor")


def test_the_licence_comes_with_the_runtime():
    assert "Apache License" in (WEB / "vendor" / "LICENSE").read_text()
    manifest = json.loads((WEB / "vendor" / "manifest.json").read_text())
    assert manifest["version"] == "2.5.3"
    assert manifest["packages"] == {name: integrity for name, (integrity, _) in runtime.PACKAGES.items()}


def test_without_mnist_the_embedded_digits_serve(monkeypatch):
    load = zoo.data.load

    def without(dataset, *arguments, **options):
        if dataset == "mnist":
            raise DataNotFoundError("not here")
        return load(dataset, *arguments, **options)

    monkeypatch.setattr(zoo.data, "load", without)
    found = samples.load()
    assert found.shown.name == "digits"
    assert found.shown.labels.tolist() == sorted(found.shown.labels)
    assert set(found.shown.labels) == set(range(10))
    assert (len(found.train), len(found.calibration), len(found.test)) == (1438, 1000, 359)
    assert found.test.samples.shape == (359, 28, 28, 1)
    assert found.test.samples.dtype == "uint8"
    assert not found.test.samples[:, :3].any()  # MNIST's margin
    assert found.test.samples.max() > 200
    with pytest.raises(DataNotFoundError, match="not here"):
        samples.load("mnist")


@pytest.fixture
def connection(site):
    address = urllib.parse.urlsplit(site)
    connection = http.client.HTTPConnection(address.hostname, address.port)
    yield connection
    connection.close()


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "text/html"),
        ("/app.js", "text/javascript"),
        ("/vendor/wasm/litert_wasm_internal.wasm", "application/wasm"),
        ("/models/mnist-convolutional-16/int8.tflite", "application/octet-stream"),
    ],
)
def test_what_is_served(connection, path, kind):
    connection.request("HEAD", path)
    response = connection.getresponse()
    assert response.status == 200
    assert response.getheader("Content-Type") == kind
    assert response.getheader("Cache-Control") == "no-cache"


def test_nothing_outside_is_served(connection):
    connection.request("GET", "/../setup.py")
    assert connection.getresponse().status == 404


def test_a_page_that_is_not_built_and_a_port_that_is_taken(tmp_path):
    with pytest.raises(DataNotFoundError, match="There are no models in .* yet: run make web"):
        server.open_server(tmp_path)
    with socket.socket() as taken:
        taken.bind((server.HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(OutputError, match=f"Port {port} of this machine cannot be used: .*Choose another, --port"):
            server.open_server(WEB, port)
        result = subprocess.run(
            [sys.executable, SCRIPT, "serve", "--port", str(port)], capture_output=True, text=True, check=False
        )
    assert result.returncode == 2
    assert result.stderr.startswith(f"Error: Port {port}")
    assert result.stderr.count("\n") == 1


def test_serve_says_where_and_ends_quietly():
    process = subprocess.Popen(
        [sys.executable, SCRIPT, "serve", "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    line = process.stdout.readline()
    assert line.startswith("Open http://127.0.0.1:")
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=20) == ("", "")
    assert process.returncode == 0


def test_an_unknown_set_is_one_line():
    command = [sys.executable, SCRIPT, "build", "--model", "mnist-convolutional-17"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert result.stderr.startswith("Error: Unknown pretrained model 'mnist-convolutional-17'. Did you mean")
    assert result.stderr.count("\n") == 1
