#!/usr/bin/env python
"""Does the encoder help? Few-label learning on data that it has never seen: docs/transfer.md, .json and .png.

Each number is kept in docs/transfer.json when it is measured, so an interrupted run goes on where it stopped;
``--fresh`` measures all of them anew. ``--report`` only writes page and plot.
"""

import functools
import json
import os
import pathlib
import platform

import click
import numpy as np

import zoo
from zoo import demo
from zoo.evaluation import few_labels

DOCS = pathlib.Path(__file__).parents[1] / "docs"
LABELS = (1, 5, 10, 50)
DRAWS = 5
LARGEST = 3000  # images of a task at most: a test image counts the same, and the others only cost time

# What each task is learnt with: sets that were not trained on its images, and plain ones beside those that distort.
TASKS = {
    "digits": (
        "mnist-denoising-distortion-128",
        "mnist-denoising-affine-128",
        "mnist-denoising-affine-sparse-topk-1000",
        "mnist-denoising-affine-64",
        "general-denoising-distortion-128",
        "fashion-mnist-denoising-affine-128",
        "mnist-convolutional-16",
    ),
    "fashion_mnist": ("mnist-denoising-distortion-128", "mnist-denoising-affine-128", "mnist-convolutional-16"),
    "mnist": ("fashion-mnist-denoising-distortion-128", "fashion-mnist-denoising-affine-128"),
}
TITLES = {
    "digits": "handwritten digits of scikit-learn (8×8, other writers than MNIST's)",
    "fashion_mnist": "Fashion-MNIST, with encoders of digits",
    "mnist": "MNIST, with encoders of clothes",
}
AUGMENTATION = demo.AUGMENTATION
WITH_ENCODER = {
    "discriminant head, augmented": functools.partial(few_labels.discriminant, augmentation=AUGMENTATION),
    "discriminant head": few_labels.discriminant,
    "fine-tuned in two phases": functools.partial(
        few_labels.fine_tuned, head="discriminant", epochs=3, learning_rate=2e-5, augmentation=AUGMENTATION
    ),
    "frozen features, logistic regression": few_labels.frozen_features,
}
WITHOUT = {"PCA, logistic regression": few_labels.principal_components, "raw pixels": few_labels.raw_pixels}
SCRATCH = "same network from scratch"


@functools.cache
def images_of(task):
    """float32 images (samples, 28, 28, 1) and labels of a task."""
    source = zoo.data.load(task, "all" if task == "digits" else "test")
    margin = demo.MNIST_MARGIN if task == "digits" else 0.0
    return zoo.data.resize(source.part(0, LARGEST).pixels(), (28, 28, 1), margin=margin), source.labels[:LARGEST]


def cells():
    """(task, set or "", method, labels per class) of every number, and the function that learns."""
    for task, sets in TASKS.items():
        for per_class in LABELS:
            for method, learn in WITHOUT.items():
                yield (task, "", method, per_class), learn
            for name in sets:
                for method, learn in WITH_ENCODER.items():
                    if per_class > 1 or "augmented" in method or "discriminant" not in method:
                        yield (task, name, method, per_class), learn
            yield (task, sets[0], SCRATCH, per_class), few_labels.from_scratch


def measure(task, name, per_class, learn):
    """Accuracy on all other images, one for each draw of the labelled ones."""
    import keras

    images, labels = images_of(task)
    accuracies = []
    for draw in range(DRAWS):
        keras.utils.set_random_seed(draw)
        train, test = few_labels.choose(labels, per_class, draw)
        predict, _ = learn(images[train], labels[train], name)
        accuracies.append(float(np.mean(predict(images[test]) == labels[test])))
    return accuracies


@click.command(help=__doc__)
@click.option("--fresh", is_flag=True, help="Measure everything anew.")
@click.option("--report", is_flag=True, help="Measure nothing: write page and plot.")
def main(fresh, report):
    path = DOCS / "transfer.json"
    known = {} if fresh or not path.is_file() else json.loads(path.read_text(encoding="utf-8"))
    todo = [(cell, learn) for cell, learn in cells() if "|".join(map(str, cell)) not in known]
    for number, (cell, learn) in enumerate([] if report else todo, start=1):
        task, name, method, per_class = cell
        accuracies = measure(task, name, per_class, learn)
        click.echo(f"{number} of {len(todo)}: {task}, {name or '-'}, {method}, {per_class}: {np.mean(accuracies):.3f}")
        known["|".join(map(str, cell))] = accuracies
        path.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
    known = {cell: known["|".join(map(str, cell))] for cell, _ in cells() if "|".join(map(str, cell)) in known}
    (DOCS / "transfer.md").write_text(page(known), encoding="utf-8")
    plot(known, DOCS / "transfer.png")
    click.echo(f"Wrote {DOCS / 'transfer.md'}.")


def page(known):
    """Markdown of all results."""
    lines = [
        "# Does the encoder help?",
        "",
        f"Accuracy on all other images after learning from 1, 5, 10 or 50 labelled images per class, mean ± standard"
        f" deviation over {DRAWS} random choices of them. Generated by `scripts/transfer.py` on {os.cpu_count()} CPU"
        f" cores ({platform.machine()}).",
        "",
        "![Accuracy against the number of labels](transfer.png)",
    ]
    for task in TASKS:
        lines += ["", f"## {TITLES[task]}", "", "| set | method | " + " | ".join(map(str, LABELS)) + " |"]
        lines += ["|---|---|" + "---:|" * len(LABELS)]
        rows = dict.fromkeys((name, method) for t, name, method, _ in known if t == task)
        for name, method in sorted(rows, key=lambda row: -np.mean(known.get((task, *row, 10), 0))):
            values = [known.get((task, name, method, k)) for k in LABELS]
            text = [f"{np.mean(v):.3f} ± {np.std(v):.3f}" if v else "" for v in values]
            lines.append(f"| {name} | {method} | {' | '.join(text)} |")
    return "\n".join([*lines, "", *recommendation(known)]) + "\n"


def recommendation(known):
    """Which set to take for what, from the numbers."""
    lines = ["## Which set to take", ""]
    for task in TASKS:
        best = {}
        for (t, name, method, per_class), values in known.items():
            if t == task and name and method != SCRATCH:
                best.setdefault(per_class, []).append((np.mean(values), name, method))
        told = [
            f"{k} labels per class: {max(best[k])[1]} ({max(best[k])[2]}), {max(best[k])[0]:.3f}" for k in sorted(best)
        ]
        pixels = [f"{np.mean(known[task, '', 'raw pixels', k]):.3f}" for k in sorted(best)]
        lines.append(f"- {TITLES[task]}: {'; '.join(told)}. Raw pixels: {', '.join(pixels)}.")
    return lines


def plot(known, path):
    """Accuracy against labels per class: the best set of each method, for each task."""
    from matplotlib.figure import Figure

    from zoo import plots

    figure = Figure(figsize=(4.2 * len(TASKS), 3.6), layout="constrained")
    for axis, task in zip(figure.subplots(1, len(TASKS), squeeze=False)[0], TASKS, strict=True):
        for method in (*WITH_ENCODER, SCRATCH, *WITHOUT):
            points = {}
            for (t, _, m, per_class), values in known.items():
                if (t, m) == (task, method):
                    points[per_class] = max(points.get(per_class, 0), float(np.mean(values)))
            if points:
                axis.plot(sorted(points), [points[k] for k in sorted(points)], marker="o", label=method)
        axis.set_xscale("log")
        axis.set_xticks(LABELS, map(str, LABELS))
        axis.set_xlabel("labels per class")
        axis.set_title(task)
        axis.grid(alpha=0.3)
    figure.axes[0].set_ylabel("accuracy")
    figure.axes[0].legend(fontsize=7)
    plots.save(figure, path, dpi=90)


if __name__ == "__main__":
    main()
