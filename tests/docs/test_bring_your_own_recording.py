"""The page is followed from beginning to end: its blocks are run, on small files."""

import re
import shlex
from pathlib import Path

import nibabel
import numpy as np
import pytest
from PIL import Image
from scipy import io

from fmri_jax import cli, pretrained
from fmri_jax.errors import InputError
from fmri_jax.methods.gan.config import Config
from fmri_jax.methods.gan.method import GAN
from fmri_jax.methods.gan.step import TrainStep
from tests.launching import process_as_it_was
from tests.peers import peer

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "bring_your_own_recording.md").read_text(encoding="utf-8")
STIMULI, RUNS, SIZE, GRID = 6, 4, 16, (4, 4, 4)
VOXELS = 20  # in all recordings, so that one compilation serves all

# A network of a few units that takes two steps: what is tested is the way, not the picture.
SMALL = (
    "--noprogress --config.n_devices=1 --config.method.n_steps=2 --config.method.batch_size=8 "
    "--config.method.width=0.03125 --config.method.hidden=16 "
    "--config.method.discriminator_width=0.125 "
    "--config.evaluation.perceptual=False --config.evaluation.n_bootstrap=20 "
    "--config.preparation.n_folds=2"
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


def write_bdata(folder: Path) -> None:
    rng = np.random.default_rng(2)
    bdpy = peer("bdpy")
    data = bdpy.BData()
    data.add(rng.normal(size=(STIMULI * RUNS, VOXELS + 5)), "VoxelData")
    data.add(np.repeat(np.arange(1.0, RUNS + 1), STIMULI)[:, None], "Run")
    data.add(np.tile(np.arange(1.0, STIMULI + 1), RUNS)[:, None], "stimulus_id")
    v1 = (np.arange(VOXELS + 5) < VOXELS).astype(float)
    data.add_metadata("ROI_V1", v1, where="VoxelData")
    data.save(str(folder / "sub-01.h5"))
    (folder / "pictures").mkdir()
    for i in range(1, STIMULI + 1):
        pixels = rng.integers(0, 256, (20, 24, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / "pictures" / f"{i:02}.png")


def follow(kind: str, text: str) -> None:
    """Runs a block of the page; a line of the shell with a small network."""
    if kind == "python":
        exec(text, {})
        return
    for line in text.strip().splitlines():
        program, *words = shlex.split(line)
        assert program == "fmri-jax"
        small = shlex.split(SMALL) if words[0] == "run" else []
        assert cli.main([*words, *small]) == 0, line


def test_the_page_leads_from_a_file_to_a_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_mat(tmp_path)
    write_scans(tmp_path / "scans")
    write_bdata(tmp_path)
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```(python|bash)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert [kind for kind, _ in blocks] == ["python", "bash", "bash", "python", "bash", "bash"]
    said = []
    for kind, text in blocks:
        with process_as_it_was():
            follow(kind, text)
        said.append(capsys.readouterr().out)
    assert "24 trials x 25 voxels" in said[1]
    assert "24 trials x 20 voxels" in said[2] and said[2].count("It can be used") == 2
    assert said[3].startswith("(24, 20) (6, 16, 16, 3) []\n(24, ")
    drawn = {path.name for path in (tmp_path / "look").glob("*.png")}
    assert {f"{stem}_voxels.png" for stem in ("mine", "scans", "sub-01")} <= drawn
    assert {f"{stem}_images.png" for stem in ("mine", "scans", "sub-01")} <= drawn
    for run in ("mine", "scans", "bdata"):
        assert "<html" in (tmp_path / "runs" / run / "report.html").read_text()


def test_small_images_are_answered_with_the_option_that_the_page_names() -> None:
    option = "config.method.comparator_size=64"
    assert "`has not at 16 pixels`" in PAGE and f"`--{option}`" in PAGE
    step = TrainStep(GAN(Config(width=0.03125, hidden=16)).networks(16, 3), Config())
    images = np.zeros((1, 16, 16, 3), np.float32)
    with pytest.raises(InputError, match=f"has not at 16 pixels: choose among .* {option} or a"):
        step.features(pretrained.load("alexnet"), images)
