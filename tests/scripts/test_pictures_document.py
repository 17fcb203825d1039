"""docs/pictures.md and README's section on pictures: their code runs, in order, on pictures that this test draws."""

import contextlib
import io
import pathlib
import re
import shlex

import numpy as np
import PIL.Image
import PIL.ImageDraw
import pytest
from click.testing import CliRunner

import zoo
from zoo.cli import main
from zoo.pretraining import budget, pretrain
from zoo.recommending import accuracy, candidates

ROOT = pathlib.Path(__file__).parents[2]
TEXTS = {
    "pictures.md": (ROOT / "docs" / "pictures.md").read_text(encoding="utf-8"),
    "README": re.search(r"### Your own pictures\n(.*?)\n### ", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)[1],
}
MODELS = "cifar10-jpeg-convolutional-pooled-256"


def _draw(random, kind):
    """A colour picture of some size with a disc or a square at a random place."""
    width, height = random.integers(28, 36, 2)
    image = PIL.Image.fromarray(random.integers(0, 80, (height, width, 3), "uint8"))
    x, y = random.integers(0, 10, 2)
    draw = PIL.ImageDraw.Draw(image)
    shape = draw.ellipse if kind == "disc" else draw.rectangle
    shape((x, y, x + 16, y + 16), fill=tuple(random.integers(120, 256, 3).tolist()))
    return image


@pytest.fixture
def photos(tmp_path, monkeypatch):
    random = np.random.default_rng(0)
    for split, count in (("train", 104), ("test", 12)):
        for i in range(count):
            kind = ("disc", "square")[i % 2]
            path = tmp_path / "photos" / split / kind / f"{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            _draw(random, kind).save(path)
    monkeypatch.chdir(tmp_path)
    # One pretrained model, and short trainings: what is tested is that the words hold, not how well.
    every = candidates.cards
    monkeypatch.setattr(candidates, "cards", lambda pattern: every(MODELS))
    monkeypatch.setattr(pretrain, "list_pretrained", lambda: [MODELS])
    monkeypatch.setattr(budget, "epochs", lambda recipe, source, minutes: (1, 0.1))
    monkeypatch.setattr(accuracy, "_STEPS", 20)
    monkeypatch.setattr(accuracy, "_LEAST_EPOCHS", 1)


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.filterwarnings("ignore:int8 calibrated on", "ignore:.*quantises badly")
def test_runs(photos, name):
    names, printed = {"zoo": zoo}, []
    for language, code in re.findall(r"```(python|sh)\n(.*?)```", TEXTS[name], re.DOTALL):
        if language == "python":
            output = io.StringIO()
            with contextlib.redirect_stdout(output):
                exec(compile(code, name, "exec"), names)
            printed.append(output.getvalue())
            continue
        for line in code.splitlines():
            command = shlex.split(line, comments=True)
            if command:
                result = CliRunner().invoke(main, command[1:])
                assert result.exit_code == 0, result.output
                printed.append(result.output)
    assert "Not tried: " in printed[0]
    assert any("Wrote my-encoder. my-encoder reaches accuracy " in text for text in printed)
    assert zoo.lite.load("exported/model.tflite").class_names == ("disc", "square")
    assert set(names["accuracy"]) == {"before", "after"}
    assert printed[-1].splitlines()[-1].split()[0] in ("disc", "square")
