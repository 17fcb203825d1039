"""A real Chromium on the page that `scripts/web.py build` has made: `make test-web` does both."""

import threading

import pytest
from website import browser, server

from tests.web.visiting import WEB, Visit


@pytest.fixture(scope="session")
def chromium():
    with browser.chromium() as opened:
        yield opened


@pytest.fixture(scope="session")
def site():
    """Address of the served page."""
    with server.open_server(WEB) as opened:
        threading.Thread(target=opened.serve_forever, daemon=True).start()
        yield server.address(opened)
        opened.shutdown()


@pytest.fixture
def visit(chromium, site):
    """Function that makes a `Visit`, with Playwright's options of a browser context.

    At the end of the test no visit may have asked another host for anything, nor have complained about anything that
    the test has not taken out of `errors`.
    """
    contexts, visits = [], []

    def make(**options):
        context = chromium.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
        contexts.append(context)
        visits.append(Visit(context.new_page(), site))
        return visits[-1]

    yield make
    for made in visits:
        assert made.requests
        assert [url for url in made.requests if not url.startswith(site)] == []
        assert made.errors == []
    for context in contexts:
        context.close()
