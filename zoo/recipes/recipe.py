"""Recipes: everything needed to train a pretrained set, in one hand-written TOML file."""

import dataclasses
import pathlib
import tomllib

from zoo.core import checks
from zoo.core.errors import ConfigError, DataNotFoundError, unknown_name

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

    epochs: int
    batch_size: int = 256
    optimizer: str = "adam"
    learning_rate: float = 1e-3
    schedule: str = "constant"
    loss: str = "mse"
    seed: int = 0
    validation_split: float = 0.0
    patience: int = 0
    jit_compile: bool | str = "auto"
    normalize_latent: bool = False

    def __post_init__(self):
        checks.positive_integer("epochs", self.epochs)
        checks.positive_integer("batch_size", self.batch_size)
        checks.in_range("learning_rate", self.learning_rate, 0, 10, exclusive=True)
        checks.in_range("validation_split", self.validation_split, 0, 0.99)
        if self.patience and not self.validation_split:
            raise ConfigError("patience watches the validation loss: set validation_split too, for instance 0.1.")
        if self.jit_compile not in (True, False, "auto"):
            raise ConfigError(f"jit_compile must be true, false or 'auto'. Received: {self.jit_compile!r}.")
        if self.schedule not in ("constant", "cosine"):
            raise unknown_name("schedule", self.schedule, ("constant", "cosine"))


@dataclasses.dataclass(frozen=True)
class Recipe:
    """A parsed ``recipe.toml``.

    Attributes:
        name: name of the set: the folder that holds the recipe.
        description: one sentence for the card.
        dataset: name of the dataset, as `zoo.data.load` takes it.
        model: config of the model, as `zoo.from_config` takes it; "none" stands for None, which TOML lacks.
        training: how it is trained.
        version: number of the weights: 1, and one more whenever the recipe changes after they were published.
        dataset_title: what the card calls the dataset, where that is not its name.
        license: licence of the weights.
    """

    name: str
    description: str
    dataset: str
    model: dict
    training: Training
    version: int = 1
    dataset_title: str = ""
    license: str = "Apache-2.0"


def read_recipe(path):
    """Read and check a recipe.

    Args:
        path: a ``recipe.toml``, or the folder that holds it.

    Raises:
        DataNotFoundError: there is none.
        ConfigError: it is not TOML, or a value is missing or out of range.
        UnknownNameError: it has an unknown key.
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
    training = _table(Training, content.pop("training", {}), f"[training] in {str(path)!r}")
    name = content.pop("name", path.absolute().parent.name)
    content = _with_none(content)
    return _table(Recipe, {**content, "name": name, "training": training}, repr(str(path)))


def _with_none(value):
    if isinstance(value, dict):
        return {key: _with_none(inner) for key, inner in value.items()}
    return None if value == "none" else value


def _table(cls, content, where):
    fields = {field.name: field for field in dataclasses.fields(cls)}
    for key in content:
        if key not in fields:
            raise unknown_name(f"key in {where}: ", key, fields)
    missing = [n for n, f in fields.items() if f.default is dataclasses.MISSING and n not in content]
    if missing:
        raise ConfigError(f"{where} lacks {', '.join(map(repr, missing))}. Received keys {sorted(content)}.")
    return cls(**content)
