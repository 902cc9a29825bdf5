"""How often the verdicts of a page are wrong where nothing is to be found, and how often right.

    python -m benchmarks.verdicts --cells cells.json            # all; goes on where it was stopped
    python -m benchmarks.verdicts --rows "above chance" --repeats 200 --cells few.json
    python -m benchmarks.verdicts --cells cells.json --write docs/verdicts.md    # the table there

Simulated images and decoders, plain NumPy: no network, no recording. False positives are counted
under decoders without any information, and under pairs of equal ones; then power, under a known
signal.
"""

import argparse
import json
import math
import pathlib
import re
import zlib

import numpy as np

from benchmarks import simulated_verdicts as simulated
from benchmarks.simulated_runs import BLIND, SIGNAL
from benchmarks.simulated_verdicts import Verdict

COUNTS = (5, 10, 20, 50, 200)
MARKS = ("<!-- made by benchmarks/verdicts.py -->", "<!-- end of what it made -->")


def verdicts() -> dict[str, Verdict]:
    """The rows of the table."""
    noise, mixtures, telling = BLIND.values()
    return {
        "above chance: noise on the mean image, 1 fold": simulated.above_chance(noise, 1),
        "the same, 10 folds (5 of 5 images)": simulated.above_chance(noise, 10),
        "above chance: mixtures of training images, 10 folds": simulated.above_chance(mixtures, 10),
        "above chance: an answer that tells the fold, 10 folds": simulated.above_chance(
            telling, 10
        ),
        "above chance: ridge trained on noise, 1 fold": simulated.above_chance_of_ridge(1),
        "the same ridge, 10 folds": simulated.above_chance_of_ridge(10),
        "above chance: noise, each image with a near copy, 1 fold": simulated.above_chance(
            noise, 1, copies=True
        ),
        "near copies, 10 folds": simulated.above_chance(noise, 10, copies=True),
        "above chance: noise that five crops of a photograph share": simulated.of_crops(True),
        "the same where the recording does not name the photographs": simulated.of_crops(False),
        "imagined images above chance: noise": Verdict(5, simulated.imagined),
        "any of 32 leads over equal baselines": simulated.any_lead(),
        "the same, each image with a near copy": simulated.any_lead(copies=True),
        "any of 3 leads of two equal ridge decoders, 1 fold of 100 training images": (
            simulated.decoder_leads(1)
        ),
        "the same two decoders, 10 folds": simulated.decoder_leads(10),
        "the same, 1 fold, training taken as given (no page does)": simulated.decoder_leads(
            1, conditional=True
        ),
        "the same, 10 folds, training taken as given (no page does)": simulated.decoder_leads(
            10, conditional=True
        ),
        "a hypothesis of a sweep about equal variants": simulated.hypothesis(),
        "the same hypothesis, each image with a near copy": simulated.hypothesis(copies=True),
        "a difference in a table of runs, equal runs": Verdict(5, simulated.differs),
        "a star in a table over 3 subjects, equal methods": simulated.over_subjects(3),
        "the same, 8 subjects": simulated.over_subjects(8),
        "any of 50 voxels of noise predicted": simulated.any_voxel(1),
        "the same, five images of each group alike": simulated.any_voxel(5),
        "a 95 % interval above the truth, skewed scores": simulated.interval("above"),
        "a 95 % interval below the truth, skewed scores": simulated.interval("below"),
        "an interval of one lead of two equal ridge decoders above 0, 1 fold": (
            simulated.lead_interval(1)
        ),
        "the same, 10 folds": simulated.lead_interval(10),
        "**power**: above chance, 1 fold": simulated.above_chance(SIGNAL, 1),
        "**power**: above chance, 10 folds": simulated.above_chance(SIGNAL, 10),
        "**power**: a lead of .8 standard deviations, any of 32": simulated.any_lead(lead=0.8),
        "**power**: a lead of ridge with half the noise, 1 fold": simulated.decoder_leads(1, 2.0),
        "**power**: a lead of ridge with half the noise, 10 folds": simulated.decoder_leads(
            10, 2.0
        ),
        "**power**: a hypothesis, .8 standard deviations": simulated.hypothesis(lead=0.8),
    }


def count(cells: pathlib.Path, repeats: int, counts: list[int], rows: str, seed: int) -> None:
    """Simulates what `cells` does not hold yet, a fifth of the repeats of all cells at a time.

    Of rows in which nothing is false a fifth is enough, of 200 images half.
    """
    found = _read(cells)
    for part in range(1, 6):
        for name, verdict in verdicts().items():
            for n in counts if rows in name else ():
                share = (1.0 if verdict.meant else 0.2) * (0.5 if n >= 200 else 1.0)
                wanted = round(repeats * share * part / 5)
                hits, done = found.get(name, {}).get(str(n), (0, 0))
                for repeat in range(done, wanted):
                    rng = np.random.default_rng([seed, zlib.crc32(name.encode()), n, repeat])
                    hits += bool(verdict.once(rng, n))
                if done < wanted:
                    found.setdefault(name, {})[str(n)] = (hits, wanted)
                    cells.write_text(json.dumps(found, indent=1))
                    print(
                        f"{name}, {n} images: {100 * hits / wanted:.1f} % of {wanted}", flush=True
                    )


def table(cells: pathlib.Path) -> str:
    """The table in Markdown: per cent and, after a plus-minus, standard errors."""
    found, above, judged = _read(cells), 0, 0
    lines = ["| verdict, in % | meant | " + " | ".join(f"{n} images" for n in COUNTS) + " | all |"]
    lines.append("|---|---|" + "---|" * (len(COUNTS) + 1))
    for name, verdict in verdicts().items():
        texts = []
        for n in COUNTS:
            hits, done = found.get(name, {}).get(str(n), (0, 0))
            texts.append(_cell(hits, done, verdict.meant))
            judged += bool(done and verdict.meant)
            above += texts[-1].startswith("**")
        together = np.sum([*found.get(name, {}).values(), (0, 0)], axis=0).tolist()
        texts.append(_cell(*together, verdict.meant))
        meant = "" if verdict.meant is None else f"{verdict.meant:g}"
        lines.append(f"| {name} | {meant} | " + " | ".join(texts) + " |")
    rare, others = _runs(found, False), _runs(found, True)
    note = (
        f"±: one standard error. Simulated runs of each verdict that is to be rare: {rare}; of "
        f"each other: {others}. **Bold**: above what is meant by more than two standard errors, "
        f"{above} of {judged} rates; of rates as meant it were 1 in 40 by luck. The last column "
        "takes all numbers of images together."
    )
    return "\n".join([*lines, "", note, ""])


def _runs(found: dict[str, dict[str, tuple[int, int]]], others: bool) -> str:
    """From the fewest to the most runs of a cell, of rows that are to be rare or of the others."""
    rows = [found.get(name, {}) for name, v in verdicts().items() if (v.meant is None) == others]
    done = [runs for row in rows for _, runs in row.values()] or [0]
    return f"{min(done):,} to {max(done):,}" if min(done) < max(done) else f"{max(done):,}"


def _cell(hits: int, done: int, meant: float | None) -> str:
    """A rate; in bold where it is above what is meant by more than two standard errors."""
    if not done:
        return "–"
    rate = hits / done
    text = f"{100 * rate:.1f} ± {100 * math.sqrt(rate * (1 - rate) / done):.1f}"
    if meant is None:
        return text
    expected = meant / 100
    allowed = expected + 2 * math.sqrt(expected * (1 - expected) / done)
    return f"**{text}**" if rate > allowed else text


def _read(cells: pathlib.Path) -> dict[str, dict[str, tuple[int, int]]]:
    found: dict[str, dict[str, tuple[int, int]]] = (
        json.loads(cells.read_text()) if cells.exists() else {}
    )
    return found


def write(page: pathlib.Path, made: str) -> None:
    """Puts the table between the marks of a page."""
    first, last = map(re.escape, MARKS)
    text, n = re.subn(
        f"({first}\n)(.*?)({last})",
        lambda match: match[1] + "\n" + made + "\n" + match[3],
        page.read_text(),
        flags=re.DOTALL,
    )
    if n != 1:
        raise SystemExit(f"{page} has no place for the table: expected the lines {MARKS}.")
    page.write_text(text)


def main() -> None:
    """Simulates, or writes the table of what was simulated."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--cells", type=pathlib.Path, required=True, help="counts, kept in JSON")
    parser.add_argument(
        "--repeats", type=int, default=2000, help="a fifth for rows of power, half for 200 images"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--counts", type=int, nargs="+", default=COUNTS, help="numbers of images")
    parser.add_argument("--rows", default="", help="only verdicts whose names hold this text")
    parser.add_argument("--write", type=pathlib.Path, help="a page that gets the table")
    given = parser.parse_args()
    if given.write:
        write(given.write, table(given.cells))
        return
    count(given.cells, given.repeats, given.counts, given.rows, given.seed)
    print(table(given.cells))


if __name__ == "__main__":
    main()
