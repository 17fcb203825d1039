"""A real Chromium on the page that `scripts/web.py build` has made: `make test-web` does both."""

import pathlib
import sys
import threading

import pytest

ROOT = pathlib.Path(__file__).parents[2]
WEB = ROOT / "web"
sys.path.insert(0, str(ROOT / "scripts"))
from website import browser, server  # noqa: E402
from website.browser import READY  # noqa: E402


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


class Visit:
    """A page, and everything that it asked for and complained about."""

    def __init__(self, page, site):
        self.page, self.site = page, site
        self.requests, self.errors = [], []
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("console", lambda message: message.type == "error" and self.errors.append(message.text))
        page.on("pageerror", lambda error: self.errors.append(str(error)))

    def open(self):
        self.page.goto(self.site)
        self.wait()
        return self.page

    def wait(self):
        self.page.wait_for_selector(READY)


@pytest.fixture
def visit(chromium, site):
    """Function that makes a `Visit`, with Playwright's options of a browser context. At the end of the test no visit
    may have asked another host for anything, nor logged an error unless the test has taken it out of `errors`."""
    contexts, visits = [], []

    def make(**options):
        context = chromium.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
        contexts.append(context)
        context.set_default_timeout(30_000)
        visits.append(Visit(context.new_page(), site))
        return visits[-1]

    yield make
    for made in visits:
        assert made.requests
        assert [url for url in made.requests if not url.startswith(site)] == []
        assert made.errors == []
    for context in contexts:
        context.close()
