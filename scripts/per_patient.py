#!/usr/bin/env python
"""Measure how well detectors of heart beats know a patient's own abnormal beats: docs/per-patient.md.

What is normal differs more from patient to patient than normal from abnormal. So each detector is fitted on the beats
that are known to be normal among a patient's first 300 (a device would ask for a short recording that somebody has
looked at), and judged on the beats after these, for the 22 patients of DS2 whom no model was trained on. Reads
mitbih_beats_180hz.npz in ZOO_DATA_DIR.
"""

import os
import pathlib

import numpy as np
from sklearn.covariance import LedoitWolf
from sklearn.decomposition import PCA

import zoo
from zoo.core.tables import markdown_table
from zoo.evaluation.anomaly import auroc

PAGE = pathlib.Path(__file__).parents[1] / "docs" / "per-patient.md"
MODEL = "mitbih-feed-forward-16"
IN_CONTEXT = "mitbih-in-context-feed-forward-24"
FIRST, COMPONENTS = 300, 16
USUAL_BEAT = """\
## How a device keeps the usual beat

`mitbih-in-context-feed-forward-24` takes (128, 3): the beat, the patient's usual beat and the overlap with the window
of the beat before. It needs nobody's labels: a device keeps the last 60 beats, abnormal ones among them, and takes
their median, anew with every tenth beat. During the first 60 beats it cannot score yet.

```python
from collections import deque

import numpy as np

last, usual = deque(maxlen=60), None


def sample(beat, interval, number):
    # int16 (128, 3) of a beat (128,), `interval` values after the beat before; None during the first 60.
    global usual
    if len(last) == 60 and number % 10 == 0:
        usual = np.rint(np.median(last, axis=0))
    last.append(beat)
    if usual is None:
        return None
    common = 128 - interval if 36 <= interval <= 120 else 0
    return np.stack([beat, usual, 200 * (np.arange(128) < common)], axis=1).astype("int16")
```"""


def network(model):
    """The pretrained detector, its distance fitted on the patient."""

    def fitted(normal):
        model.fit_score(normal)
        return model.score

    return fitted


def distance(features):
    """Mahalanobis distance of features, without a network."""

    def fitted(normal):
        estimate = LedoitWolf().fit(features(normal))
        return lambda beats: estimate.mahalanobis(features(beats))

    return fitted


def main():
    stored = np.load(pathlib.Path(os.environ["ZOO_DATA_DIR"]) / "mitbih_beats_180hz.npz")
    train, beats = (stored[name].astype("float32") / 200 for name in ("x_train", "x_test"))
    abnormal, records = stored["y_test"] != 0, stored["record_test"]
    model, as_it_comes = zoo.load(MODEL), zoo.load(MODEL)
    pca = PCA(COMPONENTS, svd_solver="covariance_eigh").fit(centred(train[stored["y_train"] == 0]))
    rows = []
    for title, fit in (
        (f"{MODEL}, fitted on the patient", network(model)),
        (f"PCA-{COMPONENTS} of DS1, whitened on the patient", distance(lambda x: pca.transform(centred(x)))),
        ("raw beats, whitened on the patient", distance(centred)),
        (f"{MODEL} as it comes", lambda _: as_it_comes.score),
    ):
        rows.append([title, *(f"{value:.3f}" for value in measured(fit, beats, abnormal, records))])
    # Nothing is fitted on a patient here: scores stand for the beats.
    in_context, of_pca = scores_in_context()
    for title, score in (
        (f"{IN_CONTEXT}, without labels", in_context),
        ("PCA-24 of the same beats in context, whitened on DS1, without labels", of_pca),
    ):
        values = measured(lambda _: lambda own: own, score, abnormal, records)
        rows.append([title, *(f"{value:.3f}" for value in values)])
    table = markdown_table(["detector", "AUROC of all patients", "mean of the patients"], rows)
    PAGE.write_text(
        "# Detectors of heart beats, patient by patient\n\n"
        f"MIT-BIH, DS2 ({len(np.unique(records))} patients whom no model has seen). Each detector is fitted on the"
        f" beats labelled normal among a patient's first {FIRST}, and judged on all later ones, normal against all"
        " others. The mean is over the patients with beats of both kinds. An AUROC of all patients compares scores of"
        " different patients with each other.\n\n"
        f"{table}\n\nFitting on the patient does most of the work: the network adds nothing to PCA. With the"
        f" first {FIRST} beats taken as normal without labels, it is worse for patients whose beats are often"
        " abnormal.\n\n"
        f"{without_labels(in_context, stored['y_test'], records)}\n\n"
        f"{USUAL_BEAT}\n\nWritten by `scripts/per_patient.py`.\n",
        encoding="utf-8",
    )
    print(table)


def scores_in_context():
    """Scores of all beats of DS2 in context: of the pretrained detector, and of PCA's whitened components."""
    model, test = zoo.load(IN_CONTEXT), zoo.data.load("mitbih_beats_in_context", "test").values()
    normal = zoo.data.load("mitbih_beats_in_context:normal").values()
    normal, beats = (model.target(x).reshape(len(x), -1) for x in (normal, test))
    pca = PCA(24, svd_solver="covariance_eigh", whiten=True).fit(normal)
    return model.score(test), np.square(pca.transform(beats)).mean(axis=1)


def without_labels(score, classes, records):
    """What the detector of beats in context finds of each AAMI class, over all beats of DS2."""

    def against_normals(chosen):
        return f"{auroc(score[(classes == 0) & kept], score[chosen & kept]):.3f}"

    kept = np.ones(len(score), bool)
    of = {name: against_normals(classes == number) for number, name in enumerate("SVF", start=1)}
    every = against_normals(classes != 0)
    kept = records != 232
    return (
        f"Over all beats of DS2, `{IN_CONTEXT}` has an AUROC of {every} against normal beats: supraventricular (S)"
        f" {of['S']}, ventricular (V) {of['V']}, fusion (F) {of['F']}. Of the abnormal beats a quarter are of record"
        " 232, where 78 % of all beats are S, so that the usual beat is abnormal; without this record it is"
        f" {against_normals(classes != 0)}."
    )


def centred(beats):
    return beats - beats.mean(axis=1, keepdims=True)


def measured(fit, beats, abnormal, records):
    """AUROC over the later beats of all patients, and the mean of the AUROC of each."""
    scores, truth, each = [], [], []
    for record in np.unique(records):
        own = np.flatnonzero(records == record)
        first, later = own[:FIRST], own[FIRST:]
        score = fit(beats[first[~abnormal[first]]])(beats[later])
        scores.append(score)
        truth.append(abnormal[later])
        if 0 < abnormal[later].sum() < len(later):
            each.append(auroc(score[~abnormal[later]], score[abnormal[later]]))
    score, is_abnormal = np.concatenate(scores), np.concatenate(truth)
    return auroc(score[~is_abnormal], score[is_abnormal]), float(np.mean(each))


if __name__ == "__main__":
    main()
