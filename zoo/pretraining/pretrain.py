"""`zoo.pretrain`: from samples without labels to a pretrained model of one's own."""

import dataclasses
import os
import pathlib
import shutil
import sys
from typing import Any, Literal

from zoo.autoencoder import Autoencoder
from zoo.catalog.card import METADATA
from zoo.catalog.lookup import card, list_pretrained
from zoo.core import checks, files, reading
from zoo.core.errors import ConfigError, DataError
from zoo.data import load_bounded
from zoo.pretraining import budget, rules, toml
from zoo.recipes.recipe import FILE_NAME, Recipe, Training, read_recipe
from zoo.recipes.train import train
from zoo.recommending.recommend import recommend
from zoo.recommending.result import Recommendation
from zoo.recommending.samples import checked, is_image

_LEAST_SAMPLES = 16
_LICENSE = "LicenseRef-unstated"  # of the user's own samples nothing is known


@dataclasses.dataclass(frozen=True)
class Pretraining:
    """What `zoo.pretrain` returns.

    Attributes:
        model: the trained Autoencoder; its encoder is ``model.encoder``.
        reasons: why the model is what it is, in sentences.
        recommendation: how it compares with the pretrained models, where the data has labels; else None.
        sentence: that comparison in one sentence.
    """

    model: Autoencoder
    reasons: tuple[str, ...]
    recommendation: Recommendation | None
    sentence: str


def pretrain(
    data: str | os.PathLike,
    output_directory: str | os.PathLike,
    *,
    minutes: float = 20.0,
    size: int | None = None,
    compare: bool = True,
    resume: bool = True,
    verbose: int | Literal["auto"] = "auto",
) -> Pretraining:
    """Train an encoder on your own samples, without labels and without writing a recipe.

    Looks at the data, chooses family, corruption, size and batch by `zoo.pretraining.rules`, tries how long an epoch
    takes, and trains as many as fit. What it chose stands in ``recipe.toml`` in the output directory, an ordinary
    pretrained model: `zoo.load`, `zoo.load_encoder`, `zoo.train` and ``zoo show`` take it.

    Where the data has labels, it then compares the new encoder with all pretrained ones, and with what needs none, by
    `zoo.recommend`. The labels are not used before.

    Args:
        data: a folder or zip archive of pictures, a file of arrays, a table, or a dataset's name, as `zoo.data.load`
            takes it. Of data with splits it is the training samples.
        output_directory: where the model is written.
        minutes: how long all may take, on this machine as it is now.
        size: pixels of the longer side of the pictures to train on; by default 64, or their own if they are smaller.
        compare: compare with the pretrained models, where there are labels.
        resume: go on with an interrupted call of the same data and directory; its budget is that of the first call.
        verbose: progress bar, as for `keras.Model.fit`.

    Returns:
        Pretraining.

    Raises:
        DataError: fewer than 16 samples, equal ones, or samples that no rule is made for.
        ConfigError: a budget too small to begin with, or a directory that holds something else.

    Example:
        >>> done = zoo.pretrain("photos", "my-model", minutes=20)
        >>> classifier = zoo.classifier(zoo.load_encoder("my-model"), num_classes=10)
    """
    minutes = checks.in_range("minutes", minutes, 0, 1e5)
    size = rules.MOST_SIDE if size is None else checks.positive_integer("size", size, least=rules.LEAST_SIDE)
    output, name = pathlib.Path(output_directory), _name(data)
    recipe_path = output / FILE_NAME
    if (output / METADATA).exists():
        raise ConfigError(f"{str(output)!r} holds a finished model: choose another directory, or remove it.")
    source = checked(load_bounded(name, size), labelled=False)
    if len(source) < _LEAST_SAMPLES:
        raise DataError(f"Pretraining needs at least {_LEAST_SAMPLES} samples. Received {len(source)} in {name!r}.")
    facts = rules.Facts(len(source), source.shape, is_image(source.shape), source.sampling_rate, source.unit)
    choice = rules.choose(facts)
    say = _say if verbose else _nothing
    if resume and reading.kind(recipe_path):
        if (found := read_recipe(recipe_path).dataset) != name:
            raise ConfigError(f"{str(output)!r} holds a training on {found!r}, not {name!r}: choose another directory.")
        say(f"The recipe is that of the call before: {str(recipe_path)!r}.")
    else:
        for reason in choice.reasons:
            say(reason)
        say(_written(recipe_path, name, choice, source, minutes))
    model = train(recipe_path, output, resume=resume, verbose=verbose)
    if not compare:
        return Pretraining(model, choice.reasons, None, "")
    if source.labels is None or len(set(source.labels.tolist())) < 2:
        return Pretraining(model, choice.reasons, None, "Without labels of two classes nothing tells how it compares.")
    compared = recommend(source, models=[*list_pretrained(), str(output)], device_cost=False)
    return Pretraining(model, choice.reasons, compared, _comparison(card(output).name, compared))


def _name(data):
    """What the recipe calls the data: a path in full, so that it holds in any directory; a name as it is."""
    if not isinstance(data, (str, os.PathLike)):
        raise DataError(
            "zoo.pretrain takes what a recipe can name: a folder, a file, or a dataset's name. Received a"
            f" {type(data).__name__}: save it by numpy.savez(file, images=..., labels=...) first."
        )
    path = reading.expanded(data)
    return str(path.absolute()) if reading.kind(path) else str(data)


def _written(path, name, choice, source, minutes):
    """Write the recipe, its epochs those that fit into the time; a sentence on them."""
    recipe = Recipe(path.absolute().parent.name, "", name, choice.model, Training(epochs=1, **choice.training))
    seen = source.resized(recipe.input_shape) if is_image(source.shape) else source
    fitting, seconds = budget.epochs(recipe, seen, minutes)
    tables: dict[str, Any] = {
        "description": f"Pretrained without labels on {len(source):,} samples of {pathlib.Path(name).name}.",
        "dataset": name,
        "license": _LICENSE,
        "model": choice.model,
        "training": {"epochs": fitting, **choice.training},
    }
    comments = (f"Written by zoo pretrain, for {minutes:g} minutes on the machine where it ran.", *choice.reasons)
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(path.parent / ".checkpoint", ignore_errors=True)  # of another recipe
    with files.replacing(path) as file:
        file.write(toml.written(tables, comments).encode())
    return f"{fitting} epochs of about {seconds:.1f} s each fit into {minutes:g} minutes"


def _comparison(name, found):
    """In one sentence: whether the new encoder beats the best shipped one, and what needs none."""
    own = next(row for row in found.rows if row.model == name)
    others = [next((r for r in found.rows if r.pretrained and r.model != name), None)]
    others.append(next(row for row in found.rows if not row.pretrained))
    others = [row for row in others if row is not None]
    ahead = all(own.value > row.value for row in others)
    best = max(others, key=lambda row: row.value)
    return (
        f"{own.label} reaches {found.measure} {own.value:.3f} ± {own.spread:.3f} on {found.samples:,} labelled samples,"
        f" {' and '.join(f'{row.label} {row.value:.3f} ± {row.spread:.3f}' for row in others)}: "
        + ("it is the best of them." if ahead else f"{best.label} is better; more samples or minutes may change that.")
    )


def _say(text):
    print(text, file=sys.stderr, flush=True)


def _nothing(text):
    pass
