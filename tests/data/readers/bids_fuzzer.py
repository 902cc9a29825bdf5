"""Random BIDS trees, valid ones and mutated ones, and a straightforward reading of each.

The reading below shares no code with fmri_jax: it takes names apart at "_" and "-", follows BIDS's
rules of inheritance in a few lines, and averages volumes by whole fractions. `examine` writes a
tree, reads it both ways, and says whether the numbers agree or the tree was rejected.
"""

import itertools
import json
import os
import re
import shutil
import tempfile
import warnings
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

from fmri_jax.data import load
from fmri_jax.errors import InputError
from tests.data.readers.bids_tree import bare, course, write_volumes

VOLUMES = 24
SUFFIXES = ("_bold.nii.gz", "_events.tsv", "_bold.json")
TIMES = ("0.3", "0.72", "0.8", "1", "1.4", "1.793", "2", "2.5", "3.3")
MUTATIONS = (
    "none", "drop a table", "other table elsewhere", "same table elsewhere", "hidden copies",
    "rest", "localizer", "other task", "header 1 s", "header 0", "sidecar lies", "sidecar in text",
    "run in two forms", "echoes", "spaces", "phase", "link a session", "dangle", "point",
    "short row", "quote", "commas", "no image", "BOM", "bidsignore", "start time", "volume timing",
    "late event", "root sidecar besides", "second subject", "unpadded tables",
)  # fmt: skip


@st.composite
def trees(draw: st.DrawFn, mutation: str) -> dict[str, Any]:
    """What a tree consists of that has this mutation, and sometimes another one."""
    tr = draw(st.sampled_from(TIMES))
    length = float(Fraction(tr) * VOLUMES)
    sessions = draw(st.sampled_from([("",), ("01",), ("01", "02")]))
    runs = draw(st.sampled_from([("",), ("1",), ("01", "02"), ("1", "2")]))
    extra = draw(st.sampled_from(["", "acq-fast", "dir-AP", "rec-norm"]))
    pairs = [p for p in itertools.product(sessions, runs)]
    delay = draw(st.sampled_from([0.0, 1.4, 5.0]))
    last = max(int(length * 100) - int(delay * 100) - 100, 1)  # an onset that the scans can answer
    event = st.tuples(st.integers(0, last), st.integers(0, 400), st.sampled_from("ab"))
    events = [draw(st.lists(event, min_size=1, max_size=3)) for _ in pairs]
    return {
        "tr": tr,
        "pairs": pairs,
        "extra": extra,
        "events": events,
        "delay": delay,
        "table": draw(st.sampled_from(["run", "run", "task", "subject"])),
        "sidecar": draw(st.sampled_from(["none", "run", "task", "task", "subject"])),
        "description": draw(st.booleans()),
        "mutations": list({mutation: 0, draw(st.sampled_from(("none", *MUTATIONS))): 0}),
        "where": draw(st.sampled_from(["", "sub-01"])),
    }


def stem(tree: dict[str, Any], session: str, run: str) -> str:
    parts = [
        "sub-01",
        session and f"ses-{session}",
        "task-view",
        tree["extra"],
        run and f"run-{run}",
    ]
    return "_".join(part for part in parts if part)


def write(root: Path, tree: dict[str, Any]) -> None:
    """Writes a tree."""
    bare(root)
    if tree["description"] or "bidsignore" in tree["mutations"]:
        (root / "dataset_description.json").write_text('{"Name": "x", "BIDSVersion": "1.10.0"}')
    for number, (session, run) in enumerate(tree["pairs"]):
        place = root / "sub-01" / (f"ses-{session}" if session else "") / "func"
        name = stem(tree, session, run)
        write_volumes(place / f"{name}_bold.nii.gz", number, VOLUMES, float(tree["tr"]))
        if tree["sidecar"] == "run":
            _json(place / f"{name}_bold.json", tree)
        if tree["table"] == "run":
            (place / f"{name}_events.tsv").write_text(table(tree["events"][number]))
    above = {"task": root / "task-view", "subject": root / "sub-01" / "sub-01_task-view"}
    if tree["sidecar"] in above:
        _json(Path(f"{above[tree['sidecar']]}_bold.json"), tree)
    if tree["table"] in above:
        Path(f"{above[tree['table']]}_events.tsv").write_text(table(tree["events"][0]))
    for mutation in sorted(tree["mutations"], key=lambda m: (m == "link a session", m == "dangle")):
        mutate(root, mutation, tree)


def _json(path: Path, tree: dict[str, Any]) -> None:
    path.write_text('{"RepetitionTime": ' + tree["tr"] + "}")


def table(events: list[tuple[int, int, str]]) -> str:
    rows = (f"{o / 100}\t{d / 100}\t{image}.png\n" for o, d, image in events)
    return "onset\tduration\tstim_file\n" + "".join(rows)


def mutate(root: Path, mutation: str, tree: dict[str, Any]) -> None:
    """Changes a tree; most changes have a meaning, some leave none."""
    tables, scans = sorted(root.rglob("*_events.tsv")), sorted(root.rglob("*_bold.nii.gz"))
    func, first = scans[0].parent, scans[0]
    name = first.name.removesuffix("_bold.nii.gz")
    if mutation == "drop a table" and tables:
        tables[-1].unlink()
    elif mutation in ("other table elsewhere", "same table elsewhere") and tables:
        (root / "sub-01" / "old").mkdir(exist_ok=True)
        text = tables[0].read_text() + ("1\t1\tb.png\n" if mutation.startswith("other") else "")
        (root / "sub-01" / "old" / tables[0].name).write_text(text)
    elif mutation == "hidden copies":
        for path in (*tables, *scans):
            path.with_name(f"._{path.name}").write_bytes(b"\0\5\x16\7")
    elif mutation in ("rest", "localizer", "other task"):
        label = {"rest": "rest", "localizer": "loc", "other task": "imagery"}[mutation]
        write_volumes(func / f"sub-01_task-{label}_bold.nii.gz", 9, VOLUMES, float(tree["tr"]))
        if label == "loc":
            (func / "sub-01_task-loc_events.tsv").write_text("onset\tduration\n1\t1\n")
        if label == "imagery":
            (func / "sub-01_task-imagery_events.tsv").write_text(table([(100, 100, "a")]))
    elif mutation in ("header 1 s", "header 0"):
        write_volumes(first, 0, VOLUMES, float(mutation == "header 1 s"))
    elif mutation == "sidecar lies":
        (root / "sub-01" / "task-view_bold.json").write_text('{"RepetitionTime": 3.1}')
    elif mutation == "sidecar in text":
        (root / "sub-01" / "task-view_bold.json").write_text('{"RepetitionTime": "2 s"}')
    elif mutation == "root sidecar besides":
        (root / "bold.json").write_text('{"RepetitionTime": 2.2, "EchoTime": 0.03}')
    elif mutation == "start time":
        (root / "sub-01" / "sub-01_bold.json").write_text('{"StartTime": 0.25}')
    elif mutation == "volume timing":
        times = [round(1.5 * i + 0.25 * (i % 2), 2) for i in range(VOLUMES)]
        (root / "sub-01" / "sub-01_bold.json").write_text(json.dumps({"VolumeTiming": times}))
    elif mutation == "run in two forms":
        again = re.sub(r"_run-\d+", "", name) + "_run-001_bold.nii.gz"
        write_volumes(func / again, 9, VOLUMES, float(tree["tr"]))
    elif mutation in ("echoes", "spaces", "phase"):
        more = {"echoes": "echo-2", "spaces": "space-T1w_desc-preproc", "phase": "part-phase"}
        write_volumes(func / f"{name}_{more[mutation]}_bold.nii.gz", 9, VOLUMES, float(tree["tr"]))
    elif mutation == "link a session":
        place = root.parent / f"{root.name}-disk"
        shutil.move(func, place)
        os.symlink(place, func)
    elif mutation == "dangle":
        victim = (tables or scans)[0]
        victim.unlink()
        os.symlink(root / "gone", victim)
    elif mutation == "point":
        first.write_text("/annex/objects/MD5E-s9--x.nii.gz\n")
    elif mutation == "bidsignore":
        (root / ".bidsignore").write_text("**/*_acq-bad_*\n")
        write_volumes(func / "sub-01_task-view_acq-bad_bold.nii.gz", 9, VOLUMES, float(tree["tr"]))
    elif mutation == "second subject":
        write_volumes(root / "sub-02" / "func" / "sub-02_task-view_bold.nii.gz", 9, VOLUMES, 2.0)
    elif mutation == "unpadded tables":
        for path in tables:
            path.rename(path.with_name(path.name.replace("run-0", "run-")))
    elif tables:
        _mutate_table(tables[0], mutation)


def _mutate_table(path: Path, mutation: str) -> None:
    if not path.exists():
        return
    text = path.read_text()
    if mutation == "short row":
        text += "5.5\t1\n"
    elif mutation == "quote":
        text = text.replace("stim_file", "stim_file\tanswer").replace(".png", '.png\t"x')
    elif mutation == "commas":
        text = text.replace("\t1.", "\t1,")
    elif mutation == "no image":
        text += "n/a\tn/a\tn/a\n3\t-1\tNaN\n"
    elif mutation == "BOM":
        text = "\ufeff" + text.replace("\n", "\r\n")
    elif mutation == "late event":
        text += "5000\t1\ta.png\n"
    path.write_bytes(text.encode())


def entities(name: str) -> dict[str, str]:
    """Of a file's name, with indices as numbers."""
    pairs = [part.split("-", 1) for part in name.split("_") if "-" in part]
    return {k: str(int(v)) if k in ("run", "echo") else v for k, v in pairs}


def reading(top: Path, where: Path, delay: float) -> np.ndarray | None:
    """(trials,) responses as BIDS has it; None if the tree has no meaning."""
    found: list[float] = []
    scans = []
    for folder, _, names in os.walk(where, followlinks=True):
        scans += [Path(folder) / n for n in names if n.endswith(SUFFIXES[0]) and n[0] != "."]
    scans = sorted(p for p in scans if "part-phase" not in p.name)
    ignored = (top / ".bidsignore").exists()
    scans = [p for p in scans if not (ignored and "acq-bad" in p.name)]
    tables = {path: _nearest(path, top, SUFFIXES[1]) or _elsewhere(path, where) for path in scans}
    tasks = {
        entities(p.name)["task"]
        for p, t in tables.items()
        if t and "stim_file" in t[-1].read_text()
    }
    if len(tasks) != 1:
        return None
    for path in scans:
        if entities(path.name)["task"] not in tasks:
            continue
        if not tables[path]:
            return None
        scan_times = _times(path, top)
        for line in tables[path][0].read_text(encoding="utf-8-sig").splitlines()[1:]:
            onset, duration, image, *_ = line.split("\t")
            if image in ("n/a", "NaN"):
                continue
            begin = Fraction(onset) + Fraction(str(delay))
            end = begin + Fraction(duration)
            chosen = [i for i, t in enumerate(scan_times) if begin <= t < end]
            middle = (begin + end) / 2
            nearest = min(range(len(scan_times)), key=lambda i: (abs(scan_times[i] - middle), i))
            values = course(_seed(path), VOLUMES)
            found.append(values[chosen or [nearest]].mean())
    return np.asarray(found)


def _seed(path: Path) -> int:
    """The course of a run is that of its number among the runs first written."""
    import nibabel

    first = float(np.asarray(nibabel.load(path).dataobj)[0, 0, 0, 0])
    return min(range(12), key=lambda seed: abs(course(seed, VOLUMES)[0] - first))


def _nearest(path: Path, top: Path, ending: str) -> list[Path]:
    """Files of an ending that serve a run, the nearest first."""
    mine, found = entities(path.name), []
    folder = path.parent
    while True:
        for name in sorted(os.listdir(folder)):
            serves = entities(name).items() <= mine.items()
            whole = (
                name.endswith(ending)
                and name[0] != "."
                and (entities(name) or ending != SUFFIXES[1])
            )
            if (whole or name == ending[1:] and ending != SUFFIXES[1]) and serves:
                found.append(folder / name)
        if folder == top:
            return found
        folder = folder.parent


def _elsewhere(path: Path, where: Path) -> list[Path]:
    """Tables of exactly this run's name in another folder, which serve where no nearer one does."""
    wanted = entities(path.name).items()
    found = [table for table in where.rglob(f"*{SUFFIXES[1]}") if table.name[0] != "."]
    return [table for table in found if entities(table.name).items() == wanted]


def _times(path: Path, top: Path) -> list[Fraction]:
    import nibabel

    said: dict[str, Any] = {}
    for file in reversed(_nearest(path, top, SUFFIXES[2])):
        said |= json.loads(file.read_text(), parse_float=Fraction, parse_int=Fraction)
    start = said.get("StartTime", Fraction(0))
    if "VolumeTiming" in said:
        return [start + t for t in said["VolumeTiming"]]
    header = nibabel.load(path).header.get_zooms()[3]
    step = said.get("RepetitionTime") or Fraction(str(header))
    return [start + i * step for i in range(VOLUMES)]


def examine(tree: dict[str, Any]) -> str:
    """ "equal" or "rejected".

    Raises:
        AssertionError: other numbers were read than the tree holds.
    """
    folder = Path(tempfile.mkdtemp())
    try:
        root = folder / "ds"
        write(root, tree)
        where = root / tree["where"]
        place = {"masks": str(root / "masks"), "images": str(root / "stimuli")}
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                recording = load(str(where), delay=tree["delay"], image_size=4, **place)
        except InputError as error:
            assert str(error).endswith(".") and "\n" not in str(error), str(error)
            return "rejected"
        right = reading(root, where, tree["delay"])
        assert right is not None, f"{tree} was read, and has no meaning"
        np.testing.assert_allclose(recording.fmri[:, 0], right, rtol=1e-4, err_msg=str(tree))
        return "equal"
    finally:
        shutil.rmtree(folder)
