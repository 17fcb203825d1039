"""The picture of the page in the README."""

import io

from PIL import Image

from website.browser import READY, chromium

_WINDOW = {"width": 1240, "height": 900}
_WIDTH = 1000  # of the picture


def take(url, path):
    """Open the page at `url`, let the denoiser clean a noisy digit, and write what it looks like to a PNG file."""
    with chromium() as browser:
        page = browser.new_page(viewport=_WINDOW, color_scheme="light", device_scale_factor=2, reduced_motion="reduce")
        page.goto(url)
        page.wait_for_selector(READY)
        page.get_by_label("Denoiser").check()
        page.wait_for_selector(READY)
        page.locator("#noise").fill("0.5")
        page.wait_for_selector(READY)
        content = page.screenshot(full_page=True)
    picture = Image.open(io.BytesIO(content)).convert("RGB")
    picture = picture.resize((_WIDTH, round(picture.height * _WIDTH / picture.width)), Image.Resampling.LANCZOS)
    picture.quantize(256, Image.Quantize.MAXCOVERAGE, kmeans=3, dither=Image.Dither.NONE).save(path, optimize=True)
