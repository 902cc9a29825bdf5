"""Executes the examples and writes a page for each: text, code, what it printed, its pictures.

    python docs/tools/gallery.py                 # all of `ORDER`
    python docs/tools/gallery.py first_reconstruction

A script is a docstring, of which the first line is the title, and cells that begin with `# %%`; the
comment at the head of a cell is its text, in Markdown. The pages are kept in docs/gallery, so that
building the site executes nothing.
"""

import ast
import contextlib
import dataclasses
import io
import pathlib
import re
import subprocess
import sys
import time
from typing import Any

ROOT = pathlib.Path(__file__).parents[2]
EXAMPLES, PAGES = ROOT / "examples", ROOT / "docs" / "gallery"
ORDER = (
    "first_reconstruction",
    "own_recording",
    "nilearn_masker",
    "compare_methods",
    "apply_decoder",
    "score_other_images",
    "nested_folds",
    "roi_analysis",
)
DPI = 110


@dataclasses.dataclass
class Cell:
    """A step of an example: its text, its code, and once executed what came of it."""

    text: str
    code: str
    printed: str = ""
    pictures: tuple[str, ...] = ()


def read(script: pathlib.Path) -> tuple[str, str, list[Cell]]:
    """Title, introduction and cells of an example."""
    source = script.read_text(encoding="utf-8")
    title, _, introduction = (ast.get_docstring(ast.parse(source)) or "").partition("\n")
    body = source.split('"""\n', 2)[1].split("\n# %%")[1:]
    return title.rstrip("."), introduction.strip(), [_cell(part) for part in body]


def _cell(part: str) -> Cell:
    lines = part.lstrip(" ").lstrip("\n").splitlines()
    n_text = next((i for i, line in enumerate(lines) if not line.startswith("#")), len(lines))
    text = "\n".join(line.removeprefix("#").removeprefix(" ") for line in lines[:n_text])
    return Cell(text, "\n".join(lines[n_text:]).strip())


def execute(cells: list[Cell], stem: str, folder: pathlib.Path) -> None:
    """Executes the cells one after the other and saves their figures into a folder."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    plt.rcParams["image.interpolation"] = "nearest"
    scope: dict[str, Any] = {"__name__": "__main__"}
    number = 0
    for cell in cells:
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            exec(compile(cell.code, f"{stem}.py", "exec"), scope)
        cell.printed = printed.getvalue().rstrip()
        for figure in map(plt.figure, plt.get_fignums()):
            number += 1
            name = f"{stem}_{number}.png"
            _save(figure, folder / name)
            cell.pictures += (name,)
        plt.close("all")


def _save(figure: Any, path: pathlib.Path) -> None:
    """Saves a figure in 256 colours: a third of the bytes."""
    from PIL import Image

    figure.savefig(path, dpi=DPI, bbox_inches="tight", facecolor="white")
    with Image.open(path) as picture:
        few = picture.convert("RGB").quantize(256, dither=Image.Dither.NONE)
    few.save(path, optimize=True)


def page(stem: str, seconds: float, introduction: str, title: str, cells: list[Cell]) -> str:
    """The Markdown of an executed example."""
    parts = [f"# {title}", introduction]
    for cell in cells:
        parts += [cell.text, f"```python\n{cell.code}\n```"]
        if cell.printed:
            parts.append(f'<div class="output" markdown>\n```text\n{cell.printed}\n```\n</div>')
        parts += [f"![{title}: picture]({name})" for name in cell.pictures]
    parts.append(f"*`examples/{stem}.py`, executed in {seconds:.0f} s of processor time.*")
    return "\n\n".join(part for part in parts if part) + "\n"


def index() -> str:
    """The Markdown of the gallery's first page: a card for each example."""
    cards = []
    for stem in ORDER:
        title, introduction, _ = read(EXAMPLES / f"{stem}.py")
        summary = re.split(r"(?<=\.)\s", introduction, maxsplit=1)[0].replace("\n", " ")
        picture = sorted(PAGES.glob(f"{stem}_*.png"))[-1].name
        cards.append(
            '<div class="card" markdown>\n'
            f'[![]({picture})]({stem}.md){{ .picture aria-label="{title}" }}\n\n'
            f"[{title}]({stem}.md)\n{{ .title }}\n\n{summary}\n</div>"
        )
    head = (
        "# Gallery\n\nShort scripts that run in seconds on a laptop; executing them made these "
        "pages. All recordings here are simulated: no brain was scanned."
    )
    return f'{head}\n\n<div class="cards" markdown>\n' + "\n".join(cards) + "\n</div>\n"


def make(stem: str) -> None:
    """Executes one example and writes its page."""
    PAGES.mkdir(exist_ok=True)
    for old in PAGES.glob(f"{stem}_*.png"):
        old.unlink()
    title, introduction, cells = read(EXAMPLES / f"{stem}.py")
    start = time.process_time()
    execute(cells, stem, PAGES)
    text = page(stem, time.process_time() - start, introduction, title, cells)
    (PAGES / f"{stem}.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    if len(sys.argv) == 2:
        make(sys.argv[1])
    else:  # each in a process of its own, so that none leans on another
        for name in ORDER:
            subprocess.run([sys.executable, __file__, name], check=True)
            print(name)
    if all((PAGES / f"{name}.md").exists() for name in ORDER):
        (PAGES / "index.md").write_text(index(), encoding="utf-8")
