"""Which samples of a labelled dataset are normal."""

import numpy as np

from zoo.core.errors import DataError, unknown_name


def is_normal(source, normal):
    """Whether each sample is of a normal class: bool array (samples,).

    Args:
        source: `zoo.data.Source` with labels.
        normal: a class or classes that are normal, as numbers or names; all others are anomalies.

    Raises:
        UnknownNameError: a name that the source does not have.
        DataError: a source without labels.
    """
    if source.labels is None:
        raise DataError(f"Dataset {source.name!r} has no labels, by which normal samples could be told from anomalies.")
    classes = [normal] if isinstance(normal, (str, int, np.integer)) else list(normal)
    for name in classes:
        if isinstance(name, str) and name not in source.class_names:
            raise unknown_name(f"class of dataset {source.name!r}", name, source.class_names)
    numbers = [source.class_names.index(name) if isinstance(name, str) else name for name in classes]
    return np.isin(source.labels, numbers)
