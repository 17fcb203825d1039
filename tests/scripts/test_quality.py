import dataclasses

import quality

import zoo


def _goal(**changes):
    goal = quality.Goal("a title", "mnist", 8, "knn_accuracy", 0.5, "pixels")
    return dataclasses.replace(goal, **changes)


def test_the_best_set_is_of_the_right_data_size_and_family():
    names = [n for n in zoo.list_pretrained(dataset="mnist") if zoo.card(n).input.latent_shape == (8,)]
    accuracy = {n: zoo.card(n).metrics["knn_accuracy"] for n in names}
    assert len(names) >= 3
    assert _goal().best() == (max(accuracy.values()), max(accuracy, key=accuracy.get))
    error = {n: zoo.card(n).metrics["mse"] for n in names}
    assert _goal(metric="mse").best() == (min(error.values()), min(error, key=error.get))
    assert zoo.card(_goal(family="convolutional").best()[1]).family == "convolutional"
    assert _goal(features=9).best() is None
    assert _goal(features=9, exact=False).best() == _goal().best()


def test_what_is_not_reached_is_said(monkeypatch):
    value, name = _goal().best()
    goals = _goal(), _goal(value=0.99), _goal(metric="mse", value=0.5), _goal(metric="mse", value=1e-4)
    monkeypatch.setattr(quality, "GOALS", goals)
    lines = quality.table().splitlines()[2:]
    assert lines[0] == f"| a title | ≥ 0.500 | {value:.3f} | {name} | pixels |"
    assert [("not reached" in line) for line in lines] == [False, True, False, True]
