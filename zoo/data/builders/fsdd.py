"""The Free Spoken Digit Dataset, from its repository. No checksum of the archive of a commit is published."""

import numpy as np

from zoo.data.builders.base import Builder
from zoo.data.sound import Sound

_TEST_NUMBERS = range(5)  # of each digit and speaker, as the repository says


class Fsdd(Builder):
    """Spoken digits, padded with zeros or cut to one second, in the official split."""

    def _split_generators(self, dl_manager):
        (address,) = self.facts.download
        folder = dl_manager.download_and_extract(address)
        # digit_speaker_number.wav
        files = {tuple(path.name[: -len(".wav")].split("_")): path for path in folder.glob("*/recordings/*.wav")}
        order = sorted(files, key=lambda about: (about[0], about[1], int(about[2])))
        parts = {"train": [], "test": []}
        for about in order:
            parts["test" if int(about[2]) in _TEST_NUMBERS else "train"].append(about)
        return {split: self._generate_examples(*self._read(files, part)) for split, part in parts.items()}

    def _read(self, files, part):
        samples = np.zeros((len(part), *self.facts.shape), self.facts.dtype)
        for row, about in zip(samples, part, strict=True):
            sound = Sound(files[about])[: len(row)][:, 0]
            row[: len(sound)] = sound
        return samples, np.array([int(digit) for digit, _, _ in part])
