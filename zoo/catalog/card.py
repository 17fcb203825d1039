"""Cards: what is known about a pretrained model, read without TensorFlow."""

import dataclasses
import os
import pathlib
from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec

from zoo.core import manifest, reading
from zoo.core.errors import ConfigError, IntegrityError, ZooError
from zoo.core.schema import Count, Name, PositiveCount, Sha256, Shape, Text, convert

CONFIG, METADATA, WEIGHTS, README = "config.json", "metadata.json", "model.weights.h5", "README.md"
GOLDEN, PICTURE = "golden.npz", "card.png"
CARD_LIMITS = {CONFIG: 4e6, METADATA: 4e6}  # bytes


@dataclasses.dataclass(frozen=True)
class Dataset:
    """The training data; None is what the card does not state.

    Attributes:
        name: as `zoo.data.load` takes it.
        title: what to call it in a text, where that is not its name.
        version: of the dataset.
        split: of the dataset.
        samples: number of training samples.
        normal: the classes whose samples are normal, of a detector, which was trained on these alone.
    """

    name: Text | None = None
    title: str | None = None
    version: str | None = None
    split: str | None = None
    samples: Count | None = None
    normal: tuple[int | str, ...] | None = None

    @property
    def to_load(self) -> str | None:
        """The name, unless it is a path: that a card names a file is no reason to read it."""
        return self.name if self.name and reading.is_dataset_name(self.name) else None


@dataclasses.dataclass(frozen=True)
class Input:
    """What the encoder takes and gives.

    Attributes:
        shape: shape of one sample, channels last.
        dtype: its NumPy dtype.
        range: (lowest, highest) value; None for values that are not bounded.
        preprocessing: what was done to the raw samples, in words.
        latent_shape: shape of the latent features of one sample.
        sampling_rate: samples per second of a signal, or None.
        unit: unit of the samples, or None.
    """

    shape: Shape
    dtype: Text
    range: tuple[int | float, int | float] | None
    preprocessing: str
    latent_shape: Shape
    sampling_rate: Annotated[float, msgspec.Meta(gt=0)] | None = None
    unit: Text | None = None


@dataclasses.dataclass(frozen=True)
class Settings:
    """The training settings, as in the [training] table of a recipe; None is what the card does not state."""

    epochs: PositiveCount | None = None
    batch_size: PositiveCount | None = None
    optimizer: Text | None = None
    learning_rate: float | None = None
    schedule: Text | None = None
    loss: Text | None = None
    seed: Count | None = None
    validation_split: float | None = None
    patience: Count | None = None
    jit_compile: bool | Literal["auto"] | None = None
    normalize_latent: bool | None = None


@dataclasses.dataclass(frozen=True)
class Reproduction:
    """How the model was made; None is what the card does not state.

    Attributes:
        command: command that makes it again.
        seconds: how long that took.
        machine: on what.
        versions: package name to its version.
    """

    command: Text | None = None
    seconds: float | None = None
    machine: str | None = None
    versions: dict[str, str] | None = None


@dataclasses.dataclass(frozen=True)
class Quantization:
    """The model as a .tflite file, as `zoo.exporting.quantization_cost.measure` found it; empty if never measured.

    Attributes:
        samples: number of test samples that the metrics were measured on.
        files: "float32", "float16", "dynamic" and "int8" to {"size_bytes", *metrics}.
        warnings: a sentence on each metric that is clearly worse than the float32 model's.
    """

    samples: Count | None = None
    files: dict[str, dict[str, int | float]] = dataclasses.field(default_factory=dict)
    warnings: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Card:
    """The metadata of a pretrained model; loader, tests, README and command line all read this object.

    Attributes:
        name: its name.
        family: name of its family, see `zoo.list_families`.
        config: JSON config from which `zoo.from_config` builds the model.
        input: what the encoder takes and gives.
        parameters: number of parameters.
        size_bytes: size of the weight file in bytes.
        sha256: SHA-256 of the weight file, 64 hex digits.
        version: number of the weights. Other weights get another number: none is ever overwritten under the same one.
        dataset: the training data.
        recipe: the training settings.
        metrics: all that `zoo.evaluate` measures on the whole test split.
        history: metric name to its values, one per epoch of the training.
        license: SPDX identifier of the weights' licence.
        description: one sentence.
        reproduction: how the model was made.
        quantization: what quantisation costs.

    Example:
        >>> zoo.card("mnist-feed-forward-8").dataset.name
        'mnist'
    """

    name: Name
    family: Text
    config: dict
    input: Input
    parameters: Count
    size_bytes: Count
    sha256: Sha256
    version: PositiveCount = 1
    dataset: Dataset = dataclasses.field(default_factory=Dataset)
    recipe: Settings = dataclasses.field(default_factory=Settings)
    metrics: dict[str, float] = dataclasses.field(default_factory=dict)
    history: dict[str, list[float]] = dataclasses.field(default_factory=dict)
    license: str = ""
    description: str = ""
    reproduction: Reproduction = dataclasses.field(default_factory=Reproduction)
    quantization: Quantization = dataclasses.field(default_factory=Quantization)

    def to_dict(self) -> dict:
        """The card as dictionaries that JSON can write, without what it does not state."""
        content = dataclasses.asdict(self)
        for name in ("input", "dataset", "recipe", "reproduction", "quantization"):
            stated = {key: value for key, value in content[name].items() if value is not None or key == "range"}
            content[name] = stated
        return content if self.quantization.files else {**content, "quantization": {}}


def read_card(directory: str | os.PathLike, *, trust: str = "sealed") -> Card:
    """The `Card` in the directory of a pretrained model; `trust` as for `zoo.load`.

    Raises:
        IntegrityError: one of its JSON files is missing, changed or damaged; the message names it, or the key.
    """
    directory = pathlib.Path(directory)
    return parse_card(manifest.read(directory, CARD_LIMITS, trust=trust), directory)


def parse_card(contents: Mapping[str, bytes], directory: pathlib.Path) -> Card:
    """The `Card` in the contents of the files of `CARD_LIMITS`; errors as of `read_card`."""
    try:
        metadata, config = (reading.parse_json(contents[name], name) for name in (METADATA, CONFIG))
        if not isinstance(metadata, dict):
            raise ConfigError(f"{METADATA} must be a table. Received: {type(metadata).__name__}.")
        return convert({**metadata, "config": config}, Card, METADATA)
    except ZooError as error:
        raise IntegrityError(
            f"The pretrained model in {str(directory)!r} has a damaged {METADATA} or {CONFIG}: {error}"
        ) from error
