"""MkDocs hook: pages that are written elsewhere appear in the site without a second copy.

The start page is the README; the API reference has one page per package, found by looking at the
folders; the gallery lists the pages that `make gallery` wrote; the page of options gets its tables
from the source, and its pictures from `option_pictures`.
"""

import ast
import os
import pathlib
import re
import sys
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = pathlib.Path(__file__).parents[2]
sys.path[:0] = [
    str(ROOT),
    str(pathlib.Path(__file__).parent),
]  # the checkout's

import option_pictures  # noqa: E402

from fmri_jax.pipeline import option_reference  # noqa: E402

DOCS, PACKAGE = ROOT / "docs", ROOT / "fmri_jax"
# File of the project -> page of the site.
COPIES = {
    "README.md": "index.md",
    "BUILD.md": "engineers.md",
    "benchmarks/README.md": "benchmarks.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
}
OPTIONS = "<!-- options -->"  # stands where the tables of all options are to stand
LINK = re.compile(r"\[(?P<label>[^\]]*)\]\((?P<target>[^)#\s:]+)(?P<anchor>#[^)]*)?\)")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Replaces the folders of the navigation, `api/` and `gallery/`, by their pages."""
    folders = {"api/": ["api/index.md", *(f"api/{name}.md" for name in packages())]}
    cards = (DOCS / "gallery" / "index.md").read_text(encoding="utf-8")
    examples = dict.fromkeys(re.findall(r"\]\((\w+\.md)\)", cards))  # in the order of the cards
    folders["gallery/"] = [f"gallery/{name}" for name in ("index.md", *examples)]
    config.nav = [_expanded(entry, folders) for entry in config.nav]
    return config


def _expanded(entry: Any, folders: dict[str, list[str]]) -> Any:
    if not isinstance(entry, dict):
        return entry
    (title, target), *_ = entry.items()
    return {title: folders.get(target, target)} if isinstance(target, str) else entry


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the copies and the API reference."""
    for source, page in COPIES.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        files.append(File.generated(config, page, content=text))
    files.append(File.generated(config, "api/index.md", content=overview()))
    for name in packages():
        files.append(File.generated(config, f"api/{name}.md", content=reference(name)))
    for name in option_pictures.PICTURES:
        place = f"pictures/options/{name}.svg"
        files.append(File.generated(config, place, content=option_pictures.svg(name)))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Lets links lead to the page that shows a file; a file without a page keeps its name only.

    Where a page asks for the tables of options, they follow.
    """
    if OPTIONS in markdown:
        markdown = markdown.replace(OPTIONS, option_reference.markdown())
    sources = {target: source for source, target in COPIES.items()}
    uri = page.file.src_uri
    source = pathlib.PurePosixPath(sources.get(uri, f"docs/{uri}"))

    def within_site(link: re.Match[str]) -> str:
        target = os.path.normpath(source.parent / link["target"])
        shown = COPIES.get(target, target.removeprefix("docs/"))
        if shown == target and (ROOT / target).exists():
            return link["label"]
        path = os.path.relpath(shown, pathlib.PurePosixPath(uri).parent)
        return f"[{link['label']}]({path}{link['anchor'] or ''})"

    return LINK.sub(within_site, markdown)


def overview() -> str:
    """The Markdown of the reference's first page: each package with its own first sentence."""
    rows = []
    for name in packages():
        tree = ast.parse((PACKAGE / name / "__init__.py").read_text(encoding="utf-8"))
        rows.append(f"| [{name}]({name}.md) | {(ast.get_docstring(tree) or '').splitlines()[0]} |")
    table = "\n".join(["| package | what it holds |", "|---|---|", *rows])
    flow = "    files -> Recording -> trials -> method.fit -> reconstructions -> scores -> report"
    return f"# API reference\n\n{flow}\n\n{table}\n\n::: fmri_jax\n"


def packages() -> list[str]:
    """Names of the packages in `fmri_jax`."""
    return sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py"))


def reference(package: str) -> str:
    """The Markdown of a package's page: all its modules, but commands and empty ones."""
    files = [path for path in (PACKAGE / package).rglob("*.py") if path.name != "__main__.py"]
    written = [path for path in files if "\n" in path.read_text(encoding="utf-8").strip()]
    return f"# {package}\n\n" + "\n".join(f"::: {name}\n" for name in sorted(map(_module, written)))


def _module(path: pathlib.Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
