"""Pictures of a pretrained model: what it reconstructs, what its latent features hold, how it was trained."""

import numpy as np

from zoo.recipes import signal_pictures

_COLUMNS = 10
_SCATTER = 2000  # samples in the latent scatter
_MEASURED = 2000  # samples in the histogram of errors


def of_model(card, model, source):
    """All pictures of one model, as one matplotlib Figure.

    Of images: rows of samples and their reconstructions (for a denoiser of corrupted samples, too), the decoder's
    response to single latent features, for a sparse model the weights of its most active units. Of signals: waveforms
    or spectrograms and their reconstructions. Below, a scatter of the latent features, the histogram of the
    reconstruction error or of a detector's score, and the loss of each epoch.

    Args:
        card: zoo.Card; its name and history are drawn, and by its normal classes scores of signals are told apart.
        model: Autoencoder.
        source: Source of test samples.
    """
    from matplotlib.figure import Figure

    if len(model.input_shape) == 3:
        shown = _Images(model, source)
    else:
        shown = signal_pictures.Signals(model, source, card.dataset.normal, measured=_MEASURED)
    figure = Figure(figsize=(8, shown.height + 2.6), layout="constrained")
    figure.suptitle(card.name)
    upper, lower = figure.subfigures(2, 1, height_ratios=(shown.height, 2.4))
    shown.draw(upper)
    scatter, scores, loss = lower.subplots(1, 3)
    _draw_scatter(scatter, shown.latent.reshape(len(shown.latent), -1), shown.labels)
    shown.draw_scores(scores)
    _draw_loss(loss, card.history)
    return figure


class _Images:
    """What is drawn of a model of images: rows of them, and what is measured on many."""

    def __init__(self, model, source):
        scattered = source.part(0, _SCATTER)
        self.labels, self.latent = scattered.labels, model.encode(scattered)
        self._errors = model.reconstruction_error(source.part(0, _MEASURED))
        rows = _reconstructions(model, source.subset(_one_of_each_class(source)).values())
        if model.sparsity:
            rows |= _weights(model, self.latent) if self.latent.ndim == 2 else _weights_of_maps(model, self.latent)
        elif self.latent.ndim == 2:
            rows |= _responses(model, self.latent)
        self._rows, self.height = rows, 0.78 * len(rows)

    def draw(self, figure):
        _draw_images(figure, self._rows)

    def draw_scores(self, axis):
        _draw_errors(axis, self._errors)


def save(figure, file, *, dpi=80):
    """Write a figure to a path or an open file, as PNG of 64 colours, which is about a third of the usual size."""
    import io

    from PIL import Image

    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=dpi, format="png")
    Image.open(buffer).convert("RGB").quantize(64).save(file, format="png", optimize=True)


def _one_of_each_class(source):
    """Indices of the first sample of each class, or of the first samples, at most ten."""
    if source.labels is None:
        return np.arange(min(len(source), _COLUMNS))
    return np.unique(source.labels, return_index=True)[1][:_COLUMNS]


def _reconstructions(model, pixels):
    rows, seen = {"original": pixels}, pixels
    if model.corruption:
        for corruption in model.corruption:
            seen = corruption(seen, training=True)
        rows["corrupted"] = seen = np.asarray(seen)
    rows["reconstructed"] = np.asarray(model(seen, training=False))
    return rows


def _responses(model, latent):
    """Decoded mean latent features with one feature at a time at its 2nd and 98th percentile, for the most varied."""
    units = np.argsort(-latent.std(axis=0))[:_COLUMNS]
    low, high = (np.repeat(latent.mean(axis=0)[None], len(units), axis=0) for _ in range(2))
    for row, unit in enumerate(units):
        low[row, unit], high[row, unit] = np.percentile(latent[:, unit], (2, 98))
    return {"feature low": model.decode(low), "feature high": model.decode(high)}


def _weights(model, latent):
    """What the most active units add to the decoded image, scaled to [0, 1] each: their filters."""
    units = np.argsort(-(np.abs(latent) > 0).mean(axis=0), kind="stable")[: 2 * _COLUMNS]
    one_on = np.zeros((len(units) + 1, latent.shape[1]), "float32")
    one_on[np.arange(len(units)), units] = np.maximum(latent[:, units].max(axis=0), 1e-6)
    return _filters(model.decode(one_on))


def _weights_of_maps(model, latent):
    """The same for a spatial latent: what one unit in the middle of each of the most active maps adds around it."""
    _, height, width, _ = latent.shape
    maps = np.argsort(-(np.abs(latent) > 0).mean(axis=(0, 1, 2)), kind="stable")[: 2 * _COLUMNS]
    one_on = np.zeros((len(maps) + 1, *latent.shape[1:]), "float32")
    one_on[np.arange(len(maps)), height // 2, width // 2, maps] = np.maximum(latent.max(axis=(0, 1, 2))[maps], 1e-6)
    decoded = model.decode(one_on)
    rows, columns = decoded.shape[1:3]
    around = decoded[:, rows // 3 : rows - rows // 3 + 1, columns // 3 : columns - columns // 3 + 1]
    return _filters(around)


def _filters(decoded):
    """Rows of images of what each decoded code adds to the last one, which is that of zeros, scaled to [0, 1] each."""
    filters = decoded[:-1] - decoded[-1]
    filters = 0.5 + 0.5 * filters / np.maximum(np.abs(filters).max(axis=(1, 2, 3), keepdims=True), 1e-9)
    return {"filters": filters[:_COLUMNS], "": filters[_COLUMNS:]}


def _draw_images(figure, rows):
    axes = figure.subplots(len(rows), _COLUMNS, squeeze=False)
    for row, (title, pictures) in zip(axes, rows.items(), strict=True):
        for column, axis in enumerate(row):
            axis.set_xticks([])
            axis.set_yticks([])
            axis.set_frame_on(False)
            if column < len(pictures):
                picture = np.clip(pictures[column], 0, 1)
                axis.imshow(picture if picture.shape[-1] == 3 else picture[..., 0], cmap="gray", vmin=0, vmax=1)
        row[0].set_ylabel(title, rotation=0, ha="right", va="center", fontsize=8)


def _draw_scatter(axis, latent, labels):
    from sklearn.decomposition import PCA

    if latent.shape[1] > 2:
        latent = PCA(2, svd_solver="randomized", random_state=0).fit_transform(latent)
        axis.set_xlabel("latent features: first two principal components", fontsize=7)
    axis.scatter(latent[:, 0], latent[:, -1], c=labels, s=3, cmap="tab10" if labels is not None else None)
    axis.set_xticks([])
    axis.set_yticks([])
    axis.set_title("latent features", fontsize=8)


def _draw_errors(axis, errors):
    axis.hist(errors, bins=40)
    axis.set_xlabel("mean squared error of a test sample", fontsize=7)
    axis.set_yticks([])
    axis.tick_params(labelsize=7)
    axis.set_title("reconstruction error", fontsize=8)


def _draw_loss(axis, history):
    for name, label in (("loss", "training"), ("val_loss", "validation")):
        if name in history:
            axis.plot(range(1, len(history[name]) + 1), history[name], label=label)
    axis.set_xlabel("epoch", fontsize=7)
    axis.tick_params(labelsize=7)
    axis.set_title("loss", fontsize=8)
    if "val_loss" in history:
        axis.legend(fontsize=7)
