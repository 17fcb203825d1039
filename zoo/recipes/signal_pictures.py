"""Pictures of what a model makes of signals: waveforms in the band of usual errors, or spectrograms."""

import numpy as np

from zoo.core.batches import forward
from zoo.evaluation.samples import is_of_classes

_SAMPLES = 6
_COLUMNS = (1, 1, 2, 3, 2, 3, 3)  # for so many waveforms
_CHANNELS = 3  # that are drawn
_FEW_VALUES = 40  # up to here each is marked: columns of a table rather than a signal
_WIDE = 40  # scores whose largest is so many times their lower quartile have a logarithmic axis
_ANOMALOUS = "tab:red"


class Signals:
    """What is drawn of a model of signals: samples of as many classes as possible, and the scores of many.

    A signal that is preprocessed to (frames, bins) or (frames, bins, 1) is drawn as a spectrogram; all others as
    waveforms of what the model reconstructs, which are the preprocessed samples.

    Args:
        model: Autoencoder that takes (length,) or (length, channels).
        source: Source of test samples.
        normal: the normal classes of its labels, numbers or names; None for the one that the source says.
        measured: number of samples that scores and latent features are of. They are spread over all: files may be
            sorted by class.

    Attributes:
        latent, labels: latent features of these samples, and their labels or None.
        scores, normal: their scores, and whether they are of a normal class, or None.
        clean, seen, reconstructed: what the model is to reconstruct of a few samples, what a denoiser is shown in place
            of it, and what it makes of that.
        usual_error: root mean squared error of each element, over normal samples.
        is_spectrogram: how they are drawn.
    """

    def __init__(self, model, source, normal=None, *, measured):
        many = source.subset(np.unique(np.linspace(0, len(source) - 1, measured).astype(int)))
        few = source.subset(_of_each_class(source))
        self.model, self._rate = model, source.sampling_rate or model.contract.sampling_rate
        self._unit = "" if model.preprocessing else source.unit or model.contract.unit
        self.latent, self.labels = model.encode(many), many.labels
        self.scores, self.normal = model.score(many), is_normal(many, normal)
        self.clean = model.target(few)
        self.seen, self.reconstructed = _seen_and_reconstructed(model, self.clean)
        usual = model.target(many if self.normal is None else many.subset(self.normal))
        self.usual_error = np.sqrt(np.square(_seen_and_reconstructed(model, usual)[1] - usual).mean(axis=0))
        self._titles = list(zip(_class_names(few), model.score(few), strict=True))
        self.is_spectrogram = len(self.clean.shape) > 2 and model.target_shape != model.input_shape

    @property
    def height(self):
        """Of what `draw` draws, in inches."""
        return 0.9 * (3 + self._is_corrupted) if self.is_spectrogram else 1.45 * self._grid[0]

    @property
    def _grid(self):
        """Rows and columns of waveforms."""
        columns = _COLUMNS[len(self.clean)]
        return -(-len(self.clean) // columns), columns

    @property
    def _is_corrupted(self):
        return self.seen is not self.clean

    def draw(self, figure):
        """Draw the samples and their reconstructions into a (sub)figure."""
        if self.is_spectrogram:
            self._draw_spectrograms(figure)
        else:
            self._draw_waveforms(figure)

    def _draw_waveforms(self, figure):
        axes = figure.subplots(*self._grid, squeeze=False, sharex=True)
        length = self.clean.shape[1]
        x = np.arange(length) / (self._rate or 1)
        for axis in axes.flat[len(self.clean) :]:
            axis.set_axis_off()
        samples = zip(self._titles, self.clean, self.seen, self.reconstructed, strict=True)
        for axis, (title, *signals) in zip(axes.flat, samples, strict=False):
            for number, lines in enumerate(zip(*map(_channels, (*signals, self.usual_error)), strict=True)):
                self._draw_channel(axis, x, *lines, colour=f"C{number}", labels=number == 0)
            self._set_title(axis, *title)
            axis.tick_params(labelsize=6)
        for axis in axes[-1]:
            axis.set_xlabel(self._x_label(length), fontsize=7)
        for row in axes:
            row[0].set_ylabel(self._unit or ("preprocessed" if self.model.preprocessing else ""), fontsize=7)
        figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=4, fontsize=7)

    def _draw_channel(self, axis, x, clean, seen, reconstructed, usual, colour, labels):
        few = {"marker": ".", "ms": 4} if len(x) <= _FEW_VALUES else {}
        band = reconstructed - 2 * usual, reconstructed + 2 * usual
        axis.fill_between(x, *band, color=colour, alpha=0.25, lw=0, label="± 2 usual errors" if labels else None)
        if self._is_corrupted:
            axis.plot(x, seen, color="0.75", lw=0.6, label="corrupted" if labels else None)
        axis.plot(x, clean, color="0.2", lw=0.8, label="original" if labels else None, **few)
        axis.plot(x, reconstructed, color=colour, lw=0.9, label="reconstructed" if labels else None)

    def _x_label(self, length):
        if self._rate and length == self.model.input_shape[0]:
            return "s"
        return "index" if length > _FEW_VALUES else "column"

    def _draw_spectrograms(self, figure):
        rows = {"preprocessed": self.clean, "corrupted": self.seen, "reconstructed": self.reconstructed}
        if not self._is_corrupted:
            del rows["corrupted"]
        errors = np.square(self.reconstructed - self.clean)
        limits = np.percentile(self.clean, (1, 99))
        axes = figure.subplots(len(rows) + 1, _SAMPLES, squeeze=False)
        for axis in axes.flat:
            axis.set_xticks([])
            axis.set_yticks([])
            axis.set_frame_on(False)
        for row, (name, images) in zip(axes, {**rows, "squared error": errors}.items(), strict=True):
            low, high = limits if images is not errors else (0, np.percentile(errors, 99.5))
            for axis, image in zip(row, images, strict=False):
                axis.imshow(_frames_by_bins(image).T, origin="lower", aspect="auto", cmap="magma", vmin=low, vmax=high)
            row[0].set_ylabel(name, rotation=0, ha="right", va="center", fontsize=8)
        axes[-1, 0].set_xlabel("time; frequency upwards", fontsize=7)
        for axis, title in zip(axes[0], self._titles, strict=False):
            self._set_title(axis, *title)

    def _set_title(self, axis, name, score):
        threshold = self.model.threshold
        is_anomaly = threshold is not None and score > threshold
        axis.set_title(
            f"{name}: {score:.3g}" if name else f"{score:.3g}", fontsize=7, color=_ANOMALOUS if is_anomaly else "black"
        )

    def draw_scores(self, axis):
        """Draw the histogram of the scores, of normal samples and of anomalies where that is known."""
        groups = {"": self.scores}
        if self.normal is not None:
            groups = {"normal": self.scores[self.normal], "anomalous": self.scores[~self.normal]}
        low, high = self.scores.min(), self.scores.max()
        wide = low > 0 and high > _WIDE * np.percentile(self.scores, 25)
        bins = np.geomspace(low, high, 41) if wide else np.linspace(low, high, 41)
        for name, scores in groups.items():
            share = np.full(len(scores), 1 / len(scores))
            colour = _ANOMALOUS if name == "anomalous" else "tab:blue"
            axis.hist(scores, bins=bins, weights=share, alpha=0.6, color=colour, label=name or None)
        if self.model.threshold is not None:
            axis.axvline(self.model.threshold, color="black", ls="--", lw=1, label="threshold")
        if wide:
            axis.set_xscale("log")
        if axis.get_legend_handles_labels()[1]:
            axis.legend(fontsize=6)
        squared = self.model.distance is None
        axis.set_xlabel(f"{'mean squared error' if squared else 'score'} of a test sample", fontsize=7)
        axis.set_yticks([])
        axis.tick_params(labelsize=7)
        axis.set_title("reconstruction error" if squared else "anomaly score", fontsize=8)


def is_normal(source, normal=None):
    """Whether each sample of a Source is of a normal class, bool (samples,); None where that is not known or trivial.

    Args:
        source: Source.
        normal: classes, as numbers or names; None for the one that the source says.
    """
    known = getattr(source, "normal_class", None)
    if normal is None and known is not None:
        normal = (known,)
    if source.labels is None or not normal:
        return None
    chosen = is_of_classes(source, normal)
    return chosen if 0 < chosen.sum() < len(chosen) else None


def _of_each_class(source):
    """Indices of up to six samples, of up to six classes, as many of each as there is room for."""
    if source.labels is None:
        return np.arange(min(len(source), _SAMPLES))
    classes = np.unique(source.labels)[:_SAMPLES]
    each = _SAMPLES // len(classes)
    return np.concatenate([np.flatnonzero(source.labels == number)[:each] for number in classes])


def _class_names(source):
    if source.labels is None:
        return [""] * len(source)
    return [source.class_names[label] if source.class_names else str(label) for label in source.labels]


def _seen_and_reconstructed(model, clean):
    """What a denoiser is shown of preprocessed samples, and what it makes of it; of others the samples themselves."""
    seen = clean
    for corruption in model.corruption:
        seen = np.asarray(corruption(seen, training=True))
    return seen, model.decode(forward(model.behind_preprocessing(), seen))


def _channels(values):
    """The first channels of one sample, (channels, length)."""
    return values.reshape(len(values), -1).T[:_CHANNELS]


def _frames_by_bins(image):
    return image[..., 0] if image.ndim == 3 else image
