"""The built site in a headless Chromium: `nox -s browser`, or with a site built in build/site

SVEN_REF_SITE=build/site python -m pytest tests/browser

Screenshots go into `screenshots` beside the site. Skipped where there is no site, no playwright or no Chromium.
"""

import os
import shutil
import sys
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import unquote, urldefrag, urljoin

import numpy as np
import pytest

import sven_ref as sr

ROOT = Path(__file__).parent.parent.parent
SITE = Path(os.environ.get("SVEN_REF_SITE", "no site given"))
PAGES = sorted(str(p.relative_to(SITE)) for p in SITE.rglob("*.html")) if SITE.is_dir() else []
sys.path.insert(0, str(ROOT / "docs" / "_ext"))

pytestmark = pytest.mark.skipif(not PAGES, reason="SVEN_REF_SITE names no built site; `nox -s browser` builds one")


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def address():
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(SITE)))
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def chromium():
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install '.[browser]'")
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    path = next(filter(None, map(shutil.which, names)), None)
    if path is None:
        pytest.skip(f"no browser on PATH, none of {', '.join(names)}")
    with api.sync_playwright() as p:
        browser = p.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def shots():
    folder = SITE.parent / "screenshots"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture
def page(chromium, address):
    """A page whose every console error, failed request and request to elsewhere fails the test."""
    context = chromium.new_context(viewport={"width": 1200, "height": 900})
    page = context.new_page()
    wrong = []
    page.on(
        "console", lambda m: wrong.append(f"console: {m.text} {m.location}") if m.type in ("error", "warning") else None
    )
    page.on("pageerror", lambda e: wrong.append(f"error: {e}"))
    page.on("requestfailed", lambda r: wrong.append(f"failed: {r.url}"))
    page.on("response", lambda r: wrong.append(f"{r.status}: {r.url}") if r.status >= 400 else None)
    page.on(
        "request", lambda r: wrong.append(f"elsewhere: {r.url}") if not r.url.startswith((address, "data:")) else None
    )
    yield page
    context.close()
    assert not wrong


@pytest.mark.parametrize("name", PAGES)
def test_page(name, page, address, shots):
    """It loads, its formulas are drawn, it fits a phone, and it is legible in dark and in light."""
    page.goto(address + name)
    assert page.locator("h1").count() >= 1 or name == "search.html"
    sizes = page.eval_on_selector_all(
        "math", "ms => ms.map(m => [m.getBoundingClientRect().height, m.textContent.length])"
    )
    assert all(height > 5 and length > 0 for height, length in sizes)
    if sizes:
        assert page.evaluate("document.fonts.ready.then(() => document.fonts.check('16px \"STIX Two Math\"', 'σ'))")
        assert page.evaluate("[...document.fonts].some(f => f.family.includes('STIX') && f.status === 'loaded')")
    broken = page.eval_on_selector_all("img", "is => is.filter(i => i.complete && !i.naturalWidth).map(i => i.src)")
    assert not broken
    if name.startswith(("index", "play", "spec", "lessons", "exercises", "built/gallery", "design", "api")):
        page.screenshot(path=shots / f"{name.replace('/', '-')}.png", full_page=True)
    page.set_viewport_size({"width": 360, "height": 740})
    if not name.startswith("_modules"):
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
    grounds = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        ground, ink = page.evaluate(
            "[document.body, document.querySelector('article') || document.body].map((e, i) => "
            "getComputedStyle(e)[i ? 'color' : 'backgroundColor'].match(/[\\d.]+/g).slice(0, 3).map(Number))"
        )
        assert contrast(ground, ink) > 7
        grounds.append(ground)
    assert grounds[0] != grounds[1]


def contrast(a, b):
    """WCAG's ratio of two sRGB colours."""

    def luminance(rgb):
        c = np.array(rgb) / 255
        return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4) @ [0.2126, 0.7152, 0.0722]

    dark, light = sorted((luminance(a), luminance(b)))
    return (light + 0.05) / (dark + 0.05)


class Links(HTMLParser):
    """What a page links to and what on it can be linked to."""

    def __init__(self, name):
        super().__init__()
        self.hrefs, self.anchors = [], set()
        self.feed((SITE / name).read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.anchors |= {attrs["id"]} if "id" in attrs else set()
        self.hrefs += [attrs["href"]] if tag == "a" and "href" in attrs else []


def test_no_link_is_broken():
    """Within the site each leads to a page, and to an anchor of it; out of it by https."""
    links = {name: Links(name) for name in PAGES}
    missing = []
    for name, page in links.items():
        for href in page.hrefs:
            url, fragment = urldefrag(urljoin(f"file:///{name}", href))
            if not url.startswith("file:///"):
                if not url.startswith(("https://", "mailto:")):
                    missing.append((name, href))
                continue
            target = unquote(url.removeprefix("file:///")) or "index.html"
            if not (SITE / target).is_file() or (
                fragment and target in links and unquote(fragment) not in links[target].anchors
            ):
                missing.append((name, href))
    assert not missing


def test_search_finds_rtol(page, address, shots):
    page.goto(address + "search.html?q=rtol")
    page.wait_for_selector("#search-results li a")
    found = page.eval_on_selector_all("#search-results li a", "es => es.map(e => e.getAttribute('href'))")
    assert any("spec" in href for href in found)
    assert any("faq" in href for href in found)
    page.screenshot(path=shots / "search.png")


def test_the_sliders_move_the_picture(page, address, shots):
    """By keyboard alone; each slider changes what it should."""
    page.goto(address + "play.html")
    pictures = ("spectrum", "parts", "function", "losses")

    def state():
        return {p: page.inner_html(f"#{p}") for p in pictures} | {"readout": page.inner_text("#readout")}

    for slider, key in (("rtol", "ArrowLeft"), ("kappa", "ArrowRight"), ("eta", "ArrowRight"), ("k", "ArrowLeft")):
        page.focus("#moment")
        while page.evaluate("document.activeElement.id") != slider:
            page.keyboard.press("Tab")
        before = state()
        for _ in range(8 if slider == "rtol" else 9 if slider == "k" else 1):
            page.keyboard.press(key)
        after = state()
        changed = {p for p in after if after[p] != before[p]}
        assert {"readout", "losses"} <= changed, slider
        assert ("spectrum" in changed) == (slider != "eta"), slider
        assert "function" in changed, slider
        assert page.get_attribute(f"#{slider}", "aria-valuetext")
    page.screenshot(path=shots / "play-moved.png", full_page=True)
    page.set_viewport_size({"width": 360, "height": 740})
    page.emulate_media(color_scheme="dark")
    page.screenshot(path=shots / "play-phone-dark.png", full_page=True)


@pytest.mark.parametrize("moment", [0, 1, 2])
@pytest.mark.parametrize(
    ("kappa", "k", "log", "eta"), [(1, 12, -1.5, 0.5), (3, 4, -8, 1.0), (0, 12, -2, 0.3), (4, 9, -3, 3.0)]
)
def test_the_page_takes_the_step_that_the_library_takes(page, address, moment, kappa, k, log, eta):
    """Rank, length, and the losses before, predicted and after, to the three digits that are shown."""
    import play

    page.goto(address + "play.html")
    for name, value in (("k", k), ("rtol", log), ("kappa", kappa), ("eta", eta)):
        page.eval_on_selector(f"#{name}", "(e, v) => { e.value = v; e.dispatchEvent(new Event('input')) }", str(value))
    page.select_option("#moment", str(moment))
    shown = {n: float(page.inner_text(f"#out-{n}")) for n in ("rank", "length", "before", "predicted", "actual")}

    power, theta = play.KAPPAS[kappa], play.thetas()[moment]
    problem, batch = play.problem(power), play.batch()
    new, info = sr.step(problem, theta, batch, lr=eta, k=k, rtol=10**log, solver="dense")
    J = problem.jacobian(theta, batch)
    predicted = info.residuals - J @ (theta - new)
    expected = {
        "rank": info.rank,
        "length": info.update_norm,
        "before": problem.losses(theta, batch).sum(),
        "predicted": np.sum(np.abs(predicted) ** (2 / power)),
        "actual": problem.losses(new, batch).sum(),
    }
    assert shown == pytest.approx(expected, rel=6e-3, abs=1e-10)
