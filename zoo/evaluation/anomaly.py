"""How well what a model has not learnt stands out, as area under the ROC curve (AUROC): 0.5 is chance, 1 is perfect."""

import numpy as np

NEIGHBOURS = 5
_REFERENCES = 5_000  # training samples that a left-out class is compared with


def auroc(normal_scores, anomaly_scores):
    """AUROC of anomaly scores, float in [0, 1]: the probability that an anomaly scores higher than a normal sample."""
    from sklearn.metrics import roc_auc_score

    truth = np.repeat([0, 1], [len(normal_scores), len(anomaly_scores)])
    return float(roc_auc_score(truth, np.concatenate([normal_scores, anomaly_scores])))


def other_dataset_of(subject):
    """AUROC of the reconstruction error, with the test split of another dataset as the anomalies."""
    anomalies = subject.load(subject.anomalies)
    normal = np.square(subject.reconstruction - subject.pixels).reshape(len(subject.pixels), -1).mean(axis=1)
    return {"anomaly_auroc": auroc(normal, subject.model.reconstruction_error(anomalies))}


def one_class_out_of(subject):
    """Mean AUROC over the classes, each in turn the anomaly, of the mean distance to 5 neighbours of other classes.

    The distance is taken between latent features, to 5,000 training samples of the other classes. The encoder itself
    was trained on all classes.
    """
    from sklearn.neighbors import NearestNeighbors

    labels, results = subject.test.labels, []
    for anomaly in np.unique(labels):
        references = subject.train_latent[subject.train.labels != anomaly][:_REFERENCES]
        neighbours = NearestNeighbors(n_neighbors=min(NEIGHBOURS, len(references)), n_jobs=-1).fit(references)
        scores = neighbours.kneighbors(subject.latent)[0].mean(axis=1)
        results.append(auroc(scores[labels != anomaly], scores[labels == anomaly]))
    return {"one_class_out_auroc": float(np.mean(results))}
