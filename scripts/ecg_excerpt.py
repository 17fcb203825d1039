#!/usr/bin/env python
"""Write the heart beats that the package ships, for `zoo demo ecg`: zoo/data/ecg_patient.npz.

The first 800 beats, about ten minutes, of record 214 of the MIT-BIH arrhythmia database, one of the patients that no
pretrained model has seen. Reads mitbih_beats_180hz.npz in ZOO_DATA_DIR.
"""

import os
import pathlib

import numpy as np

from zoo.data.ecg_patient import FILE

RECORD, BEATS = 214, 800


def main():
    stored = np.load(pathlib.Path(os.environ["ZOO_DATA_DIR"]) / "mitbih_beats_180hz.npz")
    chosen = np.flatnonzero(stored["record_test"] == RECORD)[:BEATS]
    np.savez_compressed(FILE, x=stored["x_test"][chosen], y=stored["y_test"][chosen])
    print(f"Wrote {FILE}: {len(chosen)} beats, {FILE.stat().st_size:,} bytes.")


if __name__ == "__main__":
    main()
