"""How well what a model has not learnt stands out, by the scores of normal samples and of anomalies."""

import numpy as np

NEIGHBOURS = 5
MAX_FALSE_POSITIVE_RATE = 0.1  # of the partial AUROC, as in MLPerf Tiny and DCASE
_REFERENCES = 5_000  # training samples that a left-out class is compared with


def auroc(normal_scores, anomaly_scores):
    """Area under the ROC curve: the probability that an anomaly scores higher than a normal sample.

    Args:
        normal_scores, anomaly_scores: float arrays (samples,) of at least one score.

    Returns:
        float in [0, 1]; 0.5 is chance.
    """
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(*_pooled(normal_scores, anomaly_scores)))


def partial_auroc(normal_scores, anomaly_scores, max_false_positive_rate=MAX_FALSE_POSITIVE_RATE):
    """AUROC where at most a tenth of the normal samples raise an alarm, rescaled: 0.5 is chance, 1 is perfect.

    It is scikit-learn's `roc_auc_score(max_fpr=0.1)`, which is what the DCASE challenge's task 2 and MLPerf Tiny's
    anomaly detection compute. The rescaling is McClish's, (1 + (a - l) / (h - l)) / 2 for an area a that is l = p² / 2
    by chance and at most h = p; the mere area a / h has no 0.5 for chance, and is not this number.

    Args:
        normal_scores, anomaly_scores: as for `auroc`.
        max_false_positive_rate: p in (0, 1].

    Sources: McClish, "Analyzing a Portion of the ROC Curve", Medical Decision Making 9 (1989); Koizumi et al.,
    "Description and Discussion on DCASE2020 Challenge Task 2", DCASE Workshop 2020.
    """
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(*_pooled(normal_scores, anomaly_scores), max_fpr=max_false_positive_rate))


def average_precision(normal_scores, anomaly_scores):
    """Σ (Rₖ - Rₖ₋₁) Pₖ over all thresholds, float in (0, 1]; chance is the share of anomalies. Arguments as `auroc`."""
    from sklearn.metrics import average_precision_score

    return float(average_precision_score(*_pooled(normal_scores, anomaly_scores)))


def at_threshold(normal_scores, anomaly_scores, threshold):
    """Precision, recall and F1 of the alarms, which are the samples that score above a threshold; 0 without an alarm.

    Every sample counts as it is: nothing is adjusted by which other points of an anomaly were found, which makes random
    scores look good (Kim et al., "Towards a Rigorous Evaluation of Time-Series Anomaly Detection", AAAI 2022).

    Args:
        normal_scores, anomaly_scores: as for `auroc`.
        threshold: number.

    Returns:
        dict of "precision", "recall" and "f1" to floats in [0, 1].
    """
    false, true = (int(np.sum(np.asarray(scores) > threshold)) for scores in (normal_scores, anomaly_scores))
    return {
        "precision": true / (true + false) if true else 0.0,
        "recall": true / len(anomaly_scores),
        "f1": 2 * true / (true + false + len(anomaly_scores)),
    }


def false_alarms_per_hour(normal_scores, threshold, windows_per_hour):
    """How many windows of an hour of normal data score above a threshold, as float.

    Args:
        normal_scores: float array (windows,).
        threshold: number.
        windows_per_hour: how many windows are scored in an hour.
    """
    return float(np.mean(np.asarray(normal_scores) > threshold) * windows_per_hour)


def _pooled(normal_scores, anomaly_scores):
    truth = np.repeat([0, 1], [len(normal_scores), len(anomaly_scores)])
    return truth, np.concatenate([normal_scores, anomaly_scores])


def one_class_out(train, train_labels, test, test_labels):
    """Mean AUROC over the classes, each in turn the anomaly, of the mean distance to 5 neighbours of other classes.

    The distance is taken to 5,000 training samples of the other classes. The encoder itself was trained on all classes.

    Args:
        train, test: latent features, float arrays (samples, features).
        train_labels, test_labels: int arrays (samples,).
    """
    from sklearn.neighbors import NearestNeighbors

    results = []
    for left_out in np.unique(test_labels):
        references = train[train_labels != left_out][:_REFERENCES]
        neighbours = NearestNeighbors(n_neighbors=min(NEIGHBOURS, len(references)), n_jobs=-1).fit(references)
        scores = neighbours.kneighbors(test)[0].mean(axis=1)
        results.append(auroc(scores[test_labels != left_out], scores[test_labels == left_out]))
    return float(np.mean(results))
