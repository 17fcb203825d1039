"""The demo: a pretrained encoder learns new digits from a few labels, and the result runs as a phone would run it."""

import functools
import json
import time

import numpy as np

import zoo

ENCODER = "general-denoising-distortion-128"
# What MNIST leaves black around a digit's box; the embedded digits fill their image.
MNIST_MARGIN = 4 / 28
# Chosen on MNIST training images, see docs/transfer.md.
AUGMENTATION = (
    {"type": "Affine", "rotation": 10.0, "shift": 1.5, "scale": 0.1, "shear": 0.1},
    {"type": "Elastic", "strength": 1.0},
)
_OURS = "pretrained encoder, fine-tuned"


def run(output, *, draws=5, labels_per_class=10, as_json=False, encoder=ENCODER):
    """Run the demo: print one table, write ``demo.png``, ``results.json`` and the exported classifier to `output`.

    Args:
        output: pathlib.Path of a directory.
        draws: number of random choices of the labelled examples; accuracies are means over them.
        labels_per_class: labelled examples per class.
        as_json: print the results as JSON instead of the table.
        encoder: name of the pretrained model.

    Returns:
        dict, the results.
    """
    from rich.console import Console

    from zoo.core import files
    from zoo.transfer import few_labels

    console = Console(stderr=as_json)
    started = time.monotonic()
    files.check_writable(output)
    digits = zoo.data.load("digits", "all")
    pretrained = zoo.load_encoder(encoder)
    shape = pretrained.input_shape[1:]
    images, labels = zoo.data.resize(digits.samples, shape, margin=MNIST_MARGIN), digits.labels
    console.print(
        f"{len(images):,} real handwritten digits (8×8, scikit-learn) brought to {shape[0]}×{shape[1]},"
        f" {labels_per_class} labels per class, {draws} draws. The encoder ({encoder}) has never seen them.",
        soft_wrap=True,
    )
    methods = {
        _OURS: functools.partial(
            few_labels.fine_tuned, head="discriminant", epochs=3, learning_rate=2e-5, augmentation=AUGMENTATION
        ),
        "same network from scratch": few_labels.from_scratch,
        "logistic regression, its features": few_labels.frozen_features,
        "logistic regression, pixels": few_labels.raw_pixels,
    }
    console.print("Accuracy on the other digits: " + " | ".join(methods), soft_wrap=True)
    accuracy, seconds = {m: [] for m in methods}, dict.fromkeys(methods, 0.0)
    for draw in range(draws):
        train, held_out = few_labels.choose(labels, labels_per_class, draw)
        samples = images[train], labels[train], images[held_out], labels[held_out]
        for method, learn in methods.items():
            share, duration, model = _learn(learn, pretrained, draw, *samples)
            accuracy[method].append(share)
            seconds[method] += duration
            if method == _OURS:
                classifier = model
        console.print(f"draw {draw + 1} of {draws}: " + " | ".join(f"{a[-1]:.3f}" for a in accuracy.values()))

    report = zoo.export(classifier, output / "classifier", samples=images[held_out][:256])
    clock = time.monotonic()
    lite = zoo.lite.load(output / "classifier" / "model.tflite")
    predicted = lite(images[held_out]).argmax(axis=1)
    lite_milliseconds = (time.monotonic() - clock) * 1000 / len(held_out)
    results = {
        "encoder": encoder,
        "labels_per_class": labels_per_class,
        "draws": draws,
        "accuracy": {
            m: {"mean": np.mean(a), "spread": np.std(a), "draws": a, "seconds": seconds[m]} for m, a in accuracy.items()
        },
        "litert": {
            "accuracy": float(np.mean(predicted == labels[held_out])),
            "keras_accuracy": accuracy[_OURS][-1],
            "milliseconds_per_image": lite_milliseconds,
        },
        "files": {k: {"bytes": f.size_bytes, "max_difference": f.max_difference} for k, f in report.files.items()},
        "seconds": time.monotonic() - started,
    }
    with files.staged(output) as staging:
        _picture(staging / "demo.png", encoder, images[held_out], labels[held_out], predicted)
        (staging / "results.json").write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(results, indent=2)) if as_json else _print(results, output)
    return results


def _learn(learn, encoder, seed, images, labels, test_images, test_labels):
    """Accuracy on the test images, seconds of learning, and the model that has learnt."""
    import keras

    keras.utils.set_random_seed(seed)
    clock = time.monotonic()
    predict, model = learn(images, labels, encoder)
    seconds = time.monotonic() - clock
    return float(np.mean(predict(test_images) == test_labels)), seconds, model


def _print(results, output):
    from zoo.core.tables import print_table

    accuracy, files, litert = results["accuracy"], results["files"], results["litert"]
    rows = [
        {"": method, "accuracy": f"{a['mean']:.3f} ± {a['spread']:.3f}", "seconds": f"{a['seconds']:.1f}"}
        for method, a in accuracy.items()
    ]
    rows += [
        {"": f"classifier as {name}", "bytes": f"{file['bytes']:,}", "parity": f"{file['max_difference']:.1e}"}
        for name, file in files.items()
    ]
    rows.append(
        {
            "": f"LiteRT, {litert['milliseconds_per_image']:.2f} ms an image",
            "accuracy": f"{litert['accuracy']:.3f}, last draw",
        }
    )
    print_table(rows)
    ours = accuracy.pop(_OURS)
    differences = {m: np.subtract(ours["draws"], other["draws"]) for m, other in accuracy.items()}
    helped = all(d.mean() > d.std() for m, d in differences.items() if "features" not in m)
    print(f"The pretrained encoder {'helped' if helped else 'did NOT clearly help'}. Fine-tuned, it is")
    for method, d in differences.items():
        print(f"  {100 * d.mean():+.1f} points against {method}: better in {np.sum(d > 0)} of {len(d)} draws")
    print("Accuracy: mean ± standard deviation over the draws. Parity: largest difference to Keras.")
    print(f"{results['seconds']:.0f} s in all. Files: {output}/classifier; picture: {output}/demo.png")


def _picture(path, encoder, images, labels, predicted):
    """Originals, their reconstructions, and digits that the classifier got wrong."""
    from matplotlib.figure import Figure

    columns = 10
    wrong = np.flatnonzero(predicted != labels)[:columns]
    first = [int(np.flatnonzero(labels == c)[0]) for c in range(columns)]
    rows = [
        ("original", images[first], labels[first]),
        ("reconstruction", zoo.load(encoder).reconstruct(images[first]), [""] * columns),
        ("got wrong", images[wrong], [f"{labels[i]} → {predicted[i]}" for i in wrong]),
    ]
    figure = Figure(figsize=(columns, 3.9), layout="constrained")
    axes = figure.subplots(len(rows), columns)
    for row, (title, pictures, captions) in zip(axes, rows, strict=True):
        for column, axis in enumerate(row):
            axis.set_xticks([])
            axis.set_yticks([])
            axis.set_frame_on(False)
            if column < len(pictures):
                axis.imshow(pictures[column].squeeze(), cmap="gray_r", vmin=0, vmax=1)
                axis.set_title(str(captions[column]), fontsize=10)
        row[0].set_ylabel(title)
    figure.savefig(path, dpi=120)
