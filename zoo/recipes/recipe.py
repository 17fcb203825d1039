"""Recipes: everything needed to train a pretrained model, in one hand-written TOML file."""

import dataclasses
import pathlib
import tomllib
from typing import Annotated, Any, Literal

import msgspec

from zoo.catalog.lookup import catalog_directory
from zoo.core.errors import ConfigError, DataNotFoundError, unknown_name
from zoo.core.schema import Count, PositiveCount, Text, convert

FILE_NAME = "recipe.toml"


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
class Recipe:
    """A parsed ``recipe.toml``.

    Attributes:
        name: name of the model: that of the folder that holds the recipe.
        description: one sentence for the card.
        dataset: name of the dataset, as `zoo.data.load` takes it.
        model: config of the model, as `zoo.from_config` takes it; "none" in it stands for None, which TOML lacks.
        training: how it is trained.
        version: number of the weights: 1, and one more whenever the recipe changes after they were published.
        dataset_title: what the card calls the dataset, where that is not its name.
        license: licence of the weights.
    """

    name: Text
    description: Text
    dataset: Text
    model: dict[str, Any]
    training: Training
    version: PositiveCount = 1
    dataset_title: str = ""
    license: Text = "Apache-2.0"


def find_recipe(recipe_or_name):
    """Path of a recipe: of a path itself, or of a name in the catalog; raises `UnknownNameError` for another name."""
    path = pathlib.Path(recipe_or_name)
    if path.exists() or path.suffix == ".toml" or path.name != str(recipe_or_name):
        return path / FILE_NAME if path.is_dir() else path
    known = {p.parent.name: p for p in catalog_directory().glob(f"*/{FILE_NAME}")}
    if path.name not in known:
        raise unknown_name("recipe", path.name, known)
    return known[path.name]


def read_recipe(path):
    """Read and check a recipe.

    Args:
        path: a ``recipe.toml``, or the folder that holds it.

    Raises:
        DataNotFoundError: there is none.
        ConfigError: it is not TOML, or a value is missing, of the wrong type or out of range.
        UnknownNameError: it has an unknown key, or an unknown schedule.
    """
    path = pathlib.Path(path)
    path = path / FILE_NAME if path.is_dir() else path
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataNotFoundError(
            f"No recipe at {str(path)!r}: expected a TOML file or a folder with {FILE_NAME}."
        ) from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{str(path)!r} is not valid TOML: {error}.") from error
    content = {"name": path.absolute().parent.name, **content}
    if "model" in content:
        content["model"] = _with_none(content["model"])
    return convert(content, Recipe, repr(str(path)))


def _with_none(value):
    if isinstance(value, dict):
        return {key: _with_none(inner) for key, inner in value.items()}
    return None if value == "none" else value
