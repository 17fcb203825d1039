import csv
import io
import json
import pathlib
import re
import shutil

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import zoo
from tests.base import only_error
from tests.recipes.test_recipe import RECIPE
from zoo.cli import main


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def invoke(*arguments, code=0):
        result = CliRunner().invoke(main, [str(a) for a in arguments])
        assert result.exit_code == code, result.output + repr(result.exception)
        return result

    return invoke


@pytest.fixture
def small_set(tmp_path):
    zoo.save(
        zoo.feed_forward((8, 8, 1), 4),
        tmp_path / "small",
        dataset={"name": "digits", "version": "", "split": "train", "samples": 1438},
    )
    return tmp_path / "small"


@pytest.mark.parametrize("command", ["list", "show", "train", "evaluate", "encode", "score", "export", "demo"])
def test_help(run, command):
    assert command in run("--help").output
    text = run(command, "--help").output
    assert text.startswith(f"Usage: main {command}")
    assert len(text) > 150


def test_list(run):
    rows = json.loads(run("list", "mnist-feed-forward-*", "--json").output)
    assert [(row["name"], row["parameters"], row["latent"]) for row in rows] == [
        (f"mnist-feed-forward-{q}", 1569 * q + 784, str(q)) for q in (16, 64, 8)
    ]
    table = run("list", "--dataset", "fashion_mnist").output
    assert "fashion-mnist-denoising-affine-128" in table
    assert not re.search(r"^mnist-", table, re.MULTILINE)
    assert "No model matches." in run("list", "nothing-*").output


def test_show(run):
    card = json.loads(run("show", "mnist-feed-forward-8", "--json").output)
    assert card["sha256"] == zoo.card("mnist-feed-forward-8").sha256
    assert "zoo train mnist-feed-forward-8" in run("show", "mnist-feed-forward-8").output


def test_show_plot(run, small_set, tmp_path):
    assert "Wrote small.png" in run("show", small_set, "--plot").output
    assert (tmp_path / "small.png").read_bytes().startswith(b"\x89PNG")
    assert "--output goes with --plot" in run("show", small_set, "-o", "x.png", code=2).output


def test_train(run, tmp_path):
    recipe = tmp_path / "digits-feed-forward-4" / "recipe.toml"
    recipe.parent.mkdir()
    recipe.write_text(RECIPE)
    output = run("train", recipe.parent, "--quiet").output
    assert "Wrote trained/digits-feed-forward-4: mse 0." in output
    assert zoo.load("trained/digits-feed-forward-4").latent_shape == (4,)


def test_train_interrupted_says_how_to_go_on(run, tmp_path, monkeypatch):
    (tmp_path / "recipe.toml").write_text(RECIPE)

    def interrupt(*arguments, **keywords):
        raise KeyboardInterrupt

    monkeypatch.setitem(zoo.__dict__, "train", interrupt)
    result = run("train", "recipe.toml", "--output", "out", code=130)
    assert "To go on where it stopped: zoo train recipe.toml --output out" in result.output


def test_evaluate(run, small_set):
    rows = json.loads(run("evaluate", small_set, "--json").output)
    test = zoo.data.load("digits", "test")
    expected = float(zoo.load(small_set).reconstruction_error(test).mean())
    assert [row["metric"] for row in rows][:5] == ["mse", "bce", "psnr", "ssim", "explained_variance"]
    assert rows[0]["measured"] == pytest.approx(expected, rel=1e-5)
    both = json.loads(run("evaluate", small_set, small_set, "--metric", "mse", "--json").output)
    assert [(row["model"], row["metric"]) for row in both] == [("small", "mse")] * 2
    assert "knn_accuracy" in run("evaluate", small_set, "--dataset", "digits", "--metric", "knn_accuracy").output


def test_encode(run, small_set, tmp_path):
    run("encode", small_set, "digits", "-o", "codes.npy")
    expected = zoo.load(small_set).encode(zoo.data.load("digits", "test"))
    np.testing.assert_array_equal(np.load(tmp_path / "codes.npy"), expected)


@pytest.fixture
def folder(digits, tmp_path):
    """Five images in two subfolders, and their pixels as float32 in the order of their paths."""
    pixels = np.rint(digits.samples[:5] * 255).astype("uint8")
    for number, name in enumerate(("a/0.png", "a/1.png", "b/0.png", "b/1.png", "b/2.png")):
        (tmp_path / "photos" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels[number, ..., 0]).save(tmp_path / "photos" / name)
    return tmp_path / "photos", pixels.astype("float32") / 255


def test_encode_by_a_file(run, small_set, folder, tmp_path):
    path, pixels = folder
    model = zoo.load(small_set)
    zoo.export(model, tmp_path / "out", ("tflite", "onnx"), raw_input=True)
    for file in ("out/model.tflite", "out/model.onnx"):
        output = run("encode", file, path, "-o", "codes.npy", "--threads", 2).output
        assert "Wrote codes.npy: float32 (5, 4), latent features of " in output
        np.testing.assert_allclose(np.load("codes.npy"), model.encode(pixels), atol=1e-5)
    (path / "b" / "1.png").write_bytes(b"no image")
    before = (tmp_path / "codes.npy").read_bytes()
    assert "1.png' is not an image" in run("encode", "out/model.tflite", path, "-o", "codes.npy", code=2).stderr
    assert (tmp_path / "codes.npy").read_bytes() == before


def test_score_prints_csv(run, small_set, folder, tmp_path):
    path, pixels = folder
    model = zoo.load(small_set)
    expected = model.reconstruction_error(pixels)
    threshold = float(np.sort(expected)[2:4].mean())
    zoo.export(model, tmp_path / "plain", "tflite")
    zoo.export(model, tmp_path / "calibrated", "tflite", threshold=threshold)
    for arguments in (["calibrated/model.tflite"], ["plain/model.tflite", "--threshold", threshold]):
        rows = list(csv.DictReader(io.StringIO(run("score", arguments[0], path, *arguments[1:]).output)))
        assert [row["sample"] for row in rows] == ["a/0.png", "a/1.png", "b/0.png", "b/1.png", "b/2.png"]
        np.testing.assert_allclose([float(row["score"]) for row in rows], expected, rtol=1e-5)
        assert [row["anomaly"] for row in rows] == [str(int(score > threshold)) for score in expected]
    np.save("samples.npy", pixels)
    for model_name in ("plain/model.tflite", small_set):
        lines = run("score", model_name, "samples.npy").output.splitlines()
        assert lines[0] == "sample,score"
        assert [line.split(",")[0] for line in lines[1:]] == ["0", "1", "2", "3", "4"]
        np.testing.assert_allclose([float(line.split(",")[1]) for line in lines[1:]], expected, rtol=1e-5)


def test_files_that_carry_no_digest(run, small_set, folder):
    folder, _ = folder
    run("export", small_set, "-o", "out", "--format", "onnx")
    file, copy = pathlib.Path("out/model.onnx"), pathlib.Path(small_set).with_name("older")
    file.write_bytes(file.read_bytes().replace(b'"seal": "', b'"lies": "'))
    refused = run("score", file, folder, code=2).output
    assert "carries no seal" in refused
    assert "Unknown key in its metadata: 'lies'" in run("score", file, folder, "--trust", "unsealed", code=2).output
    shutil.copytree(small_set, copy)
    (copy / "manifest.json").unlink()
    assert "unsealed" in run("encode", copy, folder, code=2).output
    assert run("encode", copy, folder, "--trust", "unsealed").output.startswith("Wrote codes.npy")


def test_export(run, small_set):
    rows = run("export", small_set, "--part", "encoder", "-o", "out", "--format", "tflite").output
    assert "model.tflite" in rows
    assert "FULLY_CONNECTED" in rows
    assert zoo.lite.load("out/model.tflite").output_name == "latent"
    report = json.loads(run("export", small_set, "--format", "onnx", "--json").output)
    assert report["model"] == "autoencoder"
    assert pathlib.Path("exported/small/model.onnx").is_file()


def test_quantised_export(run, small_set, folder, digits):
    options = ["--format", "tflite", "--quantization", "int8", "--threshold-quantile", "0.9"]
    result = run("export", small_set, "-o", "out", *options, "--json")
    report = json.loads(result.stdout)
    assert report["calibration"] == {"samples": 1000, "source": "digits (train)"}
    assert report["samples"] == 359
    threshold = zoo.threshold(zoo.load(small_set), "digits", 0.9)
    assert report["threshold"] == threshold == zoo.lite.load("out/model.tflite").threshold
    file = report["files"]["tflite"]
    assert file["metrics"]["anomaly_rate"]["before"] == 35 / 359
    table = run("export", small_set, "-o", "out", *options).output
    before, after = (f"{file['metrics']['mse'][state]:.5g}" for state in ("before", "after"))
    assert re.search(rf"model.tflite +mse +{before} +{after}", table)
    np.save("few.npy", digits.samples[:50])
    few = ["--format", "tflite", "--quantization", "int8", "--calibration", "few.npy"]
    assert "Received 50" in run("export", small_set, "-o", "few", *few, code=2).stderr
    assert not pathlib.Path("few").exists()
    assert "Warning: int8 calibrated on 50 samples" in run("export", small_set, "-o", "few", *few, "--force").stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["show", "mnist-feed-forward-9"],
            "Unknown pretrained model 'mnist-feed-forward-9'. Did you mean 'mnist-feed-forward-8'",
        ),
        (["list", "--family", "conv"], "Unknown family 'conv'"),
        (["train", "absent.toml"], "No recipe at 'absent.toml'"),
        (["encode", "mnist-feed-forward-8", "absent.npy"], "No such file: 'absent.npy'"),
        (
            ["evaluate", "mnist-feed-forward-8", "--dataset", "digits", "--metric", "msee"],
            "Unknown metric 'msee'. Did you mean 'mse'",
        ),
        (["export", "mnist-feed-forward-8", "--format", "tfl"], "Unknown export format 'tfl'"),
        (["export", "mnist-feed-forward-8", "--raw-input", "--part", "decoder"], "raw_input=True takes pixels"),
        (
            ["export", "mnist-feed-forward-8", "--quantization", "int4"],
            "Unknown quantization 'int4'. Did you mean 'int8'",
        ),
        (["encode", "absent.tflite", "."], "No such file: 'absent.tflite'"),
        (["score", "mnist-feed-forward-8", "absent.npy"], "No such file: 'absent.npy'"),
        (["exprot"], "No such command 'exprot'"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(run, arguments, message):
    assert message in only_error(run(*arguments, code=2))
