"""What the latent features are worth: nearest neighbours, a linear probe, clusters."""

from zoo.core.errors import DataError

NEIGHBOURS = 7
# Inverse strength of the probe's penalty, chosen with 1,000 sparse features on held-out training images.
_PROBE_C = 0.01


def knn_accuracy(train, train_labels, test, test_labels, *, k=NEIGHBOURS):
    """Accuracy of k-nearest-neighbours classification, Euclidean, uniform weights, as float in [0, 1].

    Args:
        train, test: float arrays (samples, features).
        train_labels, test_labels: int arrays (samples,).
        k: number of neighbours.

    Raises:
        DataError: fewer than k training samples.

    Source: Michelucci, arXiv 2201.03898, section "Classification with latent features" (k = 7).
    """
    from sklearn.neighbors import KNeighborsClassifier

    if len(train) < k:
        raise DataError(f"k nearest neighbours need at least k = {k} training samples. Received {len(train)}.")
    classifier = KNeighborsClassifier(n_neighbors=k, n_jobs=-1)
    return float(classifier.fit(train, train_labels).score(test, test_labels))


def linear_probe(train, train_labels):
    """A logistic regression on standardised features, fitted: what a linear layer on frozen features learns.

    Args:
        train: float array (samples, features).
        train_labels: int array (samples,).

    Raises:
        DataError: fewer than two classes.
    """
    import numpy as np
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if len(np.unique(train_labels)) < 2:
        raise DataError(
            f"A linear probe needs labelled training samples of at least two classes. Received {len(train)} samples of"
            f" {len(np.unique(train_labels))}."
        )
    probe = make_pipeline(StandardScaler(), LogisticRegression(C=_PROBE_C, max_iter=200, tol=1e-3))
    return probe.fit(train, train_labels)


def linear_probe_accuracy(train, train_labels, test, test_labels):
    """Accuracy of `linear_probe` on test features, as float in [0, 1]."""
    return float(linear_probe(train, train_labels).score(test, test_labels))


def cluster_agreement(features, labels):
    """How well k-means clusters, one per class, agree with the classes.

    Returns:
        (normalised mutual information in [0, 1], adjusted Rand index of at most 1).
    """
    import numpy as np
    from sklearn.cluster import KMeans
    from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

    clusters = KMeans(n_clusters=len(np.unique(labels)), n_init=3, random_state=0).fit_predict(features)
    return float(normalized_mutual_info_score(labels, clusters)), float(adjusted_rand_score(labels, clusters))
