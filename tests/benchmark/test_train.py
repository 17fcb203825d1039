import json
import math
import pathlib

import numpy as np
import pytest
from click.testing import CliRunner

import zoo
from tests.base import only_error
from zoo.benchmark import competitors, models, report, train
from zoo.cli import main
from zoo.core.errors import DataNotFoundError


def _network_inputs(network, count=2):
    source = zoo.data.Source(np.full((count, *network.shape), 128, "uint8"))
    return network, source, source.pixels()


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def load(*arguments):
        raise DataNotFoundError("not here")

    monkeypatch.setattr(zoo.data, "load", load)  # so that these tests need no dataset

    def invoke(*arguments, code=0):
        result = CliRunner().invoke(main, ["benchmark", "train", *map(str, arguments)])
        assert result.exit_code == code, result.output + repr(result.exception)
        return result

    return invoke


@pytest.mark.parametrize("network", models.NETWORKS.values(), ids=models.NETWORKS)
class TestNetworks:
    def test_keras_competitor_has_the_parameters_and_none_of_zoo_s_training(self, network):
        ours, plain = (cls(*_network_inputs(network)) for cls in (competitors.Zoo, competitors.KerasFit))
        assert plain.parameters == ours.parameters
        assert not isinstance(plain.model, zoo.Autoencoder)
        assert type(plain.model).__module__.startswith("keras.")

    def test_torch_halves_have_the_parameters_and_shapes(self, network):
        torch = pytest.importorskip("torch", reason="torch is not installed (extra bench)")
        from competitors.networks import halves

        model = network.build()
        encoder, decoder = halves(network.name)
        for half, ours in ((encoder, model.encoder), (decoder, model.decoder)):
            assert sum(weight.numel() for weight in half.parameters()) == ours.count_params()
        x = torch.zeros((2, 1, 28, 28) if len(network.shape) == 3 else (2, *network.shape))
        assert encoder(x)[0].numel() == math.prod(model.latent_shape)
        assert decoder(encoder(x)).shape == x.shape


def test_pythae_trains_the_same_number_of_parameters():
    from competitors import Pythae

    if reason := Pythae.missing():
        pytest.skip(reason)
    network = models.NETWORKS["denoising"]
    pythae = Pythae(*_network_inputs(network, 300))
    assert pythae.parameters == network.build().count_params()
    first = pythae.epoch()
    assert 0 < pythae.epoch() < first < 1


def test_a_tiny_run(run, monkeypatch, tmp_path):
    monkeypatch.setattr(competitors, "EVERY", (competitors.Zoo, competitors.KerasFit))
    monkeypatch.setattr(train, "_FIRST_STEPS", 1)
    arguments = ["--samples", 512, "--repeats", 2, "--model", "784-16-784", "--skip-plot"]
    results = json.loads(run(*arguments, "--json").stdout)
    assert results == json.loads((tmp_path / "benchmark/train/benchmark.json").read_text())
    assert results["command"] == "zoo benchmark train --model 784-16-784 --repeats 2 --samples 512 --skip-plot"
    assert results["machine"]["cores"] >= 1
    assert set(results["machine"]["versions"]) >= {"python", "tensorflow", "keras", "numpy"}
    model = results["models"]["784-16-784"]
    assert (model["samples"], model["parameters"]) == (512, 25_888)
    assert list(model["competitors"]) == ["zoo", "Keras fit"]
    medians = {name: row["samples_per_second"]["median"] for name, row in model["competitors"].items()}
    for name, row in model["competitors"].items():
        numbers = row["samples_per_second"]
        assert 0 < numbers["minimum"] <= numbers["median"] <= numbers["maximum"]
        assert len(numbers["all"]) == 2
        assert row["ratio"] == medians["zoo"] / medians[name]
        assert 0 < row["loss"] < 1
    first = results["first_step"]["784-16-784"]
    assert first["ratio"] == pytest.approx(
        first["seconds"]["Keras fit, XLA"]["median"] / first["seconds"]["zoo"]["median"]
    )
    assert not {"curve", "memory", "corruptions"} & set(results)


def _result(median, ratio, settings=""):
    numbers = {"median": median, "minimum": 0.9 * median, "maximum": 1.1 * median, "quartiles": [median] * 2, "all": []}
    return {"samples_per_second": numbers, "ratio": ratio, "loss": 0.0512, "parameters": 25_888, "settings": settings}


def test_page_table_and_plot_come_from_the_json_alone(run, tmp_path):
    def seconds(median):
        return {"median": median, "minimum": median, "maximum": median}

    results = {
        "benchmark": "train",
        "zoo": "0.1.0",
        "command": "zoo benchmark train",
        "date": "2026-01-02T03:04:05+00:00",
        "machine": {
            "processor": "Abacus",
            "cores": 2,
            "system": "Linux",
            "device": "CPU",
            "versions": {"python": "3.11.0"},
        },
        "dataset": "mnist",
        "repeats": 5,
        "batch_size": 256,
        "learning_rate": 1e-3,
        "skipped": {"pythae": "pythae not installed"},
        "models": {
            "deep": {
                "samples": 30_720,
                "shape": [784],
                "noise": 0.5,
                "others_busy_cores": 0.034,
                "parameters": 1_136_032,
                "competitors": {"zoo": _result(20_000.0, 1.0, "XLA"), "PyTorch": _result(16_000.0, 1.25)},
            }
        },
        "first_step": {"deep": {"seconds": {"zoo": seconds(1.5), "Keras fit, XLA": seconds(3.0)}, "ratio": 2.0}},
        "corruptions": {"Affine": {"samples_per_second": seconds(12_345.0), "ratio_to_clean": 0.87}},
        "curve": [{"samples": 1_000_000, "seconds": {"zoo": seconds(4.321)}}],
        "memory": {
            "samples": 1_000_000,
            "data_bytes": 784e6,
            "started_bytes": 600e6,
            "peak_bytes": 1500e6,
            "peak_minus_data_bytes": 716e6,
        },
    }
    (tmp_path / "old.json").write_text(json.dumps(results))
    output = run("--from-json", "old.json", "-o", "page").output
    assert "1.25" in output
    page = pathlib.Path("page/training.md").read_text()
    for line in (
        "1,136,032 parameters, 30,720 samples of 784, Gaussian noise of 0.5.",
        "| zoo (XLA) | 20,000 | 18,000–22,000 | | 0.0512 |",
        "| PyTorch | 16,000 | 14,400–17,600 | 1.25 | 0.0512 |",
        "| deep | 1.50 | 3.00 | 2.00 |",
        "| Affine | 12,345 | 12,345–12,345 | 0.87 |",
        "| 1,000,000 | 4.321 | 4.32 |",
        "(784 MB) peaks at 1,500 MB: 716 MB above",
        "Skipped: pythae: pythae not installed.",
        "2 cores of Abacus",
        "Other processes kept 0.03 cores busy",
    ):
        assert line in page
    assert pathlib.Path("page/samples.png").read_bytes().startswith(b"\x89PNG")
    assert report.read("page/benchmark.json") == results
    other = {**results, "models": {"wide": results["models"]["deep"]}, "first_step": {}, "command": "again"}
    (tmp_path / "other.json").write_text(json.dumps(other))
    run("--from-json", "old.json", "--from-json", "other.json", "-o", "both")
    both = report.read("both/benchmark.json")
    assert list(both["models"]) == ["deep", "wide"]
    assert both["command"] == "zoo benchmark train; again"
    (tmp_path / "other.json").write_text(json.dumps({**other, "repeats": 6}))
    message = run("--from-json", "old.json", "--from-json", "other.json", code=2).stderr
    assert "different repeats cannot be joined: 5 and 6" in message


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "deeep"], "Unknown benchmark model 'deeep'. Did you mean 'deep'"),
        (["--competitors", "no_such"], "'no_such' is no importable module with a tuple COMPETITORS"),
        (["--repeats", "0"], "Invalid value for '--repeats'"),
        (["--from-json", "absent.json"], "No such file: 'absent.json'"),
        (["--from-json", "other.json"], "'other.json' does not hold the results"),
        (["--from-json", "broken.json"], "'broken.json' is not valid JSON"),
        (["--output", "other.json"], "Cannot write to 'other.json'"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(run, tmp_path, arguments, message):
    (tmp_path / "other.json").write_text("[]")
    (tmp_path / "broken.json").write_text("{")
    assert message in only_error(run(*arguments, code=2))


def test_help():
    assert "train" in CliRunner().invoke(main, ["benchmark", "--help"]).output
    text = CliRunner().invoke(main, ["benchmark", "train", "--help"]).output
    for option in (
        "--model",
        "--repeats",
        "--samples",
        "--competitors",
        "--skip-plot",
        "--output",
        "--from-json",
        "--json",
    ):
        assert option in text
