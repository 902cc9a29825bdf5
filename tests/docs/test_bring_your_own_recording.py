"""The page is followed from beginning to end: its blocks are run, on small files."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import nibabel
import numpy as np
from PIL import Image
from scipy import io

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "bring_your_own_recording.md").read_text(encoding="utf-8")
STIMULI, RUNS, SIZE, GRID = 6, 4, 16, (4, 4, 4)
VOXELS = 20  # in both recordings, so that one compilation serves both

# A network of a few units that takes two steps: what is tested is the way, not the picture.
SMALL = (
    "--noprogress --config.method.n_steps=2 --config.method.batch_size=8 "
    "--config.method.width=0.03125 --config.method.hidden=16 "
    "--config.method.discriminator_width=0.125 --config.method.feature_weight=0.0 "
    "--config.evaluation.perceptual=False --config.evaluation.n_bootstrap=20"
)


def write_mat(folder: Path) -> None:
    rng = np.random.default_rng(0)
    stimulus = np.tile(np.arange(STIMULI), RUNS)
    io.savemat(
        folder / "mine.mat",
        {
            "fmri": rng.normal(size=(len(stimulus), VOXELS)),
            "stimulus": stimulus[:, None],
            "images": rng.integers(0, 256, (STIMULI, SIZE, SIZE, 3), dtype=np.uint8),
            "run": np.repeat(np.arange(RUNS), STIMULI),
        },
    )


def write_scans(folder: Path) -> None:
    rng = np.random.default_rng(1)
    (folder / "masks").mkdir(parents=True)
    (folder / "stimuli").mkdir()
    names = [f"picture {i}.png" for i in range(STIMULI)]
    for name in names:
        pixels = rng.integers(0, 256, (20, 24, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / "stimuli" / name)
    for run in range(1, RUNS + 1):
        stem = f"sub-01_task-view_run-{run:02}"
        scans = rng.normal(100, 1, (*GRID, 12 * STIMULI // 2 + 8)).astype(np.float32)
        image = nibabel.Nifti1Image(scans, np.eye(4))
        image.header.set_zooms((1, 1, 1, 2.0))
        nibabel.save(image, folder / f"{stem}_bold.nii.gz")
        rows = [f"{4 + 12 * i}\t6\t{name}" for i, name in enumerate(names)]
        table = "\n".join(["onset\tduration\tstim_file", *rows])
        (folder / f"{stem}_events.tsv").write_text(table + "\n")
    for name, size in {"brain": 50, "V1": VOXELS}.items():
        mask = (np.arange(np.prod(GRID)) < size).reshape(GRID).astype(np.uint8)
        nibabel.save(nibabel.Nifti1Image(mask, np.eye(4)), folder / "masks" / f"{name}.nii.gz")


def command(line: str) -> list[str]:
    """A line of a bash block as it is run here: our Python, this checkout, a small network."""
    words = [sys.executable, *shlex.split(line)[1:]]
    if words[1] == "launch.py":
        words[1] = str(ROOT / "launch.py")
        words += shlex.split(SMALL)
    return [w.replace("=experiments/", f"={ROOT}/experiments/") for w in words]


def test_the_page_leads_from_a_file_to_a_report(tmp_path: Path) -> None:
    write_mat(tmp_path)
    write_scans(tmp_path / "scans")
    environment = os.environ | {
        "PYTHONPATH": str(ROOT),
        "XLA_FLAGS": "",
    }
    blocks = re.findall(r"^```(python|bash)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert [kind for kind, _ in blocks] == ["python", "bash", "python", "bash", "bash"]
    said = []
    for kind, text in blocks:
        commands = [[sys.executable, "-c", text]]
        if kind == "bash":
            commands = [command(line) for line in text.strip().splitlines()]
        for words in commands:
            done = subprocess.run(
                words, cwd=tmp_path, env=environment, capture_output=True, text=True
            )
            assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"
            said.append(done.stdout)
    assert "24 trials x 20 voxels" in said[1] and "It can be used" in said[2]
    assert said[3].startswith("(24, 20) (6, 16, 16, 3) []\n(24, ")
    assert len(list((tmp_path / "look").glob("*.png"))) == 4
    for run in ("mine", "scans"):
        assert "<html" in (tmp_path / "runs" / run / "report.html").read_text()
