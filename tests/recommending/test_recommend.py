"""zoo.recommend: its numbers against scikit-learn's on the same splits, its sentence, and what it refuses."""

import json
import subprocess
import sys

import numpy as np
import PIL.Image
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import RepeatedStratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import zoo
from zoo.core.errors import DataError, UnknownNameError
from zoo.recommending import accuracy, verdict
from zoo.recommending.result import Row
from zoo.recommending.samples import Samples

PATTERN = "mnist-feed-forward-*"


@pytest.fixture(scope="module", autouse=True)
def _short():
    """A short training of the network from scratch, whose accuracy is not what is tested here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(accuracy, "_STEPS", 20)
        patch.setattr(accuracy, "_LEAST_EPOCHS", 1)
        yield


@pytest.fixture(scope="module")
def found(digits):
    return zoo.recommend(digits.samples, digits.labels, models=PATTERN, samples=200)


def test_table(found):
    assert found.measure == "accuracy"
    assert len(found.rows) == 6
    assert sorted(row.model for row in found.rows if row.pretrained) == zoo.list_pretrained(PATTERN)
    assert [row.value for row in found.rows] == sorted((row.value for row in found.rows), reverse=True)
    for row in found.rows:
        assert (row.int8_bytes is not None) == row.pretrained
        assert row.shape == ((28, 28, 1) if row.pretrained else (8, 8, 1))
        assert (0.5 if row.model != "a small network from scratch" else 0) < row.value < 1
        assert 0 < row.spread < 0.2
    sizes = {row.model: row.int8_bytes for row in found.rows if row.pretrained}
    assert 6280 < sizes["mnist-feed-forward-8"] < sizes["mnist-feed-forward-16"] < sizes["mnist-feed-forward-64"] < 6e4
    text = str(found)
    assert text.count("\n| ") == 6
    assert "Not tried: 1,598 of your 1,797 samples (samples=200);" in text


def test_values_as_they_are_are_scikit_learns(found, digits):
    """The digits as they are: a regression on them, by scikit-learn alone, on the same samples and splits."""
    chosen = Samples(digits, 200, 0, by_class=True).source
    assert np.bincount(chosen.labels).min() >= 19
    splits = RepeatedStratifiedKFold(n_splits=5, n_repeats=3, random_state=0)
    expected = cross_val_score(
        LogisticRegression(max_iter=1000), chosen.samples.reshape(len(chosen), -1), chosen.labels, cv=splits
    )
    row = next(row for row in found.rows if row.model == "values as they are")
    assert (row.value, row.spread) == pytest.approx((expected.mean(), expected.std()), abs=1e-6)


def test_heads_are_scikit_learns():
    random = np.random.default_rng(0)
    labels = np.arange(120) % 3
    values = random.normal(size=(120, 8)) + np.eye(8)[labels]
    splits = accuracy.folds(labels, 0)
    head, results = accuracy.of_features(np.hstack([values, np.zeros((120, 1))]), labels, splits)
    pipeline = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    expected = [pipeline.fit(values[a], labels[a]).score(values[b], labels[b]) for a, b in splits]
    assert len(splits) == 15
    if head == "regression":
        np.testing.assert_allclose(results, expected, atol=1e-12)
    assert results.mean() >= np.mean(expected) > 0.6
    assert accuracy.of_features(np.ones((120, 2)), labels, splits)[1].mean() == pytest.approx(1 / 3, abs=0.01)


def test_the_best_is_loaded_as_it_was_measured(digits):
    found = zoo.recommend(
        digits.samples, digits.labels, models="mnist-denoising-distortion-128", samples=200, device_cost=False
    )
    assert found.best == "mnist-denoising-distortion-128"
    assert found.sentence.startswith("Take mnist-denoising-distortion-128: ")
    encoder = zoo.load_encoder(found.best, **found.options)
    assert encoder.output_shape == (None, 128)


def test_none_helps(digits):
    random = np.random.default_rng(0)
    guess = zoo.recommend(
        random.random((60, 8, 8, 1), "float32"), np.arange(60) % 2, models="mnist-feed-forward-8", device_cost=False
    )
    assert guess.best is None
    assert guess.sentence.startswith("None helps: mnist-feed-forward-8 (")
    weak = zoo.recommend(digits.samples, digits.labels, models="mnist-feed-forward-8", samples=300, device_cost=False)
    assert weak.best is None
    assert "Take the latter, or train a model on your own samples." in weak.sentence


def test_a_lead_within_chance_is_said():
    samples = Samples(zoo.data.Source(np.zeros((20, 3)), np.arange(20) % 2), 20, 0, by_class=True)
    rows = [Row("m", True, "regression", 0.82, 0.1, (3,)), Row("pixels", False, "regression", 0.81, 0.1, (3,))]
    values = {"m": np.array([0.7, 0.9, 0.8, 0.85, 0.85]), "pixels": np.array([0.9, 0.7, 0.85, 0.8, 0.8])}
    best, sentence = verdict.of(rows, values, "accuracy", samples)
    assert best == "m"
    assert sentence.endswith("which may be chance.")
    clear = {"m": values["m"], "pixels": values["m"] - 0.1}
    assert verdict.of(rows, clear, "accuracy", samples)[1].startswith("Take m: m (regression) reaches accuracy 0.820")
    # The variance of the mean over 5 splits, and once more for the samples that they share.
    assert verdict.standard_error(np.array([0, 0.1, 0, 0.1, 0.05])) == pytest.approx(0.05 * (1 / 5 + 1 / 4) ** 0.5)


def test_anomalies():
    digits, clothes = (
        zoo.data.resize(zoo.data.load("digits", "all").samples[:200], (28, 28, 1), margin=margin)
        for margin in (4 / 28, 0)
    )
    found = zoo.recommend(
        digits, anomalies=1 - clothes, models=["mnist-feed-forward-16", "mnist-sparse-l1-500"], device_cost=False
    )
    assert found.measure == "AUROC"
    assert found.best is None  # PCA knows bright from dark as well
    assert {row.model for row in found.rows if not row.pretrained} == {"PCA", "isolation forest", "nearest neighbours"}
    assert all(row.value > 0.99 for row in found.rows[:4])


def test_normal_samples_alone_recommend_nothing(digits):
    found = zoo.recommend(digits.samples[:100], models=PATTERN, device_cost=False)
    assert found.best is None
    assert found.measure == "unexplained"
    assert found.sentence.startswith("Without labels or anomalies nothing tells which model detects best. ")
    model = zoo.load(found.rows[0].model)
    x = zoo.data.resize(digits.samples[:100], (28, 28, 1))
    errors = model.reconstruction_error(x)
    assert found.rows[0].value == pytest.approx(errors.mean() / x.reshape(100, -1).var(axis=0).mean(), rel=1e-4)
    assert found.rows[0].spread == pytest.approx(np.quantile(errors, 0.99) / np.median(errors), rel=1e-4)


def test_signals(digits):
    labels = np.arange(30) % 2
    signal = np.random.default_rng(0).normal(size=(30, 140)).astype("float32") + labels[:, None]
    found = zoo.recommend(signal, labels, device_cost=False)
    assert {row.model for row in found.rows if row.pretrained} == set(zoo.list_pretrained("ecg5000-*"))
    assert "for pictures" in found.not_tried
    other = zoo.data.Source(np.zeros((9, 8000)) + np.arange(9)[:, None], np.arange(9) % 2, sampling_rate=16000)
    with pytest.raises(DataError, match=r"1 are for another sampling rate than 16000 Hz"):
        zoo.recommend(other, models="fsdd-*")


def test_refusals(digits):
    x, y = digits.samples, digits.labels
    with pytest.raises(DataError, match=r"at least two classes. Received 178 samples of '0' alone"):
        zoo.recommend(x[y == 0], y[y == 0])
    rare = np.concatenate([np.flatnonzero(y < 2), np.flatnonzero(y == 7)[:1]])
    with pytest.raises(DataError, match=r"at least 2 labelled samples.* Received one of '7'\."):
        zoo.recommend(x[rare], y[rare])
    with pytest.raises(DataError, match=r"All 20 samples of 'array' are equal"):
        zoo.recommend(np.ones((20, 8, 8, 1)), np.arange(20) % 2)
    with pytest.raises(UnknownNameError, match=r"No pretrained model is called 'nothing\*'"):
        zoo.recommend(x, y, models="nothing*")
    with pytest.raises(DataError, match=r"None of 1 pretrained models takes .* \(8, 8, 1\): 1 are for colour"):
        zoo.recommend(x, y, models="cifar10-jpeg-convolutional-64")


def test_command(tmp_path, digits):
    """A folder of pictures of two sizes, in a process of its own."""
    for i in range(24):
        side = (8, 12)[i % 3 == 0]
        pixels = zoo.data.resize(digits.samples[i : i + 1], (side, side, 1))[0, :, :, 0]
        path = tmp_path / "photos" / "train" / f"class{digits.labels[i] % 2}" / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        PIL.Image.fromarray((pixels * 255).astype("uint8")).save(path)
    command = [
        sys.executable,
        "-m",
        "zoo.cli",
        "recommend",
        str(tmp_path / "photos"),
        "--models",
        "mnist-feed-forward-16",
    ]
    done = subprocess.run([*command, "--no-device-cost", "--json"], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert {row["model"] for row in result["rows"] if row["pretrained"]} == {"mnist-feed-forward-16"}
    assert result["samples"] == 24
    wrong = subprocess.run([*command[:-1], "nothing"], capture_output=True, text=True, timeout=300)
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "No pretrained model is called 'nothing'" in wrong.stderr
