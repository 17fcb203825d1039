import hashlib
import json
import re

import numpy as np
import pytest

import zoo
from zoo.core.errors import ExportError
from zoo.exporting import seal

CONTENT = b'before {"seal": "' + seal.BLANK.encode() + b'", "model": "encoder"} after'


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """Export directories by quantization of the .tflite file, with their reports."""
    root = tmp_path_factory.mktemp("exported")
    model = zoo.load("mnist-feed-forward-8")
    x = np.random.default_rng(0).random((100, 28, 28, 1), "float32")
    found = {None: (root / "float32", zoo.export(model, root / "float32", samples=x[:9]))}
    for mode in ("float16", "dynamic", "int8"):
        samples = {"calibration": x} if mode == "int8" else {}
        report = zoo.export(model, root / mode, "tflite", quantization=mode, samples=x, force=True, **samples)
        found[mode] = root / mode, report
    return found


class TestFiles:
    @pytest.mark.parametrize("mode", [None, "float16", "dynamic", "int8"])
    def test_states_the_digest_of_the_file_with_its_digits_zero(self, exported, mode):
        """As anybody verifies it: by a search of the bytes, without this package."""
        directory, report = exported[mode]
        stated = json.loads((directory / "report.json").read_text())["files"]
        for form in {"tflite", "onnx"} & set(report.files):
            content = (directory / f"model.{form}").read_bytes()
            (found,) = re.finditer(rb'"seal": "sha256:([0-9a-f]{64})"', content)
            blank = content[: found.start(1)] + b"0" * 64 + content[found.end(1) :]
            assert hashlib.sha256(blank).hexdigest() == found[1].decode()
            assert stated[form]["seal"] == report.files[form].seal == f"sha256:{found[1].decode()}"
            assert stated[form]["sha256"] == hashlib.sha256(content).hexdigest()
            seal.check(content, "file")

    @pytest.mark.parametrize("form", ["tflite", "onnx"])
    def test_every_changed_byte_is_found(self, exported, form):
        content = (exported[None][0] / f"model.{form}").read_bytes()
        for position in np.random.default_rng(0).integers(len(content), size=300):
            changed = bytearray(content)
            changed[position] ^= 1
            with pytest.raises(ExportError, match="'a file' (is not what its seal says|carries no seal)"):
                seal.check(bytes(changed), "'a file'")

    def test_of_the_saved_model_there_is_none(self, exported):
        directory, report = exported[None]
        assert report.files["saved_model"].seal is None
        assert "seal" not in json.loads((directory / "saved_model" / "assets.extra" / "zoo.json").read_text())


class TestSeal:
    def test_sealed_content_differs_in_the_digits_alone(self):
        done = seal.sealed(CONTENT)
        assert len(done) == len(CONTENT)
        assert done.replace(seal.stated(done).encode(), seal.BLANK.encode()) == CONTENT
        assert seal.stated(done) == "sha256:" + hashlib.sha256(CONTENT).hexdigest()
        assert seal.sealed(done) == done
        seal.check(done, "it")

    def test_digits_of_another_file(self):
        with pytest.raises(ExportError, match="it is not what its seal says: the file was changed or damaged"):
            seal.check(CONTENT, "it")

    @pytest.mark.parametrize("content", [b"", b"no seal", CONTENT * 2, CONTENT.replace(b"0" * 64, b"0" * 63 + b"G")])
    def test_not_exactly_one(self, content):
        assert seal.stated(content) is None
        with pytest.raises(ExportError, match=r"it carries no seal: .* Export it again .* trust=.unsealed."):
            seal.check(content, "it")
        with pytest.raises(ExportError, match="exactly once in its metadata"):
            seal.sealed(content)
