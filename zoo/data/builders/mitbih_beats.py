"""Heart beats of the MIT-BIH arrhythmia database, from a file of beats that were cut from PhysioNet's records."""

from zoo.core import arrays_file
from zoo.data.builders.base import Builder


class MitbihBeats(Builder):
    """Heart beats, split by patient."""

    MANUAL_DOWNLOAD_INSTRUCTIONS = """\
    mitbih_beats_180hz.npz is to be made by hand: the beats of the 44 records without pacemaker of
    https://physionet.org/content/mitdb/1.0.0/, lead MLII, from which 1024 is subtracted, decimated from 360 to 180 Hz
    by an FIR filter of zero phase, from 48 values before to 80 after each annotated beat; int16 x_train and x_test
    (beats, 128), and y_train and y_test, the AAMI class 0 to 4 (N, S, V, F, Q). Train is DS1 of de Chazal (2004), test
    is DS2. Beats too near to the edge of a record are left out.
    """

    def _split_generators(self, dl_manager):
        content = arrays_file.read_arrays(dl_manager.manual_dir / self.facts.file)
        return {
            split: self._generate_examples(content[f"x_{split}"], content[f"y_{split}"]) for split in ("train", "test")
        }
