"""Sound in WAV and FLAC files that somebody else may have made."""

import contextlib
import re

import numpy as np

from zoo.core import reading
from zoo.core.errors import DataError, ZooError
from zoo.data.source import Source
from zoo.data.stream import empty

SOUND_SUFFIXES = (".wav", ".flac")

_FORMATS = ("WAV", "WAVEX", "RF64", "FLAC")
_SIXTEEN_BITS = ("PCM_16", "PCM_U8", "PCM_S8")  # what fits into int16 without loss
_SCALE = 1 / 32768
_UNKNOWN_SIZES = (0, 0x7FFFFFFF, 0xFFFFFFFF)  # written by recorders that were not asked to stop
_CUT = re.compile(r"data\s*:\s*(\d+)\s*\(should be (\d+)\)")


def load_sound(path):
    """A sound file as one sample (time, channels): a `Source` of int16 with scale 1/32768, or of float32.

    Files of up to 16 bits are kept as int16, all others become float32 in [-1, 1].
    """
    sound = Sound(path)
    return Source(sound[:][None], name=sound.path.name, sampling_rate=sound.sampling_rate, scale=sound.scale)


class Sound:
    """A sound file, read where it is indexed: ``sound[begin:end]`` is an array (time, channels).

    It is opened anew each time, which takes a tenth of a millisecond: any number of them can be kept, by any thread.

    Attributes:
        path: of the file.
        shape: (time, channels).
        dtype: int16, or float32 for files of more than 16 bits.
        sampling_rate, scale: as of a `Source`.

    Raises:
        DataNotFoundError: no such file.
        DataError: neither WAV nor FLAC, a damaged file, one that ends before its header says so, or, where it is
            indexed, more than fits into memory.
    """

    def __init__(self, path):
        self.path = reading.expanded(path)
        with self._opened() as file:
            if file.format not in _FORMATS:
                raise DataError(f"{str(self.path)!r} is neither WAV nor FLAC. Received {file.format}.")
            self.shape = (file.frames, file.channels)
            self.dtype = np.dtype("int16" if file.subtype in _SIXTEEN_BITS else "float32")
            self.scale = _SCALE if self.dtype == np.int16 else None
            self.sampling_rate = float(file.samplerate)
            cut = _CUT.search(file.extra_info)
        if not self.shape[0]:
            raise DataError(f"{str(self.path)!r} is empty: expected at least one moment of sound.")
        if cut and int(cut[1]) not in _UNKNOWN_SIZES:
            raise self._truncated(f"{int(cut[1]):,} bytes of sound", f"{int(cut[2]):,}")

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, moments):
        begin, end, _ = moments.indices(self.shape[0])
        count = max(0, end - begin)
        values = empty((count, self.shape[1]), self.dtype, f"The values of {str(self.path)!r}")
        with self._opened() as file:
            file.seek(begin)
            read = len(file.read(out=values)) if count else 0
        if read != count:
            raise self._truncated(f"{self.shape[0]:,} moments", f"{begin + read:,}")
        return values

    @contextlib.contextmanager
    def _opened(self):
        """The file; whatever happens while it is read becomes a `DataError` that names it."""
        import soundfile

        try:
            with reading.opened(self.path) as file, soundfile.SoundFile(file) as sound:
                yield sound
        except ZooError:
            raise
        except MemoryError as problem:
            raise DataError(f"{str(self.path)!r} does not fit into memory.") from problem
        except Exception as problem:  # of many kinds for damaged files
            reason = " ".join(ascii(getattr(problem, "error_string", str(problem)))[1:-1].split())[:200].rstrip(".")
            raise DataError(
                f"{str(self.path)!r} is no sound file that can be read ({type(problem).__name__}: {reason})."
            ) from problem

    def _truncated(self, expected, received):
        return DataError(
            f"{str(self.path)!r} ends too early: expected {expected}, as its header says. Received {received}."
        )
