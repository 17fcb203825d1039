#!/usr/bin/env python
"""Encoders of colour pictures, beside raw pixels and PCA: docs/colour.md and .json.

Each number is kept in docs/colour.json when it is measured, so an interrupted run goes on where it stopped; ``--fresh``
measures all of them anew. ``--report`` only writes the page. Features are kept in colour-state/ as float16.
"""

import json
import pathlib

import click
import keras
import numpy as np
import transfer

import zoo
from zoo.core.batches import forward
from zoo.core.tables import markdown_table
from zoo.transfer import few_labels

ROOT = pathlib.Path(__file__).parents[1]
RESULTS, PAGE, STATE = ROOT / "docs" / "colour.json", ROOT / "docs" / "colour.md", ROOT / "colour-state"
TASKS = {
    "cifar10_jpeg": ("CIFAR-10 (JPEG re-encoding), 32×32", (32, 32, 3), 5000),
    "eurosat_rgb_half": ("EuroSAT RGB (half of it), 64×64", (64, 64, 3), 2000),
}  # title, shape, training samples that the penalty is chosen on
ENCODERS = (
    "cifar10-jpeg-patch-coder-1600",
    "eurosat-patch-coder-800",
    "cifar10-jpeg-convolutional-pooled-256",
    "cifar10-jpeg-denoising-distortion-256",
)
BASELINES = ("raw pixels", "PCA-128")
PENALTIES = (10, 30, 100, 300, 1000, 3000, 10000, 30000)
LABELS, DRAWS, FEW = 10, 5, 3000
PIXELS = (32, 32, 3)  # to which larger images are brought, as a baseline
BLOCK = 5000  # samples that are held as float32 at a time
# Variants of the patch coder, on few training images alone; all else is as in the first one.
FIRST = {"units": 400, "grid": 2, "threshold": 0.25, "active": 1}
VARIANTS = {
    "400 features, quadrants, threshold 0.25, 1 active": {},
    "threshold 0.5": {"threshold": 0.5},
    "threshold 1": {"threshold": 1.0},
    "4 active features": {"active": 4},
    "whole image": {"grid": 1},
    "3×3 cells": {"grid": 3},
    "stride 2": {"stride": 2},
    "800 features": {"units": 800},
    "features not learnt: random patches": {"epochs": 0},
    "features and whitening of the other data set": {"other": True},
    "features and whitening of both data sets": {"mixture": True},
}
# Tried before the encoder had its form, by hand: what they are compared with is in the same line.
BY_HAND = (
    (
        "CIFAR-10, 6,000 labels, 400 k-means units, triangle activation (bfloat16, which costs it some)",
        "0.555",
        "0.620",
    ),
    ("the same, gain-shape k-means instead of the autoencoder, soft threshold 0.5", "0.620", "0.622 (5,000 labels)"),
    ("the same, autoencoder with an L1 penalty instead of one active feature (5,000 labels)", "0.597", "0.622"),
    ("the same, mean of the codes without its logarithm and without colours, threshold 0.25", "0.622", "0.640"),
    ("EuroSAT, 2,500 labels, 300 units: patches not normalised in contrast, only whitened", "0.846", "0.856"),
    ("the same, neither normalised nor with contrast and colour statistics", "0.827", "0.856"),
    ("EuroSAT, 10 labels a class: quadrants instead of the whole picture", "0.671", "0.709"),
    ("the same, PCA of the features to 64, half whitened", "0.711", "0.709"),
)


def images_of(task, split):
    """uint8 pixels and labels of a split."""
    source = zoo.data.load(task, split)
    return source.samples, source.labels


def features_of(task, name, split):
    """float16 array (samples, features), and labels."""
    images, labels = images_of(task, split)
    path = STATE / f"{task}-{name.replace(' ', '-')}-{split}.npy"
    if not path.is_file():
        STATE.mkdir(exist_ok=True)
        np.save(path, _features(task, name, images))
    return np.load(path, mmap_mode="r"), labels


def _features(task, name, images):
    if name == "raw pixels":
        return _in_blocks(images, lambda x: zoo.data.resize(x, PIXELS))
    if name == "PCA-128":
        from sklearn.decomposition import PCA

        train = _scaled(images_of(task, "train")[0][:10_000]).reshape(-1, images[0].size)
        pca = PCA(128, svd_solver="randomized", random_state=0).fit(train)
        return _in_blocks(images, lambda x: pca.transform(x.reshape(len(x), -1)))
    encoder = zoo.load_encoder(name)
    return _encoded(encoder, images)


def _encoded(encoder, images):
    shape = encoder.input_shape[1:]

    def encode(x):
        return forward(lambda batch: encoder(batch, training=False), zoo.data.resize(x, shape), 50)

    return _in_blocks(images, encode)


def _in_blocks(images, function):
    blocks = (_scaled(images[begin : begin + 1000]) for begin in range(0, len(images), 1000))
    return np.concatenate([function(x).reshape(len(x), -1).astype("float16") for x in blocks])


def _scaled(images):
    return images.astype("float32") / 255


def linear_probe(train, labels, test, test_labels, held_out):
    """Accuracy on test features of a ridge regression on standardised features, all classes' ±; and its penalty.

    The penalty is chosen on the last `held_out` training samples; the regression is then fitted on all.
    """
    import scipy.linalg

    kept = len(train) - held_out
    first = train[:BLOCK].astype("float32")
    mean, deviation = first.mean(axis=0), first.std(axis=0) + 1e-6
    classes = labels.max() + 1

    def standardised(x):
        for begin in range(0, len(x), BLOCK):
            yield (x[begin : begin + BLOCK].astype("float32") - mean) / deviation

    def products(x, y):
        gram, cross = 0, 0
        for number, block in enumerate(standardised(x)):
            target = np.eye(classes, dtype="float32")[y[number * BLOCK : number * BLOCK + len(block)]] - 1 / classes
            gram, cross = gram + block.T @ block, cross + block.T @ target
        return gram, cross

    def solved(gram, cross, penalty):
        gram = gram.copy()
        gram[np.diag_indices(len(gram))] += penalty
        return scipy.linalg.solve(gram, cross, assume_a="pos", overwrite_a=True)

    def accuracy(x, y, weights):
        return float(np.mean(np.concatenate([(block @ weights).argmax(axis=1) for block in standardised(x)]) == y))

    gram, cross = products(train[:kept], labels[:kept])
    scores = {p: accuracy(train[kept:], labels[kept:], solved(gram, cross, p)) for p in PENALTIES}
    penalty = max(scores, key=lambda p: scores[p])
    rest = products(train[kept:], labels[kept:])
    return accuracy(test, test_labels, solved(gram + rest[0], cross + rest[1], penalty)), penalty


def few(features, labels, head="regression"):
    """Accuracy on all others after 10 labels a class, one for each draw: the heads of `zoo.fine_tune`."""
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    features, accuracies = np.asarray(features, "float32"), []
    for draw in range(DRAWS):
        train, test = few_labels.choose(labels, LABELS, draw)
        if head == "regression":
            model = LogisticRegression(max_iter=1000)
        else:
            model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
        model = make_pipeline(StandardScaler(), model).fit(features[train], labels[train])
        accuracies.append(float(model.score(features[test], labels[test])))
    return accuracies


def held_out_classes(name):
    """Few labels of five classes of CIFAR-10, by an encoder that was trained without them: as docs/transfer.md."""
    images, labels = transfer.images_of("colour")
    encoder = zoo.load_encoder(transfer.located(f"without: {name}", transfer.TASKS["colour"]))
    features = forward(lambda batch: encoder(batch, training=False), images, 50).reshape(len(images), -1)
    return {head: few(features, labels, head) for head in ("regression", "discriminant")}


def variant(task, **arguments):
    """A patch coder trained on 8,000 images, measured with 6,000 labels, and with 10 a class, on 2,000 others."""
    images, labels = images_of(task, "train")
    order = np.random.default_rng(0).permutation(len(images))
    images, labels = images[order], labels[order]
    other = next(name for name in TASKS if name != task)
    source, stride, epochs = images[:8000], arguments.pop("stride", 1 if task == "cifar10_jpeg" else 2), 2
    epochs = arguments.pop("epochs", epochs)
    if arguments.pop("other", False):
        source = zoo.data.resize(images_of(other, "train")[0][:8000], images.shape[1:])
    if arguments.pop("mixture", False):
        more = zoo.data.resize(images_of(other, "train")[0][:4000], images.shape[1:])
        source = np.concatenate([images[:4000], more])
    keras.utils.set_random_seed(1)
    source = _scaled(source)
    patches = zoo.preprocessing.WhitenedPatches(6, stride).fitted(source)
    model = zoo.patch_coder(images.shape[1:], preprocessing=patches, **{**FIRST, **arguments})
    if epochs:
        model.fit(source, epochs=epochs, batch_size=256, verbose=0)
    else:
        kernel = model._of_patches(model._whitened(source, 10_000, 0), 0).encoder.get_layer("features").kernel
        model.features.set_weights([np.asarray(kernel), model.features.get_weights()[1]])
    chosen = np.r_[:6000, len(images) - 2000 : len(images)]
    features = _encoded(model.encoder, images[chosen])
    probe, _ = linear_probe(features[:6000], labels[:6000], features[6000:], labels[chosen[6000:]], 1000)
    return {"probe": probe, "few": few(features[6000:], labels[chosen[6000:]])}


def measure(kind, task, name):
    if kind == "held-out":
        return held_out_classes(name)
    if kind == "variant":
        return variant(task, **VARIANTS[name])
    train, labels = features_of(task, name, "train")
    test, test_labels = features_of(task, name, "test")
    probe, penalty = linear_probe(train, labels, test, test_labels, TASKS[task][2])
    random = np.random.default_rng(0).permutation(len(test))[:FEW]
    heads = {head: few(test[random], test_labels[random], head) for head in ("regression", "discriminant")}
    return {"features": train.shape[1], "probe": probe, "penalty": penalty, **heads}


def cells():
    for task in TASKS:
        for name in (*ENCODERS, *BASELINES):
            yield "encoder", task, name
    yield "held-out", "colour", ENCODERS[0]
    for task in TASKS:
        for name in VARIANTS:
            yield "variant", task, name


def page(known):
    """Markdown of all results."""

    def spread(values):
        return f"{np.mean(values):.3f} ± {np.std(values):.3f}"

    lines = [
        "# Encoders of colour pictures",
        "",
        f"Written by `scripts/colour.py`. *Linear probe*: a ridge regression on standardised features with all training"
        f" labels, its penalty chosen on the last training samples, accuracy on the test split. *{LABELS} labels*: a"
        f" linear head on {LABELS} labelled pictures a class, accuracy on the others of {FEW:,} test pictures, mean ±"
        f" standard deviation of {DRAWS} draws: a logistic regression on standardised features, or a discriminant"
        " with shrinkage, which `zoo.fine_tune` has too. An encoder of another size gets the pictures"
        " resized, raw pixels are those at 32×32.",
    ]
    for task, (title, _, _) in TASKS.items():
        rows = [
            [name, f"{found['features']:,}", f"{found['probe']:.3f}", *(spread(found[h]) for h in _HEADS)]
            for (kind, of, name), found in known.items()
            if (kind, of) == ("encoder", task)
        ]
        if rows:
            header = ["encoder", "features", "linear probe", "10 labels, logistic", "10 labels, discriminant"]
            lines += ["", f"## {title}", "", markdown_table(header, rows, "lrrrr")]
    if found := known.get(("held-out", "colour", ENCODERS[0])):
        lines += [
            "",
            "## Five classes that the encoder has never seen",
            "",
            "Measured as in docs/transfer.md: five classes of CIFAR-10, by encoders trained on pictures of the other"
            f" five. {ENCODERS[0]}, trained without these classes, {LABELS} labels a class: logistic regression"
            f" {spread(found['regression'])}, discriminant {spread(found['discriminant'])}. The best encoder there has"
            " 0.396, raw pixels have 0.352.",
        ]
    lines += ["", "## What was tried", "", "On training pictures alone: 6,000 labels, and 2,000 pictures to test."]
    for task, (title, _, _) in TASKS.items():
        rows = [
            [name, f"{found['probe']:.3f}", spread(found["few"])]
            for (kind, of, name), found in known.items()
            if (kind, of) == ("variant", task)
        ]
        if rows:
            header = [f"patch coder, {title}", "linear probe", "10 labels, logistic"]
            lines += ["", markdown_table(header, rows, "lrr")]
    lines += [
        "",
        "By hand, before the encoder had its form, on parts of the training pictures; these numbers are not measured by"
        " the script:",
        "",
        markdown_table(["tried", "accuracy", "instead of"], [list(row) for row in BY_HAND], "lrr"),
        "",
        "Not tried: masked blocks with a gradient-histogram target (Wei et al., 2022) and geometric distortions at"
        " several scales.",
    ]
    return "\n".join(lines) + "\n"


_HEADS = ("regression", "discriminant")


@click.command(help=__doc__)
@click.option("--fresh", is_flag=True, help="Measure anew.")
@click.option("--only", default="", help="Only what has this in its key, such as variant or eurosat.")
@click.option("--report", is_flag=True, help="Measure nothing: write the page.")
def main(fresh, only, report):
    stored = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.is_file() and not (fresh and not only) else {}
    for cell in () if report else cells():
        key = "|".join(cell)
        if only not in key or (key in stored and not fresh):
            continue
        stored[key] = measure(*cell)
        click.echo(f"{key}: {stored[key]}")
        RESULTS.write_text(json.dumps(stored, indent=1) + "\n", encoding="utf-8")
    known = {cell: stored["|".join(cell)] for cell in cells() if "|".join(cell) in stored}
    PAGE.write_text(page(known), encoding="utf-8")


if __name__ == "__main__":
    main()
