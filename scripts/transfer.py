#!/usr/bin/env python
"""Does the encoder help? Few-label learning on data that it has never seen: docs/transfer.md, .json and .png.

Each number is kept in docs/transfer.json when it is measured, so an interrupted run goes on where it stopped;
``--fresh`` measures all of them anew, ``--fresh --task digits`` those of one task. ``--report`` only writes page and
plot.
"""

import dataclasses
import functools
import json
import os
import pathlib
import platform

import click
import numpy as np

import zoo
from zoo.core import files
from zoo.core.tables import markdown_table
from zoo.recipes import demo
from zoo.transfer import few_labels

ROOT = pathlib.Path(__file__).parents[1]
DOCS = ROOT / "docs"
STATE = ROOT / "transfer-state"
LABELS = (1, 5, 10, 50)
DRAWS = 5
LARGEST = 3000  # images of a task at most: a test image counts the same, and the others only cost time


@dataclasses.dataclass(frozen=True)
class Task:
    """Data to learn from few labels.

    Attributes:
        title: what it is.
        models: names of models, pretrained on other data; the first one's network is also trained from scratch.
        seen: names of models for comparison, pretrained without labels on images of this very kind (not the same).
        dataset, split: what `zoo.data.load` takes, if not the task's name and "test".
        classes: only these, by number.
        margin: of `zoo.data.resize`.
    """

    title: str
    models: tuple
    seen: tuple = ()
    dataset: str = ""
    split: str = "test"
    classes: tuple = ()
    margin: float = 0.0


# automobile, cat, dog, horse, truck: animals and vehicles in both halves
HELD_OUT = (1, 3, 5, 7, 9)
TASKS = {
    "digits": Task(
        "handwritten digits of scikit-learn (8×8, other writers than MNIST's)",
        (
            "mnist-denoising-distortion-128",
            "general-denoising-distortion-128",
            "mnist-convolutional-16",
            "fashion-mnist-denoising-affine-128",
        ),
        split="all",
        margin=demo.MNIST_MARGIN,
    ),
    "fashion_mnist": Task(
        "clothes of Fashion-MNIST, with encoders of MNIST's digits",
        ("mnist-denoising-distortion-128", "mnist-convolutional-16"),
        ("fashion-mnist-denoising-affine-128", "general-denoising-distortion-128"),
    ),
    "mnist": Task(
        "digits of MNIST, with encoders of Fashion-MNIST's clothes",
        ("fashion-mnist-denoising-affine-128", "fashion-mnist-convolutional-16"),
        ("mnist-denoising-distortion-128", "general-denoising-distortion-128"),
    ),
    "colour": Task(
        "five classes of CIFAR-10 (JPEG re-encoding), with encoders of the other five",
        (
            "without: cifar10-jpeg-denoising-distortion-256",
            "without: cifar10-jpeg-convolutional-pooled-256",
            "without: cifar10-jpeg-convolutional-128",
        ),
        dataset="cifar10_jpeg",
        classes=HELD_OUT,
    ),
}
_WITHOUT = "without: "  # a model trained again, by its recipe, without the classes of the task
_MAPS = "frozen feature maps before the latent layer, logistic regression"
AUGMENTATION = demo.AUGMENTATION
WITH_ENCODER = {
    "discriminant head, augmented": functools.partial(few_labels.discriminant, augmentation=AUGMENTATION),
    "discriminant head": few_labels.discriminant,
    "fine-tuned in two phases": functools.partial(
        few_labels.fine_tuned, head="auto", epochs=3, learning_rate=2e-5, augmentation=AUGMENTATION
    ),
    "frozen features, logistic regression": few_labels.frozen_features,
    _MAPS: few_labels.frozen_feature_maps,
}
WITHOUT = {"PCA, logistic regression": few_labels.principal_components, "raw pixels": few_labels.raw_pixels}
SCRATCH = "same network from scratch"


@functools.cache
def images_of(name):
    """float32 images and labels, from 0 on, of a task."""
    task = TASKS[name]
    source = zoo.data.load(task.dataset or name, task.split)
    if task.classes:
        source = source.subset(np.flatnonzero(np.isin(source.labels, task.classes)))
    source = source.part(0, LARGEST)
    shape = (32, 32, 3) if source.shape[-1] == 3 else (28, 28, 1)
    images = zoo.data.resize(source.pixels(), shape, margin=task.margin)
    return images, np.unique(source.labels, return_inverse=True)[1]


def located(name, task):
    """What `zoo.load` takes for a model of a task; one "without" classes is trained if it is not there."""
    if not name.startswith(_WITHOUT):
        return name
    name = name.removeprefix(_WITHOUT)
    directory = STATE / name
    if not (directory / "metadata.json").is_file():
        from zoo.recipes.fit import build, fit
        from zoo.recipes.recipe import read_recipe

        recipe = read_recipe(ROOT / "pretrained" / name)
        click.echo(f"Training {name} without the classes of {task.dataset} that are to be learnt.")
        source = zoo.data.load(task.dataset, "train")
        others = source.subset(np.flatnonzero(~np.isin(source.labels, task.classes)))
        model = build(recipe)
        fit(recipe, model, others, checkpoint_directory=STATE / f"{name}-checkpoint", verbose=2)
        zoo.save(model, directory)
    return directory


def cells(only=None):
    """(task, model or "", method, labels per class) of every number, and the function that learns."""
    for name, task in TASKS.items():
        if only and name != only:
            continue
        for per_class in LABELS:
            for method, learn in WITHOUT.items():
                yield (name, "", method, per_class), learn
            for encoder in (*task.models, *task.seen):
                for method, learn in WITH_ENCODER.items():
                    impossible = per_class == 1 and method == "discriminant head"
                    same = "pooled" in encoder and method == _MAPS  # its latent features are the maps
                    if not impossible and not same:
                        yield (name, encoder, method, per_class), learn
            yield (name, task.models[0], SCRATCH, per_class), few_labels.from_scratch


def measure(task, name, per_class, learn):
    """Accuracy on all other images, one for each draw of the labelled ones."""
    import keras

    images, labels = images_of(task)
    encoder = zoo.load_encoder(located(name, TASKS[task])) if name else None
    accuracies = []
    for draw in range(DRAWS):
        keras.utils.set_random_seed(draw)
        train, test = few_labels.choose(labels, per_class, draw)
        predict, _ = learn(images[train], labels[train], encoder)
        accuracies.append(float(np.mean(predict(images[test]) == labels[test])))
    return accuracies


@click.command(help=__doc__)
@click.option("--task", "only", type=click.Choice(list(TASKS)), help="Measure this one only.")
@click.option("--fresh", is_flag=True, help="Measure anew.")
@click.option("--report", is_flag=True, help="Measure nothing: write page and plot.")
def main(only, fresh, report):
    path = DOCS / "transfer.json"
    asked = {_key(cell): (cell, learn) for cell, learn in cells(only)}
    todo = [key for key in asked if fresh or key not in _read(path)]
    for number, key in enumerate([] if report else todo, start=1):
        (task, name, method, per_class), learn = asked[key]
        accuracies = measure(task, name, per_class, learn)
        click.echo(f"{number} of {len(todo)}: {task}, {name or '-'}, {method}, {per_class}: {np.mean(accuracies):.3f}")
        _write(path, {**_read(path), key: accuracies})
    stored = _read(path)
    known = {cell: stored[_key(cell)] for cell, _ in cells() if _key(cell) in stored}
    _write(path, {_key(cell): accuracies for cell, accuracies in known.items()})
    (DOCS / "transfer.md").write_text(page(known), encoding="utf-8")
    plot(known, DOCS / "transfer.png")
    click.echo(f"Wrote {DOCS / 'transfer.md'}.")


def _key(cell):
    return "|".join(map(str, cell))


def _read(path):
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def _write(path, content):
    with files.replacing(path) as file:
        file.write((json.dumps(content, indent=1) + "\n").encode())


def page(known):
    """Markdown of all results."""
    lines = [
        "# Does the encoder help?",
        "",
        f"Accuracy on all other images after learning from 1, 5, 10 or 50 labelled images per class, mean ± standard"
        f" deviation over {DRAWS} random choices of them. Generated by `scripts/transfer.py` on {os.cpu_count()} CPU"
        f" cores ({platform.machine()}). Sets in *italics* were pretrained, without labels, on images of the very kind"
        " that is learnt; all others have never seen any.",
        "",
        "![Accuracy against the number of labels](transfer.png)",
        "",
        *recommendation(known),
    ]
    for name, task in TASKS.items():
        lines += ["", f"## {task.title[0].upper()}{task.title[1:]}", ""]
        table = []
        rows = dict.fromkeys((encoder, method) for t, encoder, method, _ in known if t == name)
        for encoder, method in sorted(rows, key=lambda row: -np.mean(known.get((name, *row, 10), 0))):
            values = [known.get((name, encoder, method, k)) for k in LABELS]
            text = [f"{np.mean(v):.3f} ± {np.std(v):.3f}" if v else "" for v in values]
            table.append([_shown(encoder, task), method, *text])
        lines.append(markdown_table(["model", "method", *map(str, LABELS)], table, "ll" + "r" * len(LABELS)))
    return "\n".join(lines) + "\n"


def _as_text(found, task):
    accuracy, encoder, method = found
    return f"{_shown(encoder, task)} ({method}), {accuracy:.3f}"


def _shown(encoder, task):
    return f"*{encoder}*" if encoder in task.seen else _title(encoder)


def _labels(count):
    return f"{count} label{'s' if count > 1 else ''}"


def _title(encoder):
    trained_without = encoder.removeprefix(_WITHOUT)
    return f"{trained_without}, trained without these classes" if encoder != trained_without else encoder


def recommendation(known):
    """Which model to take for what, from the numbers."""
    lines = ["## Which model to take", ""]
    for name, task in TASKS.items():
        found = {}
        for (t, encoder, method, per_class), values in known.items():
            if t == name and encoder and method != SCRATCH:
                found.setdefault(per_class, []).append((np.mean(values), encoder, method))
        lines += [f"- {task.title}:"] if found else []
        for k in sorted(found):
            if (name, task.models[0], SCRATCH, k) not in known:  # the last to be measured
                continue
            parts = [_as_text(max(found[k]), task)]
            if max(found[k])[1] in task.seen:
                parts.append(f"without such images: {_as_text(max(f for f in found[k] if f[1] in task.models), task)}")
            parts.append(f"raw pixels {np.mean(known[name, '', 'raw pixels', k]):.3f}")
            parts.append(f"from scratch {np.mean(known[name, task.models[0], SCRATCH, k]):.3f}")
            lines.append(f"    - {_labels(k)} per class: {'; '.join(parts)}")
    below = [
        f"{_title(encoder)} with {_labels(k)} per class of {task} (by {100 * difference:.1f} points)"
        for (task, encoder, k), difference in sorted(shortfalls(known).items())
    ]
    pairs = sum(method == "fine-tuned in two phases" for _, _, method, _ in known)
    lines += [
        "",
        f"Fine-tuning in two phases is below the logistic regression on frozen features in {len(below)} of {pairs}"
        f" comparisons{': ' if below else ''}{'; '.join(below)}.",
    ]
    return lines


def shortfalls(known):
    """(task, model, labels per class): by how much fine-tuning is worse than the frozen probe, where it is."""
    tuned = {
        (task, encoder, k): np.mean(known[task, encoder, "frozen features, logistic regression", k]) - np.mean(values)
        for (task, encoder, method, k), values in known.items()
        if method == "fine-tuned in two phases" and (task, encoder, "frozen features, logistic regression", k) in known
    }
    return {cell: difference for cell, difference in tuned.items() if difference > 0}


def plot(known, path):
    """Accuracy against labels per class: the best model of each method, for each task."""
    from matplotlib.figure import Figure

    from zoo.recipes import pictures as plots

    figure = Figure(figsize=(8.4, 7.6), layout="constrained")
    for axis, task in zip(figure.subplots(2, 2).flat, TASKS, strict=True):
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
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=7)
    plots.save(figure, path, dpi=90)


if __name__ == "__main__":
    main()
