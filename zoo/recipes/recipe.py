"""Recipes: everything needed to train a pretrained model, in one hand-written TOML file."""

import dataclasses
import math
import pathlib
import tomllib
from typing import Annotated, Any, Literal

import msgspec

from zoo.catalog.lookup import catalog_directory
from zoo.core import reading
from zoo.core.errors import ConfigError, DataNotFoundError, unknown_name
from zoo.core.schema import Count, PositiveCount, Text, convert

FILE_NAME = "recipe.toml"
_MAX_BYTES = 2**14  # the time of tomllib grows with the square: a second for the worst of this size
_MAX_DEPTH = 32


@dataclasses.dataclass(frozen=True)
class Training:
    """The [training] table of a recipe.

    Attributes:
        epochs: passes over the training split.
        batch_size: samples per step.
        optimizer: a Keras optimizer name.
        learning_rate: learning rate at the start.
        schedule: "constant", or "cosine" for a decay to zero over all steps.
        loss: a Keras loss name.
        seed: seed of initial weights, data order and corruption.
        validation_split: share of the training split held out at its end, in [0, 1); used to choose settings.
        patience: stop after so many epochs without a lower validation loss, and keep the best weights; 0 never stops.
        jit_compile: true, false, or "auto": train with XLA except for convolutions on a CPU, which it slows down.
        normalize_latent: scale the trained latent features to magnitudes of at most 1, see `normalize_latent`.
    """

    epochs: PositiveCount
    batch_size: PositiveCount = 256
    optimizer: Text = "adam"
    learning_rate: Annotated[float, msgspec.Meta(gt=0, lt=10)] = 1e-3
    schedule: Literal["constant", "cosine"] = "constant"
    loss: Text = "mse"
    seed: Annotated[int, msgspec.Meta(ge=0, lt=2**32)] = 0
    validation_split: Annotated[float, msgspec.Meta(ge=0, lt=1)] = 0.0
    patience: Count = 0
    jit_compile: bool | Literal["auto"] = "auto"
    normalize_latent: bool = False

    def __post_init__(self):
        if self.patience and not self.validation_split:
            raise ConfigError("patience watches the validation loss: set validation_split too, for instance 0.1.")


@dataclasses.dataclass(frozen=True)
class Windows:
    """The [windows] table of a recipe, whose dataset is then a recording.

    Attributes:
        length: moments of a window.
        hop: moments from the begin of a window to that of the next; by default the length.
        gaps: "error", or "skip" to leave out windows in which values are missing.
        test: the recording of the test split, with labels if there are anomalies in it; by default nothing is measured.
        channels: names of the channels to take; by default all.
        sampling_rate, unit: of recordings that do not state theirs.
    """

    length: PositiveCount
    hop: PositiveCount | None = None
    test: str = ""
    channels: tuple[Text, ...] = ()
    gaps: Literal["error", "skip"] = "error"
    sampling_rate: Annotated[float, msgspec.Meta(gt=0)] | None = None
    unit: str = ""

    def source(self, split, recording, flat, stream=False):
        """Windows of a recording as the samples of a split."""
        from zoo.data import windows

        stated = {"gaps": self.gaps, "sampling_rate": self.sampling_rate, "unit": self.unit}
        channels = self.channels or None
        found = windows(recording, self.length, self.hop, channels=channels, flat=flat, stream=stream, **stated)
        return dataclasses.replace(found, split=split)


@dataclasses.dataclass(frozen=True)
class Recipe:
    """A parsed ``recipe.toml``.

    Attributes:
        name: name of the model: that of the folder that holds the recipe.
        description: one sentence for the card.
        dataset: name of the dataset, as `zoo.data.load` takes it; with `windows` a recording, as `read_series` does.
        model: config of the model, as `zoo.from_config` takes it; "none" in it stands for None, which TOML lacks.
        training: how it is trained.
        windows: how the dataset, a recording, is cut into samples; None if it holds samples.
        version: number of the weights: 1, and one more whenever the recipe changes after they were published.
        dataset_title: what the card calls the dataset, where that is not its name.
        license: licence of the weights.
        normal: classes whose samples are normal, as numbers or names, for a detector: it is trained on these alone.
        threshold_quantile: share of the held-out normal samples that a detector's threshold lets pass; by default no
            threshold. Needs training.validation_split.
    """

    name: Text
    description: Text
    dataset: Text
    model: dict[str, Any]
    training: Training
    version: PositiveCount = 1
    dataset_title: str = ""
    license: Text = "Apache-2.0"
    normal: tuple[int | str, ...] = ()
    threshold_quantile: Annotated[float, msgspec.Meta(gt=0, lt=1)] | None = None
    windows: Windows | None = None

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one sample, () where the config of the model does not state it by itself."""
        config: Any = self.model
        while isinstance(config, dict):
            if isinstance(shape := config.get("input_shape"), (list, tuple)):
                return tuple(shape)
            config = config.get("backbone")
        return ()

    def __post_init__(self):
        if self.threshold_quantile is not None:
            if not self.training.validation_split:
                raise ConfigError(
                    "threshold_quantile is of samples that the model was not trained on: set validation_split in"
                    " [training] too, for instance 0.2."
                )
            if self.model.get("family") != "detector":
                raise ConfigError(
                    'A threshold is a detector\'s: set family = "detector" in [model], with the other family as its'
                    f" backbone. Received: family = {self.model.get('family')!r}."
                )


def find_recipe(recipe_or_name):
    """Path of a recipe: of a path itself, or of a name in the catalog; raises `UnknownNameError` for another name."""
    path = pathlib.Path(recipe_or_name)
    if reading.kind(path, error=ConfigError) or path.suffix == ".toml" or path.name != str(recipe_or_name):
        return _inside(path)
    known = {p.parent.name: p for p in catalog_directory().glob(f"*/{FILE_NAME}")}
    if path.name not in known:
        raise unknown_name("recipe", path.name, known)
    return known[path.name]


def read_recipe(path):
    """Read and check a recipe.

    Args:
        path: a ``recipe.toml`` of at most 16 KiB, or the folder that holds it.

    Raises:
        DataNotFoundError: there is none.
        ConfigError: it is not a file or not TOML; or a value is missing, of the wrong type or out of range, or one that
            JSON has not, in which the config of a model is written: a date, infinity, an integer of more than 64 bits.
        UnknownNameError: it has an unknown key, or an unknown schedule.
    """
    path = _inside(pathlib.Path(path))
    where = repr(str(path))
    try:
        content = reading.read_bytes(path, limit=_MAX_BYTES, error=ConfigError)
    except DataNotFoundError:
        raise DataNotFoundError(f"No recipe at {where}: expected a TOML file or a folder with {FILE_NAME}.") from None
    try:
        content = tomllib.loads(content.decode())
    except RecursionError:
        raise ConfigError(f"{where} is not valid TOML: it is nested too deeply.") from None
    except ValueError as error:  # TOMLDecodeError; no UTF-8; an integer of thousands of digits
        raise ConfigError(f"{where} is not valid TOML: {' '.join(str(error).split())[:200]}.") from error
    content = _checked({"name": path.absolute().parent.name, **content}, where)
    if "model" in content:
        content["model"] = _with_none(content["model"])
    recipe = convert(content, Recipe, where)
    if not recipe.name.isprintable():
        raise ConfigError(f"name in {where}, by default that of its folder, must be plain text: {recipe.name!r}.")
    return recipe


def _inside(path):
    return path / FILE_NAME if reading.kind(path, error=ConfigError) == "a folder" else path


def _checked(value, where, keys=()):
    """The value at `keys` of the recipe, or a `ConfigError` for what JSON cannot say."""
    name = f"{'.'.join(keys)[:200]} in {where}"
    if len(keys) > _MAX_DEPTH:
        raise ConfigError(f"{where} is nested too deeply: expected at most {_MAX_DEPTH} levels.")
    if isinstance(value, dict):
        return {key: _checked(item, where, (*keys, key)) for key, item in value.items()}
    if isinstance(value, list):
        return [_checked(item, where, (*keys, str(i))) for i, item in enumerate(value)]
    if isinstance(value, float) and not math.isfinite(value):
        raise ConfigError(f"{name} must be a finite number. Received: {value}.")
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise ConfigError(f"{name} must be a number of at most 64 bits.")
    if not isinstance(value, (str, bool, int, float)):
        raise ConfigError(f"{name} must be text, a number, a list or a table. Received a {type(value).__name__}.")
    return value


def _with_none(value):
    if isinstance(value, dict):
        return {key: _with_none(inner) for key, inner in value.items()}
    return None if value == "none" else value
