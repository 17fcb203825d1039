"""Which pretrained models can take somebody's samples, and why the others cannot."""

import os
from collections.abc import Sequence
from typing import NamedTuple

from zoo.catalog.card import Card
from zoo.catalog.lookup import card, cards
from zoo.core.errors import DataError, UnknownNameError
from zoo.recommending.samples import Samples, is_image

_NEAREST_RATE = 0.01  # relative difference of sampling rates that counts as none


class Candidate(NamedTuple):
    """A pretrained model, and how to load its encoder for these samples.

    Attributes:
        model: what `zoo.load` takes.
        card: of the model.
        shape: of the samples that the encoder takes.
        options: arguments of `zoo.load_encoder`.
    """

    model: str | os.PathLike
    card: Card
    shape: tuple[int, ...]
    options: dict

    @property
    def name(self) -> str:
        return self.card.name


def find(
    models: str | Sequence[str | os.PathLike], samples: Samples
) -> tuple[list[Candidate], dict[str, tuple[str, ...]]]:
    """The candidates among the pretrained models, and the names of all others by the reason.

    Args:
        models: as of `zoo.recommend`.
        samples: that they are to take.

    Raises:
        UnknownNameError: no model of such a name.
        DataError: none takes the samples.
    """
    found: list[Candidate] = []
    left_out: dict[str, tuple[str, ...]] = {}
    known = {c.name: c for c in cards(models)} if isinstance(models, str) else {m: card(m) for m in models}
    if not known:
        raise UnknownNameError(f"No pretrained model is called {models!r}: zoo list shows all names.")
    for model, stated in known.items():
        reason = obstacle(stated, samples)
        if reason:
            left_out[reason] = (*left_out.get(reason, ()), stated.name)
        else:
            found.append(Candidate(model, stated, tuple(stated.input.shape), {}))
    if not found:
        raise DataError(
            f"None of {len(known)} pretrained models takes the samples of shape {samples.source.shape}: "
            + "; ".join(f"{len(names)} are {reason}" for reason, names in left_out.items())
            + ". Pictures have the shape (height, width, 1 or 3). For other data train a model by a recipe: zoo.train."
        )
    # Those of one size together: the samples are resized once.
    return sorted(found, key=lambda c: (c.shape, c.name)), left_out


def obstacle(card: Card, samples: Samples) -> str:
    """Why a model cannot take the samples; "" if it can."""
    source, shape = samples.source, tuple(card.input.shape)
    if samples.is_image:
        if not is_image(shape) or card.input.sampling_rate:
            return "for signals or tables"
        if shape[-1] == 3 and source.shape[-1] == 1:
            return "for colour, and the pictures are grey"
        return ""
    if is_image(shape) and not card.input.sampling_rate:
        return "for pictures"
    if shape not in (source.shape, (*source.shape, 1)) and (*shape, 1) != source.shape:
        return f"for samples of another shape than {source.shape}"
    rate = card.input.sampling_rate
    if rate and source.sampling_rate and abs(rate / source.sampling_rate - 1) > _NEAREST_RATE:
        return f"for another sampling rate than {source.sampling_rate:g} Hz"
    if card.input.unit and source.unit and card.input.unit != source.unit:
        return f"for another unit than {source.unit}"
    return ""
