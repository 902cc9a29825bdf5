"""The site as a browser shows it: no error, nothing from elsewhere, nothing wider than a phone."""

import functools
import http.server
import pathlib
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.browser import WIDTHS, faults

PAGES = (
    "",
    "bring_your_own_recording/",
    "published_recordings/",
    "options/",
    "methods/",
    "results/",
    "gallery/",
    "gallery/first_reconstruction/",
    "api/",
    "api/evaluation/",
    "engineers/",
)


@pytest.fixture(scope="module")
def address(site: pathlib.Path) -> Iterator[str]:
    """Where the site is served, on this machine only."""
    handler = functools.partial(Quiet, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves files without a line per request."""

    def log_message(self, format: str, *args: Any) -> None:
        """Prints nothing."""


@pytest.mark.parametrize("path", PAGES)
def test_pages_of_the_site(browser, address, tmp_path, path):
    assert faults(browser, address + path, tmp_path) == []


def test_searching_the_site_finds_a_page(browser, address):
    page = browser.new_page(viewport={"width": WIDTHS["desktop"], "height": 900})
    page.goto(address)
    page.fill("input.md-search__input", "identification")
    page.wait_for_selector(".md-search-result__item a", timeout=30_000)
    page.close()


def test_faults_are_found(browser, tmp_path):
    """The checks themselves: a page with each of the faults fails."""
    page = tmp_path / "page.html"
    page.write_text(
        '<meta name="viewport" content="width=device-width"><div style="width: 2000px">wide</div>'
        '<img src="https://example.invalid/x.png" alt="far"><script>nothing.at.all</script>'
    )
    found = " ".join(faults(browser, page.as_uri(), tmp_path, patience=300))
    assert "requests https://example.invalid/x.png" in found and "px wide" in found
    assert "nothing is not defined" in found and "no picture: far" in found
