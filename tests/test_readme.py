import pathlib
import subprocess
import sys

import pytest

import zoo

ROOT = pathlib.Path(__file__).parents[1]


def test_the_table_of_sets_agrees_with_the_cards():
    command = [sys.executable, ROOT / "scripts" / "update_readme.py", "--check"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def test_the_demo_s_output_and_picture_are_there():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "points against logistic regression, pixels: better in" in text
    assert (ROOT / "docs" / "demo.png").read_bytes().startswith(b"\x89PNG")


def test_published_weights_are_never_replaced_under_the_same_version(monkeypatch):
    """versions.csv only grows: other weights under a known name and version are refused."""
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    import update_readme

    known = update_readme.VERSIONS.read_text(encoding="utf-8")
    assert update_readme.versions(known) == known
    old = "an-old-set,1," + "0" * 64 + "\n"
    assert update_readme.versions(known + old) == known + old
    digest = zoo.card("mnist-feed-forward-8").sha256
    with pytest.raises(
        SystemExit, match=r"mnist-feed-forward-8 has other weights .* write version = 2 into its recipe"
    ):
        update_readme.versions(known.replace(digest, "0" * 64))
