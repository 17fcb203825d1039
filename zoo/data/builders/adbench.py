"""Tables of ADBench, from its repository, whose files are compared with their checksums."""

from typing import ClassVar

import tensorflow_datasets as tfds

from zoo.core import arrays_file
from zoo.data.builders.base import Builder, checksums
from zoo.data.datasets import DATASETS, split_rows

_NAMES = [name for name in DATASETS if name.startswith("adbench_")]


class Adbench(Builder):
    """Rows of measurements; the split is described in `zoo.data.datasets`."""

    BUILDER_CONFIGS: ClassVar = [
        tfds.core.BuilderConfig(name=name.removeprefix("adbench_"), description=DATASETS[name].title) for name in _NAMES
    ]
    url_infos = checksums(*_NAMES)

    @property
    def facts(self):
        """The `Dataset` that is built."""
        return DATASETS[f"adbench_{self.builder_config.name}"]

    def _split_generators(self, dl_manager):
        (address,) = self.facts.download
        content = arrays_file.read_arrays(dl_manager.download(address))
        samples, labels = content["X"], content["y"]
        rows = {split: split_rows(labels, split) for split in ("train", "test")}
        return {split: self._generate_examples(samples[chosen], labels[chosen]) for split, chosen in rows.items()}
