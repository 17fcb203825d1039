import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).parents[1]


def test_the_table_of_sets_agrees_with_the_cards():
    command = [sys.executable, ROOT / "scripts" / "update_readme.py", "--check"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def test_the_demo_s_output_and_picture_are_there():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "points against logistic regression, pixels: better in" in text
    assert (ROOT / "docs" / "demo.png").read_bytes().startswith(b"\x89PNG")
