"""The pictures of the report."""

import numpy as np


def images(path, rows):
    """Rows of digits: title to array (samples, 784) or (samples, 28, 28, 1)."""
    figure, axes = _grid(len(rows), max(map(len, rows.values())))
    for row, (title, pictures) in zip(axes, rows.items(), strict=True):
        for axis, picture in zip(row, np.reshape(pictures, (-1, 28, 28)), strict=True):
            axis.imshow(np.clip(picture, 0, 1), cmap="gray", vmin=0, vmax=1)
        row[0].set_ylabel(title, rotation=0, ha="right", va="center", fontsize=9)
    _save(figure, path)


def ranking(path, pictures, errors):
    """Digits with their reconstruction errors above them."""
    figure, axes = _grid(1, len(pictures))
    for axis, picture, error in zip(axes[0], np.reshape(pictures, (-1, 28, 28)), errors, strict=True):
        axis.imshow(picture, cmap="gray", vmin=0, vmax=1)
        axis.set_title(f"{error:.4f}", fontsize=8)
    _save(figure, path)


def curve(path, x, y, labels):
    """One curve, x logarithmic."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 3), layout="constrained")
    axis = figure.subplots()
    axis.semilogx(x, y)
    axis.set_xlabel(labels[0])
    axis.set_ylabel(labels[1])
    axis.grid(alpha=0.3)
    _save(figure, path)


def _grid(rows, columns):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(0.8 * columns + 1, 0.85 * rows + 0.2), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False)
    for axis in axes.flat:
        axis.set_xticks([])
        axis.set_yticks([])
        axis.set_frame_on(False)
    return figure, axes


def _save(figure, path):
    from zoo.recipes import pictures as plots

    plots.save(figure, path, dpi=90)
