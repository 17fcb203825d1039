"""How good the first choice of `zoo.recommend` is: on samples that it did not see, next to every other encoder.

    scripts/recommended.py [DATASET ...]    # writes docs/recommended.md; about 3 minutes a dataset

For each dataset 20 labelled samples a class are drawn. `zoo.recommend` ranks the encoders on them alone. Then each
encoder's better head, learnt from the same samples, is tested on 2,000 others.
"""

import argparse
import pathlib

import numpy as np

import zoo
from zoo.core.tables import markdown_table
from zoo.recommending import accuracy
from zoo.recommending.samples import Samples
from zoo.transfer import heads
from zoo.transfer.few_labels import choose

DOCUMENT = pathlib.Path(__file__).parents[1] / "docs" / "recommended.md"
DATASETS = ("digits", "eurosat_rgb_half", "magnetic_tile_128")
PER_CLASS, TESTED = 20, 2000


def measure(dataset: str) -> dict:
    """What was recommended, its accuracy on other samples, and that of the best of all encoders there."""
    source = zoo.data.load(dataset, "all")
    learnt, others = choose(source.labels, PER_CLASS, 0)
    others = np.random.default_rng(0).permutation(others)[:TESTED]
    found = zoo.recommend(source.subset(learnt), device_cost=False)
    train, test = (Samples(source.subset(part), len(part), 0, by_class=False) for part in (learnt, others))
    tested = {}
    for row in found.rows:
        if row.pretrained:
            encoder = zoo.load_encoder(row.model, **row.options)
            x, y = (accuracy.features(encoder, part.at(row.shape)) for part in (train, test))
            tested[row.label] = _accuracy(row.method, x, train.source.labels, y, test.source.labels)
    first = next(row.label for row in found.rows if row.pretrained)
    best = max(tested, key=lambda label: tested[label])
    baseline = next(row for row in found.rows if not row.pretrained)
    return {
        "dataset": dataset,
        "learnt": len(learnt),
        "tested": len(others),
        "recommended": found.best or f"none ({baseline.label})",
        "first encoder": first,
        "its accuracy": f"{tested[first]:.3f}",
        "best encoder there": best,
        "accuracy of the best": f"{tested[best]:.3f}",
        "points lost": f"{100 * (tested[best] - tested[first]):.1f}",
    }


def _accuracy(kind, x, y, x_test, y_test):
    used = x.std(axis=0) > 0
    if not used.any():  # features that say nothing: what always guessing one class reaches
        return np.mean(y_test == np.bincount(y).argmax())
    x, x_test = x[:, used], x_test[:, used]
    mean, variance, kernel, bias = heads.fit(kind, heads.Labelled(x, y, np.ones(len(y))))
    scores = ((x_test - mean) / np.sqrt(np.where(variance > 0, variance, 1))) @ kernel + bias
    return np.mean(scores.argmax(axis=1) == y_test)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("datasets", nargs="*", default=DATASETS)
    rows = [measure(dataset) for dataset in parser.parse_args().datasets]
    table = markdown_table(list(rows[0]), [list(map(str, row.values())) for row in rows])
    DOCUMENT.write_text(
        "# How good is the first choice of `zoo.recommend`?\n\n"
        f"It ranks the encoders by a cross-validation on {PER_CLASS} labelled samples a class. Then every encoder"
        f" learns from the same samples, and is tested on up to {TESTED:,} others.\n\n{table}\n\n"
        "Written by `scripts/recommended.py`. No encoder was trained on these samples.\n",
        encoding="utf-8",
    )


if __name__ == "__main__":
    main()
