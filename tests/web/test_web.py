"""The page in a real browser: its numbers are those of the Python runtime, and people can use it."""

import json
import re

import numpy as np
import pytest

import zoo
from tests.web.visiting import ROOT, WEB

SHOWN = [
    "mnist-convolutional-16",
    "mnist-deep-feed-forward-16",
    "mnist-denoising-gaussian-32",
    "mnist-denoising-affine-gaussian-64",
    "mnist-sparse-topk-1000",
]
COUNT = 24  # images whose numbers are compared
RUN = """async ([path, signature, samples]) => {
    const {Model} = await import("./runtime.js");
    const model = await Model.load(new Uint8Array(await (await fetch(path)).arrayBuffer()));
    const outputs = [];
    for (const sample of samples) outputs.push([...await model.run(signature, Float32Array.from(sample))]);
    model.delete();
    return outputs;
}"""
HEAP = """async (path) => {
    const {liteRtWasm} = (await import("./vendor/litert.js")).getGlobalLiteRt();
    const {Model} = await import("./runtime.js");
    const model = await Model.load(new Uint8Array(await (await fetch(path)).arrayBuffer()));
    const before = liteRtWasm.HEAPU8.length;
    for (let run = 0; run < 10000; run++) await model.run("encode", new Float32Array(784));
    return [before, liteRtWasm.HEAPU8.length];
}"""
GREY = """id => {
    const {data} = document.getElementById(id).getContext("2d").getImageData(0, 0, 28, 28);
    return Array.from({length: 784}, (_, index) => data[4 * index]);
}"""


@pytest.fixture(scope="module")
def catalog():
    return json.loads((WEB / "models" / "models.json").read_text())


@pytest.fixture(scope="module")
def digits(catalog):
    """The test digits of the map, float32 (samples, 28, 28, 1)."""
    pixels = np.fromfile(WEB / "models" / "digits.bin", "uint8").reshape(-1, 28, 28, 1)
    assert len(pixels) == len(catalog["labels"])
    return pixels.astype("float32") / np.float32(255)


def lite(name, precision):
    return zoo.lite.load(WEB / "models" / name / f"{precision}.tflite")


def choose(made, name, precision="float32"):
    for value in (name, precision):
        made.page.locator(f"label:has(input[value='{value}'])").click()
    made.wait()


def status(page):
    return page.inner_text("#status")


def grey(page, canvas):
    return np.array(page.evaluate(GREY, canvas))


def score(page):
    return float(re.search(r"score ([\d.]+)", page.inner_text("#score-text"))[1])


def as_grey(pixels):
    """What the page shows for pixels in [0, 1]."""
    return np.floor(255 * pixels.ravel().astype("float64") + 0.5)


def same_numbers(page, name, precision, digits):
    """Compare every signature of a file in the page's runtime and in Python's; returns what was compared."""
    model = lite(name, precision)
    images = digits[:: len(digits) // COUNT][:COUNT]
    latent = model.encode(images)
    compared = []
    for signature, inputs in {"encode": images, "decode": latent, "reconstruct": images, "score": images}.items():
        expected = getattr(model, signature)(inputs)
        samples = inputs.reshape(COUNT, -1).tolist()
        outputs = page.evaluate(RUN, [f"models/{name}/{precision}.tflite", signature, samples])
        outputs = np.array(outputs, "float32").reshape(expected.shape)
        assert np.ptp(expected) > 1e-3
        if precision == "float32":
            np.testing.assert_allclose(outputs, expected, rtol=0, atol=1e-5, err_msg=signature)
        elif signature == "score":  # a sum of floats, in another order
            np.testing.assert_array_max_ulp(outputs, expected, maxulp=8)
        else:
            np.testing.assert_array_equal(outputs, expected, err_msg=signature)
        compared.append((signature, len(outputs)))
    return compared


def test_the_page_offers_every_set_with_its_own_threshold(catalog):
    assert [entry["name"] for entry in catalog["models"]] == SHOWN
    for entry in catalog["models"]:
        for precision, file in entry["files"].items():
            model = lite(entry["name"], precision)
            assert file["bytes"] == (WEB / "models" / file["path"]).stat().st_size
            assert entry["threshold"] == model.threshold
            assert entry["latent_shape"] == list(model.latent_shape)
            # A hundredth of the test digits is above: exactly so with the file that the threshold was set for.
            count = entry["tested_on"]
            allowed = 1e-9 if precision == "float32" else max(0.002, 2 / count)
            assert file["above"] == pytest.approx((count // 100) / count, abs=allowed)
        assert entry["files"]["int8"]["bytes"] < 0.4 * entry["files"]["float32"]["bytes"]


@pytest.mark.parametrize("name", SHOWN)
def test_numbers_equal_python_s(visit, digits, name):
    page = visit().open()
    every = [(signature, COUNT) for signature in ("encode", "decode", "reconstruct", "score")]
    assert same_numbers(page, name, "float32", digits) == every
    assert same_numbers(page, name, "int8", digits) == every


def test_numbers_without_relaxed_simd(visit, digits):
    """Older browsers get the other build of the runtime."""
    made = visit()
    made.page.add_init_script(
        "const original = WebAssembly.instantiate;"
        "WebAssembly.instantiate = (bytes, ...rest) => bytes.byteLength < 1000"
        "    ? Promise.reject(new Error('not here')) : original(bytes, ...rest);"
    )
    page = made.open()
    assert any("compat" in url for url in made.requests)
    assert not any("litert_wasm_internal" in url for url in made.requests)
    same_numbers(page, SHOWN[0], "float32", digits)
    same_numbers(page, SHOWN[0], "int8", digits)


def test_running_leaks_no_memory(visit):
    """Nobody but the page frees the runtime's tensors: 10,000 leaked inputs would take 31 MB."""
    page = visit().open()
    before, after = page.evaluate(HEAP, f"models/{SHOWN[1]}/int8.tflite")
    assert 0 < before == after


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_what_is_shown(visit, catalog, digits, precision):
    """Every model's pictures, score, verdict, size and neighbours, for a digit and for a hash sign."""
    made = visit()
    page = made.open()
    for entry in catalog["models"]:
        choose(made, entry["name"], precision)
        model = lite(entry["name"], precision)
        page.locator("#pad").press("5")
        made.wait()
        index = catalog["labels"].index(5)
        digit = digits[index]
        np.testing.assert_array_equal(grey(page, "seen"), as_grey(digit))
        np.testing.assert_allclose(grey(page, "rebuilt"), as_grey(model.reconstruct(digit)), atol=1)
        assert score(page) == pytest.approx(model.score(digit), abs=0.000051)
        assert page.inner_text("#verdict") == ("Not normal" if model.is_anomaly(digit) else "Normal")
        assert page.inner_text("#size") == f"{entry['files'][precision]['bytes'] / 1000:,.0f} kB"
        assert 0 < float(page.inner_text("#time").removesuffix(" ms")) < 500
        assert f"{np.prod(model.latent_shape):,} numbers" in page.inner_text("#latent-text")

        latents = model.encode(digits).reshape(len(digits), -1).astype("float64")
        distances = ((latents - latents[index]) ** 2).sum(axis=1)
        nearest = [i for i in np.argsort(distances, kind="stable") if distances[i] > 0][:7]
        shown = page.evaluate(
            "[...document.querySelectorAll('#neighbours canvas')].map(c => [...c.getContext('2d')"
            ".getImageData(0, 0, 28, 28).data].filter((_, i) => i % 4 === 0))"
        )
        np.testing.assert_array_equal(shown, [as_grey(digits[i]) for i in nearest])

        page.click("#hash")
        made.wait()
        assert page.inner_text("#verdict") == "Not normal"
        assert status(page).startswith("Not like the digits")
        assert score(page) > entry["threshold"]


def test_noise_and_denoising(visit, catalog, digits):
    """The denoiser undoes most of the noise; the numbers are those of Python for the same noise."""
    made = visit()
    page = made.open()
    choose(made, "mnist-denoising-gaussian-32")
    page.locator("#pad").press("2")
    made.wait()
    assert page.inner_text("#denoising") == ""
    page.locator("#noise").fill("0.5")
    made.wait()
    noise = page.evaluate("async () => [...(await import('./noise.js')).normals(784)]")
    assert abs(np.mean(noise)) < 0.1
    assert np.std(noise) == pytest.approx(1, abs=0.07)
    assert abs(np.corrcoef(noise[:-1], noise[1:])[0, 1]) < 0.1
    digit = digits[catalog["labels"].index(2)]
    noisy = digit + np.float32(0.5) * np.array(noise, "float32").reshape(28, 28, 1)
    # The noise leaves [0, 1], as in training: the runtime itself takes it, `reconstruct` would not.
    rebuilt = lite("mnist-denoising-gaussian-32", "float32")._runtime.run("reconstruct", noisy[None])[0]
    before, after = (float(x) for x in re.findall(r"\d\.\d+", page.inner_text("#denoising")))
    assert before == pytest.approx(np.mean((noisy - digit) ** 2), abs=0.0002)
    assert after == pytest.approx(np.mean((rebuilt - digit) ** 2), abs=0.0002)
    assert after < before / 8
    np.testing.assert_allclose(grey(page, "seen"), as_grey(np.clip(noisy, 0, 1)), atol=1)


def test_a_drawing_is_framed_as_mnist_s_digits(visit):
    """Wherever and however large it is: 20 pixels on the longer side, its centre of mass at pixel (14, 14)."""
    page = visit().open()
    frame = """async ([ink, width, height]) =>
        [...(await import('./framing.js')).framed(Float32Array.from(ink), width, height)]"""
    for top, left, height, width in ((20, 30, 120, 40), (150, 100, 60, 100), (3, 5, 270, 270)):
        ink = np.zeros((280, 300), "float32")
        ink[top : top + height, left : left + width] = 1
        result = np.array(page.evaluate(frame, [ink.ravel().tolist(), 300, 280])).reshape(28, 28)
        rows, columns = (result.sum(axis=axis) for axis in (1, 0))
        size = max(height, width)
        assert rows.max() == pytest.approx(20 * width / size, rel=1e-3)
        assert columns.max() == pytest.approx(20 * height / size, rel=1e-3)
        for line in (rows, columns):
            assert line @ np.arange(28) / line.sum() == pytest.approx(14, abs=1e-3)
    assert not np.any(page.evaluate(frame, [np.zeros(100).tolist(), 10, 10]))


def draw_by_mouse(page):
    box = page.locator("#pad").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"]
    page.mouse.move(x, y + 0.2 * box["height"])
    page.mouse.down()
    page.mouse.move(x, y + 0.8 * box["height"], steps=8)
    page.mouse.up()


def draw_by_keyboard(page):
    pad = page.locator("#pad")
    pad.focus()
    for key in [*["ArrowUp"] * 12, "Space", *["ArrowDown"] * 24, "Space", "ArrowRight"]:
        pad.press(key)


def draw_by_finger(page):
    box = page.locator("#pad").bounding_box()
    touch = page.context.new_cdp_session(page)

    def send(kind, *share):
        points = [{"x": box["x"] + box["width"] / 2, "y": box["y"] + s * box["height"]} for s in share]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    send("touchStart", 0.2)
    for share in np.linspace(0.25, 0.8, 8):
        send("touchMove", float(share))
    send("touchEnd")


@pytest.mark.parametrize(
    ("draw", "options"),
    [
        (draw_by_mouse, {}),
        (draw_by_keyboard, {}),
        (draw_by_finger, {"has_touch": True, "is_mobile": True, "viewport": {"width": 360, "height": 740}}),
    ],
)
def test_a_stroke_is_a_one_and_can_be_cleared(visit, draw, options):
    made = visit(**options)
    page = made.open()
    page.click("#clear")
    made.wait()
    assert status(page) == "Ready. Draw a digit."
    assert not grey(page, "seen").any()
    page.locator("#pad").scroll_into_view_if_needed()
    before = page.evaluate("scrollY")
    draw(page)
    page.wait_for_selector("#status:has-text('Looks like a 1:')")
    seen, rebuilt = (grey(page, canvas).reshape(28, 28) for canvas in ("seen", "rebuilt"))
    # An upright stroke: of 20 rows, in the middle columns; and the network rebuilds it there.
    assert 18 <= (seen.max(axis=1) > 128).sum() <= 21
    assert set(np.flatnonzero(seen.max(axis=0) > 128)) <= {12, 13, 14, 15, 16}
    assert rebuilt[8:20, 12:17].mean() > 100
    assert rebuilt[:, :8].max() < 30
    assert page.inner_text("#verdict") == "Normal"
    assert page.evaluate("scrollY") == before
    page.locator("#pad").press("Backspace")
    made.wait()
    assert status(page) == "Ready. Draw a digit."
    assert page.inner_text("#verdict") == "Nothing drawn yet"


def test_a_stroke_follows_the_pointer(visit):
    """Down and to the right: an L, with nothing between its ends."""
    made = visit()
    page = made.open()
    page.click("#clear")
    box = page.locator("#pad").bounding_box()
    path = [(0.3, 0.2), (0.3, 0.8), (0.7, 0.8)]
    (x, y), *others = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in path]
    page.mouse.move(x, y)
    page.mouse.down()
    for x, y in others:
        page.mouse.move(x, y, steps=6)
    page.mouse.up()
    page.mouse.move(box["x"] + 5, box["y"] + 5)  # the pen is up
    made.wait()
    seen = grey(page, "seen").reshape(28, 28) > 128
    rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    shape = seen[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    assert shape[:, 0:2].mean() > 0.9
    assert shape[-2:].mean() > 0.9
    assert not shape[:-4, 4:].any()


def test_a_test_digit_can_be_drawn_on(visit):
    made = visit()
    page = made.open()
    page.get_by_label("Test digit 7").click()
    made.wait()
    seven = grey(page, "seen")
    assert status(page).startswith("Looks like a 7")
    draw_by_mouse(page)
    made.wait()
    assert (grey(page, "seen") != seven).any()


def test_a_click_on_the_map_takes_that_digit(visit, catalog, digits):
    made = visit()
    page = made.open()
    page.click("#map", position={"x": 40, "y": 200})
    made.wait()
    known = [as_grey(digit) for digit in digits]
    left = next(i for i, digit in enumerate(known) if (digit == grey(page, "seen")).all())
    entry = catalog["models"][0]
    latents = lite(entry["name"], "float32").encode(digits)
    places = (latents - entry["projection"]["mean"]) @ np.array(entry["projection"]["axes"]).T
    # It lies in the left quarter of the map.
    assert (places[left, 0] - places[:, 0].min()) / np.ptp(places[:, 0]) < 0.25


def test_every_control_is_reached_by_tab(visit):
    page = visit().open()
    reached = set()
    for _ in range(25):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("(({id, name, ariaLabel}) => id || name || ariaLabel)(document.activeElement)"))
    buttons = {f"Test digit {digit}" for digit in range(10)}
    assert reached >= {"model", "precision", "pad", "clear", "hash", "noise", *buttons}
    page.locator("input[name=model]:checked").press("ArrowRight")
    page.wait_for_selector("#app[data-state=ready][aria-busy=false]")
    assert page.locator("input[name=model]:checked").input_value() == SHOWN[1]
    assert "deep feed-forward" in page.inner_text("#description")


@pytest.mark.parametrize("width", [320, 360, 768, 1280])
def test_no_sideways_scrolling(visit, width):
    made = visit(viewport={"width": width, "height": 740})
    page = made.open()
    choose(made, SHOWN[-1])  # the longest texts
    page.locator("#noise").fill("1")
    made.wait()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    cards = page.evaluate("[...document.querySelectorAll('.card, .card *')].map(e => e.getBoundingClientRect().right)")
    assert max(cards) <= width


CONTRASTS = """() => {
    const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
    const light = (colour) => {
        const [r, g, b] = numbers(colour).map((c) => c / 255)
            .map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const ratio = (a, b) => (Math.max(light(a), light(b)) + 0.05) / (Math.min(light(a), light(b)) + 0.05);
    const ground = (element) => {
        const colour = getComputedStyle(element).backgroundColor;
        return numbers(colour)[3] === 0 ? ground(element.parentElement) : colour;
    };
    const found = {};
    for (const element of document.querySelectorAll("body, body *")) {
        const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
        if (!own || !element.checkVisibility()) continue;
        let opacity = 1;
        for (let e = element; e; e = e.parentElement) opacity *= getComputedStyle(e).opacity;
        const name = `${element.tagName} ${element.id} ${element.textContent.trim().slice(0, 20)}`;
        found[name] = opacity < 1 ? 0 : ratio(getComputedStyle(element).color, ground(element));
    }
    const probe = document.createElement("i");
    document.querySelector(".map").append(probe);
    for (let digit = 0; digit < 10; digit++) {
        probe.style.color = `var(--digit-${digit})`;
        found[`digit ${digit} of the map`] = ratio(getComputedStyle(probe).color, ground(probe));
    }
    return found;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast(visit, scheme):
    """At least 4.5:1 (WCAG 2, level AA) for every text, in both themes, normal and not, ready and failed."""
    made = visit(color_scheme=scheme)
    page = made.open()
    page.locator("#noise").fill("0.1")
    made.wait()
    found = page.evaluate(CONTRASTS)
    page.click("#hash")
    made.wait()
    found |= page.evaluate(CONTRASTS)
    page.route("**/int8.tflite", lambda route: route.fulfill(status=404))
    page.locator("label:has(input[value='int8'])").click()
    page.wait_for_selector("#app[data-state=failed]")
    found |= page.evaluate(CONTRASTS)
    made.errors.clear()
    assert {"STRONG verdict Normal", "STRONG verdict Not normal", "digit 9 of the map"} <= set(found)
    assert any("failure" in name for name in found)
    assert len(found) > 50
    assert {name: ratio for name, ratio in found.items() if ratio < 4.5} == {}


def failure(made, prepare):
    """Open the page after `prepare` has broken something, and return what it says."""
    prepare(made.page)
    made.page.goto(made.site)
    made.page.wait_for_selector("#app[data-state=failed]")
    assert made.page.locator("#failure").is_visible()
    assert status(made.page) == "Not ready."
    return made.page.inner_text("#failure")


def test_without_webassembly(visit):
    text = failure(visit(), lambda page: page.add_init_script("delete window.WebAssembly"))
    assert text.startswith("This browser has no WebAssembly, or it is switched off")


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("**/models.json", 'The list of models is missing (models/models.json). Run "make web" to build it'),
        ("**/litert.js", 'The runtime LiteRT.js is missing. Run "make web" to fetch it'),
        ("**/*.wasm", "The runtime is missing"),
        ("**/digits.bin", "The file of test digits is missing"),
        ("**/float32.tflite", f"The model Convolutional, float32 is missing (models/{SHOWN[0]}/float32.tflite)."),
    ],
)
def test_a_missing_file(visit, pattern, text):
    made = visit()
    assert failure(made, lambda page: page.route(pattern, lambda route: route.fulfill(status=404))).startswith(text)
    assert all("404" in error for error in made.errors)  # the browser's own line about the answer
    made.errors.clear()


def test_a_damaged_model_and_going_on_with_another(visit, catalog):
    made = visit()
    size = catalog["models"][0]["files"]["float32"]["bytes"]
    for body, text in ((b"\0" * 1000, f"has 1000 bytes, expected {size}"), (b"\0" * size, "not a model")):
        assert text in failure(made, lambda page, b=body: page.route("**/float32.tflite", lambda r: r.fulfill(body=b)))
        made.page.unroute_all()
        made.errors.clear()
        choose(made, SHOWN[0], "int8")
        assert made.page.locator("#failure").is_hidden()
        assert status(made.page).startswith("Looks like a 3")


def test_loading_is_told_and_drawing_meanwhile_is_kept(visit):
    made = visit()
    page = made.page
    held = []
    page.route("**/digits.bin", lambda route: held.append(route))
    page.goto(made.site)
    page.wait_for_selector("#status:has-text('of 9.')")
    assert re.fullmatch(r"Loading the runtime: \d\.\d of \d\.\d MB …", status(page))
    assert page.locator("#progress").is_visible()
    assert page.get_attribute("#app", "aria-busy") == "true"
    draw_by_mouse(page)
    held[0].continue_()
    made.wait()
    assert status(page).startswith("Looks like a 1")
    assert page.locator("#progress").is_hidden()


def test_the_newest_choice_wins(visit, catalog):
    """Chosen while another model is still on its way, which then arrives."""
    made = visit()
    page = made.open()
    held = []
    page.route(f"**/{SHOWN[1]}/float32.tflite", lambda route: held.append(route))
    page.locator(f"label:has(input[value='{SHOWN[1]}'])").click()
    page.wait_for_selector("#app[data-state=loading]")
    choose(made, SHOWN[2])
    size = page.inner_text("#size")
    held[0].continue_()
    page.wait_for_timeout(500)
    assert page.inner_text("#size") == size == f"{catalog['models'][2]['files']['float32']['bytes'] / 1000:,.0f} kB"


def test_readme_shows_the_page():
    picture = ROOT / "docs" / "web.png"
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert picture.stat().st_size < 150_000
    assert "docs/web.png" in (ROOT / "README.md").read_text(encoding="utf-8")
