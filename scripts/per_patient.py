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
FIRST, COMPONENTS = 300, 16


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
    table = markdown_table(["detector", "AUROC of all patients", "mean of the patients"], rows)
    PAGE.write_text(
        "# Detectors of heart beats, patient by patient\n\n"
        f"MIT-BIH, DS2 ({len(np.unique(records))} patients whom no model has seen). Each detector is fitted on the"
        f" beats labelled normal among a patient's first {FIRST}, and judged on all later ones, normal against all"
        " others. The mean is over the patients with beats of both kinds. An AUROC of all patients compares scores of"
        " different patients with each other.\n\n"
        f"{table}\n\nFitting on the patient does most of the work: the network adds nothing to PCA. Without labels, the"
        f" first {FIRST} beats taken as normal, it is worse for patients whose beats are often abnormal.\n\n"
        "Written by `scripts/per_patient.py`.\n",
        encoding="utf-8",
    )
    print(table)


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
