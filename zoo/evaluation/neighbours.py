"""Nearest neighbours in latent space, the paper's measure of what features are worth."""


def knn_accuracy(train, train_labels, test, test_labels, *, k=7):
    """Accuracy of k-nearest-neighbours classification, Euclidean, uniform weights, as float in [0, 1].

    Args:
        train, test: float arrays (samples, features).
        train_labels, test_labels: int arrays (samples,).
        k: number of neighbours.

    Source: Michelucci, arXiv 2201.03898, section "Classification with latent features" (k = 7).
    """
    from sklearn.neighbors import KNeighborsClassifier

    classifier = KNeighborsClassifier(n_neighbors=min(k, len(train)), n_jobs=-1)
    return float(classifier.fit(train, train_labels).score(test, test_labels))
