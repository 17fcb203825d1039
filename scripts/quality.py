"""The best model for each goal of the zoo, from the cards: a part of README.md."""

import dataclasses

from zoo.catalog.lookup import cards
from zoo.core.tables import markdown_table
from zoo.evaluation.features import feature_count
from zoo.evaluation.metrics import METRICS


@dataclasses.dataclass(frozen=True)
class Goal:
    """A number to reach on the test split.

    Attributes:
        title: what is measured.
        dataset: of the models that count.
        features: how many features these have at most; or exactly, if `exact`.
        metric: name of the metric in the cards.
        value: to reach, or to go below where lower is better.
        compared: for comparison.
        exact: whether the number of features must be the same.
        family: only models of this family.
    """

    title: str
    dataset: str
    features: int
    metric: str
    value: float
    compared: str
    exact: bool = True
    family: str | None = None

    @property
    def lower_is_better(self):
        return METRICS[self.metric].better == "lower"

    def best(self):
        """(value, name) of the best model, or None."""
        values = []
        for card in cards(dataset=self.dataset, family=self.family):
            features = feature_count(card.input.latent_shape)
            counts = features == self.features or (features < self.features and not self.exact)
            if counts and self.metric in card.metrics:
                values.append((card.metrics[self.metric], card.name))
        return (min if self.lower_is_better else max)(values, default=None)


GOALS = (
    Goal("MNIST, 8 features, kNN-7", "mnist", 8, "knn_accuracy", 0.960, "the paper's network .892"),
    Goal("MNIST, 8 features, MSE", "mnist", 8, "mse", 0.0140, "PCA .0374"),
    Goal("MNIST, 16 features, kNN-7", "mnist", 16, "knn_accuracy", 0.975, "raw pixels .9694"),
    Goal("MNIST, 16 features, MSE", "mnist", 16, "mse", 0.0080, "PCA .0269"),
    Goal("Fashion-MNIST, 8 features, kNN-7", "fashion_mnist", 8, "knn_accuracy", 0.83, "the paper's network .799"),
    Goal("Fashion-MNIST, 16 features, kNN-7", "fashion_mnist", 16, "knn_accuracy", 0.86, "raw pixels .854"),
    Goal("Fashion-MNIST, 64 features, MSE", "fashion_mnist", 64, "mse", 0.0070, "TensorFlow's tutorial .0088"),
    Goal(
        "MNIST, 1,000 sparse features, linear probe",
        "mnist",
        1000,
        "linear_probe_accuracy",
        0.985,
        "raw pixels .926",
        family="sparse",
    ),
    Goal(
        "CIFAR-10 (JPEG), at most 256 features, linear probe",
        "cifar10_jpeg",
        256,
        "linear_probe_accuracy",
        0.50,
        "Keras' masked-autoencoder example .479",
        exact=False,
    ),
)


def table():
    """Markdown table of all goals."""
    rows = []
    for goal in GOALS:
        sign, short = "≤" if goal.lower_is_better else "≥", METRICS[goal.metric].short
        value, name = goal.best()
        reached = value <= goal.value if goal.lower_is_better else value >= goal.value
        shown = short(value) if reached else f"{short(value)}, not reached"
        rows.append([goal.title, f"{sign} {short(goal.value)}", shown, name, goal.compared])
    return markdown_table(["on the test split", "goal", "reached", "by", "for comparison"], rows, "lrrll")
