"""The machine's own Chromium, driven by Playwright: for the tests, and for the picture in the README."""

import contextlib
import shutil

from zoo.core.errors import DataNotFoundError

# Of an open page: everything is loaded, nothing is being computed.
READY = "#app[data-state=ready][aria-busy=false]"
_NAMES = ("chromium", "chromium-browser", "google-chrome")
_FLAGS = (
    "--no-sandbox",  # root cannot start it otherwise; it opens nothing but this page
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@contextlib.contextmanager
def chromium():
    """Yield a headless Playwright browser with an empty profile.

    Raises:
        DataNotFoundError: Chromium or Playwright is not installed.
    """
    path = next(filter(None, map(shutil.which, _NAMES)), None)
    if path is None:
        raise DataNotFoundError(
            f"No browser found: looked for {', '.join(_NAMES)}. Install one (Debian: apt-get install chromium)."
        )
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        raise DataNotFoundError("Playwright is not installed: pip install playwright.") from None
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=_FLAGS)
        try:
            yield browser
        finally:
            browser.close()
