"""ECG5000 from the UCR archive. No checksum of its archive is published."""

import numpy as np

from zoo.data.builders.base import Builder


class Ecg5000(Builder):
    """Heart beats, in the official split."""

    def _split_generators(self, dl_manager):
        (address,) = self.facts.download
        folder = dl_manager.download_and_extract(address)
        # The label is the first value of a row.
        tables = {split: np.loadtxt(folder / f"ECG5000_{split.upper()}.txt") for split in ("train", "test")}
        return {split: self._generate_examples(table[:, 1:], table[:, 0]) for split, table in tables.items()}
