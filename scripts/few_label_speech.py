#!/usr/bin/env python
"""Measure what helps to tell spoken digits apart from few labels: docs/spoken-digits.md.

One speaker is held out at a time. Networks are pretrained, without labels, on the training clips of the other five; a
classifier learns from k labelled clips of each digit, either of the five speakers or of the held-out speaker, and is
judged on the held-out speaker's test clips. Reads fsdd_8khz_1s.npz in ZOO_DATA_DIR.
"""

import functools
import os
import pathlib
import tomllib

import keras
import numpy as np
import tensorflow as tf
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression

import zoo
from zoo.core.batches import forward
from zoo.core.tables import markdown_table
from zoo.transfer.few_labels import choose

ROOT = pathlib.Path(__file__).parents[1]
PAGE = ROOT / "docs" / "spoken-digits.md"
MODEL = "fsdd-denoising-gaussian-dense-40"
LABELS, SEEDS, COMPONENTS = (1, 2, 5, 10), 5, 40
CHOSEN_WITH, REPORTED = (0, 1, 2), (3, 4, 5)  # speakers held out
RATES, FINE_TUNING_RATE, STEPS, BATCH = (1e-3, 4e-3), 1e-4, 200, 20
PROTOCOLS = ("the five other speakers", "the held-out speaker")
FROZEN, TUNED = "pretrained, frozen, logistic regression", "pretrained, fine-tuned"
SCRATCH, RAW, PRINCIPAL = (
    "the same network from scratch",
    "log-mel, logistic regression",
    f"PCA-{COMPONENTS}, logistic regression",
)
METHODS = (
    *((method, "aligned") for method in (FROZEN, TUNED, SCRATCH, RAW, PRINCIPAL)),
    *((method, "as it comes") for method in (SCRATCH, RAW, PRINCIPAL)),
)


class Network:
    """A classifier that is trained again and again by the same compiled loop."""

    def __init__(self, config):
        self.config = config
        self.model = zoo.classifier(zoo.from_config(config).encoder, num_classes=10)
        self.optimizer = keras.optimizers.Adam()
        self.optimizer.build(self.model.trainable_variables)
        self.start = [np.asarray(variable) for variable in self.optimizer.variables]
        self.loop = tf.function(self._loop, reduce_retracing=True)

    def _loop(self, x, y, order):
        variables = self.model.trainable_variables
        for chosen in order:
            with tf.GradientTape() as tape:
                predicted = self.model(tf.gather(x, chosen), training=True)
                loss = tf.reduce_mean(keras.losses.sparse_categorical_crossentropy(tf.gather(y, chosen), predicted))
            self.optimizer.apply(tape.gradient(loss, variables), variables)

    @functools.cache  # noqa: B019  # of a few networks, which last as long as the script
    def fresh(self, seed):
        """Weights of a new classifier."""
        keras.utils.set_random_seed(seed)
        return zoo.classifier(zoo.from_config(self.config).encoder, num_classes=10).get_weights()

    def train(self, x, y, rate, seed):
        for variable, value in zip(self.optimizer.variables, self.start, strict=True):
            variable.assign(value)
        self.optimizer.learning_rate = rate
        random = np.random.default_rng(seed)
        order = np.concatenate([random.permutation(len(x)) for _ in range(1 + STEPS * BATCH // len(x))])
        order = order[: STEPS * BATCH].reshape(STEPS, BATCH)
        self.loop(*map(tf.convert_to_tensor, (x, y, order)))

    def predict(self, x):
        return forward(lambda batch: self.model(batch, training=False), x).argmax(axis=1)


def main():
    recipe = tomllib.loads((ROOT / "pretrained" / MODEL / "recipe.toml").read_text(encoding="utf-8"))
    stored = np.load(pathlib.Path(os.environ["ZOO_DATA_DIR"]) / "fsdd_8khz_1s.npz")
    *steps, align = zoo.preprocessing.get(recipe["model"]["preprocessing"])
    train, test = (spectrograms(stored[name], steps) for name in ("x_train", "x_test"))
    data = {
        "as it comes": (train, test),
        "aligned": tuple(forward(align, x) for x in (train, test)),
    }
    known = {}
    networks = {space: Network(backbone(recipe, train.shape[1:])) for space, (train, _) in data.items()}
    for speaker in (*REPORTED, *CHOSEN_WITH):
        measure(known, recipe["training"], data, networks, stored, speaker)
        print(f"speaker {speaker} of 6", flush=True)
    PAGE.write_text(page(known), encoding="utf-8")
    print(page(known))


def spectrograms(integers, steps):
    def prepare(x):
        for step in steps:
            x = step(x)
        return x

    return forward(prepare, integers.astype("float32") / 2**15)


def backbone(recipe, shape):
    config = recipe["model"]["backbone"]
    return {**config, "backbone": {**config["backbone"], "input_shape": list(shape)}}


def pretrained(config, training, x):
    """A denoiser trained as the recipe says, but for its data."""
    keras.utils.set_random_seed(training["seed"])
    model = zoo.from_config(config)
    steps = -(-len(x) // training["batch_size"]) * training["epochs"]
    schedule = keras.optimizers.schedules.CosineDecay(training["learning_rate"], steps)
    model.compile(keras.optimizers.Adam(schedule), training["loss"], jit_compile=False)
    model.fit(x, batch_size=training["batch_size"], epochs=training["epochs"], verbose=0)
    return model


def measure(known, training, data, networks, stored, speaker):
    """Add a held-out speaker's accuracies to `known`: lists by (protocol, k, method, spectrogram, rate, speaker)."""
    others, judged = stored["speaker_train"] != speaker, stored["speaker_test"] == speaker
    truth = stored["y_test"][judged]
    labels = stored["y_train"].astype("int64")
    aligned, network = data["aligned"][0], networks["aligned"]
    encoder = pretrained(network.config, training, aligned[others]).encoder
    components = {space: PCA(COMPONENTS, svd_solver="full").fit(flat(x[others])) for space, (x, _) in data.items()}
    for protocol, eligible in zip(PROTOCOLS, (others, ~others), strict=True):
        places = np.flatnonzero(eligible)
        for per_class, seed in ((k, seed) for k in LABELS for seed in range(SEEDS)):
            chosen = places[choose(labels[places], per_class, seed)[0]]
            y = labels[chosen]

            def note(method, space, predicted, rate=0.0, cell=(protocol, per_class)):
                known.setdefault((*cell, method, space, rate, speaker), []).append(np.mean(predicted == truth))

            for space, (x, clips) in data.items():
                x, clips = x[chosen], clips[judged]
                for rate in RATES:
                    networks[space].model.set_weights(networks[space].fresh(seed))
                    networks[space].train(x, y, rate, seed)
                    note(SCRATCH, space, networks[space].predict(clips), rate)
                pca = components[space]
                for method, features in ((RAW, flat), (PRINCIPAL, lambda x, pca=pca: pca.transform(flat(x)))):
                    regression = LogisticRegression(max_iter=1000).fit(features(x), y)
                    note(method, space, regression.predict(features(clips)))
            x, clips = aligned[chosen], data["aligned"][1][judged]
            model = network.model
            model.set_weights([*encoder.get_weights(), *network.fresh(seed)[len(encoder.weights) :]])
            zoo.fine_tune(model, x, y, head="regression", epochs=0, verbose=0)
            note(FROZEN, "aligned", network.predict(clips))
            network.train(x, y, FINE_TUNING_RATE, seed)
            note(TUNED, "aligned", network.predict(clips))


def flat(x):
    return x.reshape(len(x), -1)


def accuracy(known, protocol, per_class, method, space, speakers):
    """Mean over speakers and draws of labels; from scratch, with the rate that makes most of it."""
    rates = {key[4] for key in known if key[:4] == (protocol, per_class, method, space)}
    return max(np.mean([known[protocol, per_class, method, space, rate, s] for s in speakers]) for rate in rates)


def page(known):
    lines = [
        "# Spoken digits from few labels",
        "",
        "FSDD, six speakers. One speaker is held out: the network is pretrained on the training clips of the other"
        " five, without labels; a classifier learns from k labelled training clips of each digit; it is judged on the"
        f" held-out speaker's 50 test clips. Means over {SEEDS} draws of the labels, first over speakers 3 to 5, whom"
        " nothing was chosen with, then over all six. 50 clips make a step of .02 per draw: differences below about"
        " .03 mean nothing.",
        "",
        f"*Aligned* is the preprocessing of `{MODEL}`: `LogMel` of 31 × 24 values, then `AlignTime` to 16 × 24. *As it"
        f" comes* is the same without `AlignTime`. From scratch: {STEPS} steps of {BATCH} clips, Adam, the better of"
        f" {' and '.join(f'{rate:g}' for rate in RATES)} in each cell. Frozen:"
        f' `zoo.fine_tune(head="regression", epochs=0)`; fine-tuned: {STEPS} steps of {BATCH} clips more at'
        f" {FINE_TUNING_RATE:g}.",
    ]
    for protocol in PROTOCOLS:
        rows = []
        for method, space in METHODS:
            cells = []
            for k in LABELS:
                first, every = (
                    accuracy(known, protocol, k, method, space, speakers)
                    for speakers in (REPORTED, (*CHOSEN_WITH, *REPORTED))
                )
                cells.append(f"{first:.3f}, {every:.3f}")
            rows.append([method, space, *cells])
        titles = ["method", "spectrogram", *(f"k = {k}" for k in LABELS)]
        lines += ["", f"## Labels of {protocol}", "", markdown_table(titles, rows, "ll" + "r" * len(LABELS))]
    lines += ["", verdict(known), "", "Written by `scripts/few_label_speech.py`.", ""]
    return "\n".join(lines)


def verdict(known):
    """What the numbers say, in points over speakers 3 to 5."""

    def gains(method, space):
        points = [
            100 * (max(ours(protocol, k)) - accuracy(known, protocol, k, method, space, REPORTED))
            for protocol in PROTOCOLS
            for k in LABELS
        ]
        return f"{min(points):+.1f} to {max(points):+.1f} points"

    def ours(protocol, k):
        return [accuracy(known, protocol, k, method, "aligned", REPORTED) for method in (FROZEN, TUNED)]

    return (
        f"The better of frozen and fine-tuned is {gains(SCRATCH, 'aligned')} against the same network from scratch"
        f" behind the same preprocessing, {gains(RAW, 'aligned')} against logistic regression on the same aligned"
        f" log-mel, and {gains(SCRATCH, 'as it comes')} against the same kind of network from scratch on the"
        " spectrogram as it comes. So the alignment, which is computed and not learnt, does most of the work."
    )


if __name__ == "__main__":
    main()
