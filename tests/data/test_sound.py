import os
import struct

import numpy as np
import pytest
import soundfile

import zoo
from zoo.core.errors import DataError, DataNotFoundError

_PCM = np.random.default_rng(0).integers(-(2**15), 2**15, (3000, 2)).astype("int16")


def _write(path, values=_PCM, rate=8000, **options):
    soundfile.write(path, values, rate, **options)
    return path


@pytest.mark.parametrize(
    ("name", "options", "dtype"),
    [
        ("x.wav", {}, "int16"),
        ("x.flac", {}, "int16"),
        ("x.wav", {"subtype": "PCM_24"}, "float32"),
        ("x.flac", {"subtype": "PCM_24"}, "float32"),
        ("x.wav", {"subtype": "FLOAT"}, "float32"),
        ("x.wav", {"format": "RF64"}, "int16"),
    ],
)
def test_a_file_is_one_sample(tmp_path, name, options, dtype):
    values = _PCM if dtype == "int16" else _PCM / 32768
    source = zoo.data.load(_write(tmp_path / name, values, **options))
    assert (source.samples.shape, source.samples.dtype, source.sampling_rate) == ((1, 3000, 2), dtype, 8000.0)
    np.testing.assert_allclose(source.values()[0], _PCM / 32768, atol=2e-7)
    if dtype == "int16":
        assert source.scale == 1 / 32768
        np.testing.assert_array_equal(source.samples[0], _PCM)
    series = zoo.data.read_series(tmp_path / name)
    np.testing.assert_array_equal(series.values, source.samples[0])
    with pytest.raises(DataError, match="another sampling rate: expected 16000 Hz. Received 8000 Hz"):
        zoo.data.read_series(tmp_path / name, sampling_rate=16000)


def test_eight_bits(tmp_path):
    source = zoo.data.load(_write(tmp_path / "x.wav", np.array([0.5, -1.0, 0.0]), subtype="PCM_U8"))
    assert source.samples.dtype == np.int16
    np.testing.assert_allclose(source.values()[0, :, 0], [0.5, -1, 0])


_DOORS = {
    "load": zoo.data.load,
    "read_series": zoo.data.read_series,
    "stream": lambda path: list(zoo.data.windows(path, 100, stream=True).batches(8)),
    "folder": lambda path: zoo.data.windows(path.parent, 100),
}


@pytest.mark.parametrize("door", _DOORS)
class TestFilesOfOthers:
    def test_cut_short(self, tmp_path, door):
        for name, message in (("x.wav", "ends too early: expected 12,000 bytes"), ("x.flac", "x.flac' ")):
            folder = tmp_path / name[2:]
            folder.mkdir()
            path = _write(folder / name)
            path.write_bytes(path.read_bytes()[:5000])
            with pytest.raises(DataError, match=message):
                _DOORS[door](path)

    def test_no_sound(self, tmp_path, door):
        for content in (b"", b"hello", bytes(5000), os.urandom(5000), b"RIFF\xff\xff\xff\xffWAVEfmt "):
            (tmp_path / "x.wav").write_bytes(content)
            with pytest.raises(DataError, match="x.wav' is no sound file that can be read"):
                _DOORS[door](tmp_path / "x.wav")

    def test_other_formats(self, tmp_path, door):
        (tmp_path / "x.wav").write_bytes(_write(tmp_path / "x.ogg", _PCM / 40000).read_bytes())
        with pytest.raises(DataError, match="x.wav' is neither WAV nor FLAC. Received OGG"):
            _DOORS[door](tmp_path / "x.wav")

    def test_no_moments(self, tmp_path, door):
        with pytest.raises(DataError, match="x.wav' is empty: expected at least one moment"):
            _DOORS[door](_write(tmp_path / "x.wav", _PCM[:0]))

    def test_pipes_and_folders(self, tmp_path, door):
        os.mkfifo(tmp_path / "x.wav")
        with pytest.raises(DataError, match="Expected a regular file at '.*x.wav'. Received a named pipe"):
            _DOORS[door](tmp_path / "x.wav")


def test_a_header_that_says_more_than_memory_holds(tmp_path, monkeypatch):
    path = _write(tmp_path / "x.flac")
    content = bytearray(path.read_bytes())
    content[21:26] = bytes([content[21] | 0x0F]) + b"\xff" * 4  # 2**36 - 1 moments
    path.write_bytes(content)
    with pytest.raises(DataError, match="x.flac' do not fit into memory: they take 274,877,906,940 bytes"):
        zoo.data.load(path)


def test_a_header_that_says_more_than_there_is(tmp_path):
    path = _write(tmp_path / "x.flac")
    content = bytearray(path.read_bytes())
    assert int.from_bytes(content[22:26], "big") == 3000
    content[22:26] = (4000).to_bytes(4, "big")
    path.write_bytes(content)
    with pytest.raises(DataError, match="x.flac'"):
        zoo.data.load(path)
    assert zoo.data.read_series(path, stream=True).values[:10].shape == (10, 2)


def test_a_recorder_that_was_cut_off(tmp_path):
    """It leaves the greatest size in the header: what is there is read."""
    path = _write(tmp_path / "x.wav")
    content = bytearray(path.read_bytes())
    struct.pack_into("<I", content, content.index(b"data") + 4, 0xFFFFFFFF)
    path.write_bytes(content)
    np.testing.assert_array_equal(zoo.data.load(path).samples[0], _PCM)


@pytest.mark.parametrize("name", ["x.wav", "x.flac"])
def test_flipped_bytes(tmp_path, name):
    """Read, or refused by name."""
    whole = _write(tmp_path / name, _PCM[:300]).read_bytes()
    refused, path = 0, tmp_path / name
    numbers = [*range(100), *range(100, len(whole), 11)]
    for number in numbers:
        path.write_bytes(whole[:number] + bytes([whole[number] ^ 255]) + whole[number + 1 :])
        try:
            zoo.data.load(path)
        except (DataError, DataNotFoundError) as error:
            assert f"{name}'" in str(error)
            refused += 1
    assert refused > 20
