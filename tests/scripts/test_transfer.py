import json
import pathlib

import click.testing
import numpy as np
import pytest

import zoo
from zoo.transfer import few_labels

ROOT = pathlib.Path(__file__).parents[2]

import transfer  # noqa: E402

TUNED, PROBE = "fine-tuned in two phases", "frozen features, logistic regression"


def _measured(task, values):
    """Results of every cell of a task: `values` by (set, method), or .5; the same for all numbers of labels."""
    return {
        cell: [values.get(cell[1:3], 0.5) - 0.01, values.get(cell[1:3], 0.5) + 0.01] for cell, _ in transfer.cells(task)
    }


def test_the_page_recommends_the_best_and_says_where_fine_tuning_loses():
    first, second = transfer.TASKS["digits"].models[:2]
    known = _measured("digits", {(first, TUNED): 0.7, (second, TUNED): 0.8, (second, PROBE): 0.825})
    text = transfer.page(known)
    best = f"    - 10 labels per class: {second} ({PROBE}), 0.825; raw pixels 0.500; from scratch 0.500"
    assert best in text
    assert f"| {first} | {TUNED} | 0.700 ± 0.010 | 0.700 ± 0.010 | 0.700 ± 0.010 | 0.700 ± 0.010 |" in text
    assert transfer.shortfalls(known) == {("digits", second, k): pytest.approx(0.025) for k in transfer.LABELS}
    models = len(transfer.TASKS["digits"].models)
    assert (
        f"in {len(transfer.LABELS)} of {models * len(transfer.LABELS)} comparisons: {second} with 1 label per class"
        in text
    )
    assert "(by 2.5 points)" in text


def test_models_of_the_very_kind_stand_apart():
    task = transfer.TASKS["fashion_mnist"]
    text = transfer.page(_measured("fashion_mnist", {(task.seen[0], PROBE): 0.9, (task.models[1], TUNED): 0.7}))
    assert f"    - 1 label per class: *{task.seen[0]}* ({PROBE}), 0.900; without such images: {task.models[1]}" in text
    assert f"| *{task.seen[0]}* | {PROBE}" in text
    assert f"| {task.models[0]} | {PROBE}" in text
    colour = transfer.page(_measured("colour", {}))
    held_out = transfer.TASKS["colour"].models[0].removeprefix("without: ")
    assert f"| {held_out}, trained without these classes | {PROBE}" in colour


def test_every_model_is_there_and_none_was_trained_on_what_it_learns():
    for name, task in transfer.TASKS.items():
        for encoder in task.models:
            known = zoo.card(encoder.removeprefix("without: "))
            trained_on = known.dataset.name.split("+")
            assert (task.dataset or name) not in trained_on or encoder.startswith("without: ")
        for encoder in task.seen:
            assert name in zoo.card(encoder).dataset.name.split("+")


def test_the_committed_page_is_that_of_the_committed_numbers():
    stored = json.loads((ROOT / "docs" / "transfer.json").read_text(encoding="utf-8"))
    known = {cell: stored["|".join(map(str, cell))] for cell, _ in transfer.cells()}
    written = (ROOT / "docs" / "transfer.md").read_text(encoding="utf-8").splitlines()
    machine = "Accuracy on all other images"
    expected = transfer.page(known).splitlines()
    assert [x for x in written if not x.startswith(machine)] == [x for x in expected if not x.startswith(machine)]


def test_a_number_is_measured_anew(tmp_path, monkeypatch):
    """Raw pixels of the digits: quick, and the same on every machine to a thousandth."""
    cell = ("digits", "", "raw pixels", 5)
    monkeypatch.setattr(transfer, "cells", lambda only=None: iter([(cell, few_labels.raw_pixels)]))
    monkeypatch.setattr(transfer, "DOCS", tmp_path)
    monkeypatch.setattr(transfer, "page", lambda known: repr(known))
    monkeypatch.setattr(transfer, "plot", lambda known, path: None)
    result = click.testing.CliRunner().invoke(transfer.main, [])
    assert result.exit_code == 0, result.output
    stored = json.loads((ROOT / "docs" / "transfer.json").read_text(encoding="utf-8"))["|".join(map(str, cell))]
    measured = json.loads((tmp_path / "transfer.json").read_text(encoding="utf-8"))["|".join(map(str, cell))]
    np.testing.assert_allclose(measured, stored, atol=2e-3)
    assert click.testing.CliRunner().invoke(transfer.main, []).output.count("digits") == 0, "it is kept"


def test_feature_maps_are_what_enters_the_latent_layer(mnist_like, digits):
    train, test = few_labels.choose(digits.labels, 5, seed=0)
    few = test[:50]
    encoder = zoo.load_encoder("mnist-convolutional-16")
    predict, regression = few_labels.frozen_feature_maps(mnist_like[train], digits.labels[train], encoder)
    assert regression[0].n_features_in_ == 7 * 7 * 64
    dense = encoder.get_layer("features")
    flat = np.maximum(0, regression[0].mean_)
    np.testing.assert_allclose(flat, regression[0].mean_, err_msg="activations of a ReLU")
    assert dense.kernel.shape[0] == len(flat)
    assert np.mean(predict(mnist_like[few]) == digits.labels[few]) > 0.7
