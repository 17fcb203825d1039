"""A page under test, and everything that it asks for and complains about."""

import pathlib

ROOT = pathlib.Path(__file__).parents[2]
WEB = ROOT / "web"


class Visit:
    """One page of one browser context.

    Attributes:
        page: Playwright's page.
        site: address of the served page.
        requests: URLs that it asked for.
        errors: console errors and uncaught exceptions.
    """

    def __init__(self, page, site):
        self.page, self.site = page, site
        self.requests, self.errors = [], []
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("console", lambda message: message.type == "error" and self.errors.append(message.text))
        page.on("pageerror", lambda error: self.errors.append(str(error)))

    def open(self):
        """Load the page until it is ready, and return it."""
        self.page.goto(self.site)
        self.wait()
        return self.page

    def wait(self):
        """Wait until everything is loaded and nothing is being computed."""
        from website.browser import READY

        self.page.wait_for_selector(READY)
