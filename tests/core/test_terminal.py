import io
import sys

from zoo.core import terminal


class _Terminal(io.StringIO):
    def isatty(self):
        return True


def _shown(monkeypatch, stream, steps=(1, 2)):
    monkeypatch.setattr(sys, "stderr", stream)
    with terminal.progress(4, "reading", "images") as advance:
        for count in steps:
            advance(count)
    return stream.getvalue()


def test_progress_in_a_terminal(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setattr(terminal, "_SECONDS_BEFORE_PROGRESS", 0)
    monkeypatch.setattr(terminal, "_SECONDS_BETWEEN_DRAWINGS", 0)
    shown = _shown(monkeypatch, _Terminal())
    assert "reading" in shown
    assert "1/4" in shown
    assert "3/4" in shown
    assert "images" in shown


def test_no_progress_for_short_work_or_a_file(monkeypatch):
    assert _shown(monkeypatch, _Terminal()) == ""
    monkeypatch.setattr(terminal, "_SECONDS_BEFORE_PROGRESS", 0)
    assert _shown(monkeypatch, io.StringIO()) == ""
