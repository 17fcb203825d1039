"""What all builders have in common: everything but how to read what is downloaded."""

from typing import ClassVar

import numpy as np
import tensorflow_datasets as tfds
from tensorflow_datasets.core.download.checksums import UrlInfo

from zoo.data.datasets import DATASETS


class Builder(tfds.core.GeneratorBasedBuilder, skip_registration=True):  # type: ignore[call-arg]
    """A dataset of `DATASETS`, as {"sample", "label"}: samples as they are stored, in their order.

    A subclass is named like the dataset and has `_split_generators`, which gives `examples` of each split.
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: ClassVar = {"1.0.0": "First release."}

    @property
    def facts(self):
        """The `Dataset` that is built."""
        return DATASETS[self.name]

    def _info(self):
        facts = self.facts
        return self.dataset_info_from_configs(
            description=f"{facts.title}. {facts.description} Licence: {facts.licence}.",
            homepage=facts.address,
            citation=facts.citation,
            license=facts.licence,
            features=tfds.features.FeaturesDict(
                {
                    "sample": tfds.features.Tensor(shape=facts.shape, dtype=np.dtype(facts.dtype)),
                    "label": tfds.features.ClassLabel(names=list(facts.class_names)),
                }
            ),
            supervised_keys=("sample", "label"),
            disable_shuffling=True,
        )

    def _generate_examples(self, samples, labels):
        for number, (sample, label) in enumerate(zip(samples.astype(self.facts.dtype), labels, strict=True)):
            yield number, {"sample": sample, "label": int(label) - self.facts.first_label}


def checksums(*names):
    """What TensorFlow Datasets compares the downloads of these datasets with, where a checksum is known."""
    return {
        address: UrlInfo(size=size, checksum=sha256, filename=address.rpartition("/")[2])
        for name in names
        for address, known in DATASETS[name].download.items()
        if known
        for size, sha256 in [known]
    }
