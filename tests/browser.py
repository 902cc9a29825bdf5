"""Pages as a browser shows them: headless Chromium, at the width of a phone and of a desktop."""

import os
import pathlib
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

WIDTHS = {"phone": 390, "desktop": 1280}  # px
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-background-networking "
    "--disable-component-update --disable-sync --no-first-run"
)


def start() -> Iterator[Any]:
    """The system's Chromium; where it is absent the test skips, except in CI."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        message = "needs Chromium: apt-get install chromium"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=FLAGS.split())
        yield started
        started.close()


def faults(browser: Any, url: str, screenshots: pathlib.Path, patience: float = 5_000) -> list[str]:
    """What is wrong with a page: errors, requests outside, content wider than the window.

    Panels have `patience` (ms) to slide to their new places.
    """
    found = []
    page = browser.new_page()

    def on_request(route: Any) -> None:
        if route.request.url.startswith(("file:", "data:", "blob:", "http://127.0.0.1:")):
            route.continue_()
        else:
            found.append(f"requests {route.request.url}")
            route.abort()

    page.route("**/*", on_request)
    page.on("console", lambda m: m.type in ("error", "warning") and found.append(m.text))
    page.on("pageerror", lambda error: found.append(str(error)))
    page.on("requestfailed", lambda request: found.append(f"failed: {request.url}"))
    page.goto(url, wait_until="networkidle")
    for name, width in WIDTHS.items():
        page.set_viewport_size({"width": width, "height": 900})
        if not _fits(page, patience):
            needed = page.evaluate("document.scrollingElement.scrollWidth")
            found.append(f"{needed} px wide in a window of {width} px")
        picture = screenshots / f"{name}.png"
        page.screenshot(path=picture)
        found += [] if picture.stat().st_size > 10_000 else [f"an empty screenshot: {picture}"]
    broken = "[...document.images].filter(i => i.complete && !i.naturalWidth).map(i => i.alt)"
    found += [f"no picture: {alt}" for alt in page.evaluate(broken)]
    page.close()
    return found


def _fits(page: Any, patience: float) -> bool:
    """Whether nothing is wider than the window, once panels have slid to their new places."""
    from playwright.sync_api import TimeoutError as Late

    try:
        fits = "document.scrollingElement.scrollWidth <= innerWidth"
        page.wait_for_function(fits, timeout=patience)
    except Late:
        return False
    return True
