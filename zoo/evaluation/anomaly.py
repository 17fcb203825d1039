"""How well what a model has not learnt stands out, as area under the ROC curve (AUROC): 0.5 is chance, 1 is perfect."""

import numpy as np

NEIGHBOURS = 5
_REFERENCES = 5_000  # training samples that a left-out class is compared with


def auroc(normal_scores, anomaly_scores):
    """AUROC of anomaly scores, float in [0, 1]: the probability that an anomaly scores higher than a normal sample."""
    from sklearn.metrics import roc_auc_score

    truth = np.repeat([0, 1], [len(normal_scores), len(anomaly_scores)])
    return float(roc_auc_score(truth, np.concatenate([normal_scores, anomaly_scores])))


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
