"""The built site is complete: every page is there, and every link leads somewhere."""

import functools
import pathlib
from html.parser import HTMLParser
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

import pytest

BASE = "http://site.invalid/"
OURS = "site.invalid"


class Page(HTMLParser):
    """The addresses that a page refers to, and the anchors that it offers."""

    def __init__(self, path: pathlib.Path):
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.anchors = {""}
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        values = {name: value or "" for name, value in attrs}
        self.anchors |= {values.get("id", ""), values.get("name", "")}
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        if tag == "link" and values.get("rel") in ("stylesheet", "icon", "preload", "preconnect"):
            self.loads.append(values["href"])
        if tag in ("img", "script", "source", "iframe") and "src" in values:
            self.loads.append(values["src"])


@pytest.fixture(scope="module")
def pages(site: pathlib.Path) -> dict[str, Page]:
    """Address within the site -> page."""
    found = sorted(path for path in site.rglob("*.html") if path.name != "404.html")
    return {path.relative_to(site).as_posix(): Page(path) for path in found}


def test_the_navigation_holds_what_a_reader_looks_for(pages):
    expected = ("", "bring_your_own_recording/", "published_recordings/", "eight_numbers/")
    expected += ("methods/", "results/", "gallery/", "api/", "engineers/", "benchmarks/")
    start = {urljoin(BASE, link) for link in pages["index.html"].links}
    assert {urljoin(BASE, address) for address in expected} <= start


def test_options_are_listed_with_their_pictures(site):
    text = (site / "options" / "index.html").read_text(encoding="utf-8")
    assert "<code>noise_scaling</code>" in text and "<code>discriminator_width</code>" in text
    for name in ("split", "cluster", "validation", "average_repeats", "noise_scaling"):
        assert f"pictures/options/{name}.svg" in text
        assert b"</svg>" in (site / "pictures" / "options" / f"{name}.svg").read_bytes()


def test_every_link_resolves(site, pages):
    anchors = functools.cache(lambda path: Page(path).anchors)
    checked = 0
    for address, page in pages.items():
        for link in page.links:
            target, anchor = urldefrag(urljoin(BASE + address, link))
            if urlsplit(target).netloc != OURS:
                assert target.startswith(("https://", "http://")), f"{address} links to {link}"
                continue
            path = site / unquote(urlsplit(target).path).lstrip("/")
            path = path / "index.html" if path.is_dir() else path
            assert path.is_file(), f"{address} links to {link}, and there is no {path}"
            if path.suffix == ".html":
                assert unquote(anchor) in anchors(path), f"{address} links to {link}: no anchor"
            checked += 1
    assert checked > 500


def test_pages_load_nothing_from_elsewhere(site, pages):
    for address, page in pages.items():
        assert page.loads
        for link in page.loads:
            target = urlsplit(urljoin(BASE + address, link))
            assert target.netloc == OURS, f"{address} loads {link}"
            assert (site / unquote(target.path).lstrip("/")).is_file(), f"{address} loads {link}"


def test_every_package_has_its_reference(pages):
    root = pathlib.Path(__file__).parents[2] / "fmri_jax"
    for package in {path.parent.name for path in root.glob("*/__init__.py")}:
        anchors = pages[f"api/{package}/index.html"].anchors
        assert f"fmri_jax.{package}" in {anchor[: len(f"fmri_jax.{package}")] for anchor in anchors}
    assert (
        "fmri_jax.evaluation.identification.pairwise" in pages["api/evaluation/index.html"].anchors
    )
