"""The Numenta Anomaly Benchmark, from its repository. No checksum of the archive of a commit is published."""

from typing import ClassVar

import numpy as np
import tensorflow_datasets as tfds

from zoo.data import nab


class Nab(tfds.core.GeneratorBasedBuilder):
    """Whole series, each with 1 for the moments inside of its anomaly windows; there is one split, "test"."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: ClassVar = {"1.0.0": "First release."}

    def _info(self):
        return self.dataset_info_from_configs(
            description=nab.DESCRIPTION,
            homepage="https://github.com/numenta/NAB",
            citation=nab.CITATION,
            license="MIT",
            features=tfds.features.FeaturesDict(
                {
                    "name": tfds.features.Text(),
                    "values": tfds.features.Tensor(shape=(None,), dtype=np.float32),
                    "labels": tfds.features.Tensor(shape=(None,), dtype=np.int64),
                    "sampling_rate": tfds.features.Scalar(dtype=np.float64),
                }
            ),
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager):
        return {"test": self._generate_examples(dl_manager.download(nab.ADDRESS))}

    def _generate_examples(self, path):
        for number, (name, series) in enumerate(nab.all_series(path)):
            yield (
                number,
                {
                    "name": name,
                    "values": np.asarray(series.values[:, 0]),
                    "labels": series.labels,
                    "sampling_rate": series.sampling_rate,
                },
            )
