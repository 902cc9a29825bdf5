"""`fmri-jax inspect`: what it prints and draws, of files that can be used or not."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pytest
from PIL import Image
from scipy import io

from fmri_jax.cli import main
from fmri_jax.data import load, paths
from fmri_jax.data.inspect import (
    maps,
    montage,
    reliability,
    run_figure,
    run_view,
    voxel_figure,
)
from fmri_jax.data.readers.npz import save_npz
from fmri_jax.data.readers.registry import Config
from fmri_jax.data.recording import Recording
from fmri_jax.errors import InputError
from tests.data.builders import bdata, bids_dataset, save_nifti, synset_images
from tests.peers import peer

pytestmark = pytest.mark.draws

MakeSession = Callable[..., Recording]


@pytest.fixture
def real_pictures() -> None:
    """Asked for by tests whose subject the pictures are."""


@pytest.fixture(autouse=True)
def quick_pictures(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Elsewhere a pixel stands for those that take a second to draw."""
    if "real_pictures" in request.fixturenames:
        return

    def pixel(_: object, path: Path, *more: object) -> None:
        Image.new("L", (900, 1)).save(path)

    for module in (maps, run_figure, voxel_figure):
        monkeypatch.setattr(module, "draw", pixel)


def inspect(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(["inspect", *arguments])
    out, err = capsys.readouterr()
    assert len(out.splitlines()) < 45  # one screen
    return code, out, err


def test_a_usable_file_is_described_and_drawn(
    make_recording: MakeSession, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fmri = make_recording().fmri
    fmri[:, 3] = 7
    captions = ((), ("a dog", "a dog runs"), *[("a cat",)] * 4)
    save_npz(make_recording(fmri=fmri, captions=captions), tmp_path / "ours.npz")
    code, out, _ = inspect(capsys, str(tmp_path / "ours.npz"), "--out", str(tmp_path / "look"))
    assert code == 0
    for words in (
        "fmri            24 x 10 float32",
        "24 trials x 10 voxels, from",
        "6 of 8 x 8 px, colour; shown 4 to 4 times",
        "test 8, train 16 trials",
        "V1 5, V2 5, V1v 2",
        "0 to 2 captions per image, such as 'a dog'",
        "fmri: 1 voxels never change",
    ):
        assert words in out, out
    with Image.open(tmp_path / "look" / "ours_images.png") as sheet:
        assert sheet.size == (618, 134)
    with Image.open(tmp_path / "look" / "ours_voxels.png") as sheet:
        assert sheet.width > 800
    assert str(tmp_path / "look" / "ours_voxels.png") in out


def test_labels_from_1_and_empty_regions_are_asked_about(
    make_recording: MakeSession, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recording = make_recording(rois={"V1": np.ones(10, bool), "V4": np.zeros(10, bool)})
    save_npz(recording, tmp_path / "from 0.npz")
    # The sixth image is never shown: counted from 1, the labels of the others are in range.
    counted = np.where(recording.stimulus == 5, 3, recording.stimulus + 1).astype(np.int32)
    save_npz(make_recording(stimulus=counted, split=np.full(24, "train")), tmp_path / "from 1.npz")
    asks = "stimulus: image 0 is never shown; if the indices count from 1, subtract 1"
    _, out, _ = inspect(capsys, str(tmp_path / "from 0.npz"), "--out", str(tmp_path))
    assert asks not in out and "rois: no voxel belongs to V4; it cannot be chosen" in out
    code, out, _ = inspect(capsys, str(tmp_path / "from 1.npz"), "--out", str(tmp_path))
    assert code == 0 and asks in out and "no voxel belongs" not in out


def test_home_and_variables_are_replaced_in_every_path(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    bids_dataset(tmp_path / "scans")
    (tmp_path / "scans" / "stimuli").rename(tmp_path / "pictures")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PICTURES", str(tmp_path / "pictures"))
    code, out, _ = inspect(capsys, "~/scans", "--images=$PICTURES", "--out=~/look")
    assert code == 0 and f"{tmp_path / 'scans'}: NIfTI" in out
    assert (tmp_path / "look" / "scans_images.png").exists()


@pytest.mark.parametrize("path", ["$EMPTY_HERE/a.npz", "${EMPTY_HERE}/a.npz"])
def test_an_empty_variable_is_none(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rest of the path would otherwise be looked for in the root of the disk."""
    monkeypatch.setenv("EMPTY_HERE", "")
    with pytest.raises(InputError, match=r"EMPTY_HERE.* variable EMPTY_HERE is empty: set EMPTY_H"):
        load(path)
    assert paths.replaced(path) == path


def test_help_says_which_formats_an_option_belongs_to(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["inspect", "--help"])
    said = " ".join(capsys.readouterr().out.split())
    for words in (
        "folder for the pictures, made if absent (default: the current folder)",
        "folder or zip of the stimulus images (BData; NIfTI)",
        "folder of masks: the brain's and those of regions (NIfTI)",
        "metadata key of the stimulus label (BData)",
        "(NIfTI, default 5.0)",
        "images are resized to (BData, default 256; NIfTI, default 64)",
    ):
        assert words in said, said
    assert all(field.metadata["help"] for field in dataclasses.fields(Config))


def test_pictures_go_to_the_current_folder(
    make_recording: MakeSession,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    save_npz(make_recording(rois={}, split=np.full(24, "train")), tmp_path / "a.npz")
    monkeypatch.chdir(tmp_path)
    code, out, _ = inspect(capsys, "a.npz")
    assert code == 0 and (tmp_path / "a_images.png").exists()
    assert f"wrote {tmp_path / 'a_images.png'}" in out
    assert "split: no test trials are named" in out
    assert "How to test it" in out and "--config.preparation.split=" in out
    assert "rois: no region is named" in out


def test_a_file_that_cannot_be_used_says_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    io.savemat(tmp_path / "a.mat", {"fmri": np.ones((3, 4)), "labels": np.ones(3)})
    code, out, _ = inspect(capsys, str(tmp_path / "a.mat"), "--out", str(tmp_path))
    assert code == 2
    assert "labels  1 x 3 double" in out
    assert "It cannot be used" in out and "key 'stimulus' is missing" in out
    code, out, err = inspect(capsys, str(tmp_path / "b.mat"))
    assert code == 2 and not out and "b.mat does not exist" in err
    np.savez(tmp_path / "o.npz", fmri=np.asarray([{}], object))
    code, out, _ = inspect(capsys, str(tmp_path / "o.npz"))
    assert code == 2 and "fmri  1 Python objects" in out
    (tmp_path / "half.h5").write_bytes(b"\x89HDF")
    code, _, err = inspect(capsys, str(tmp_path / "half.h5"))
    assert code == 2 and "half.h5 is no HDF5 file" in err


def test_bdata_lacks_its_images_only(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bdpy = peer("bdpy")
    data = bdpy.BData()
    data.add(np.random.default_rng(0).normal(size=(4, 6)), "VoxelData")
    data.add(np.asarray([[1.0], [2], [1], [2]]), "image_index")
    data.add_metadata("ROI_V1", np.asarray([1.0, 1, 0, 0, 0, 0]), where="VoxelData")
    path = str(tmp_path / "s.h5")
    data.save(path)
    code, out, _ = inspect(capsys, path, "--out", str(tmp_path))
    assert code == 2 and "BData" in out and "ROI_V1 2" in out and "add --images FOLDER" in out
    assert "--config.data.file.images=FOLDER" in out
    assert (tmp_path / "s_voxels.png").exists() and not (tmp_path / "s_images.png").exists()
    (tmp_path / "pictures").mkdir()
    for name in "ab":
        Image.new("RGB", (5, 5), (ord(name), 0, 0)).save(tmp_path / "pictures" / f"{name}.png")
    images = str(tmp_path / "pictures")
    code, out, _ = inspect(capsys, path, "--out", str(tmp_path), "--images", images)
    assert code == 0 and "2 of 256 x 256 px, colour; shown 2 to 2 times" in out
    change = "--image-size N changes that, in launch.py --config.data.file.image_size=N"
    assert f"resized from 5 x 5 px to 256 x 256 px: {change}" in out
    Image.new("RGB", (9, 7)).save(tmp_path / "pictures" / "b.png")
    arguments = ("--out", str(tmp_path), "--images", images, "--image-size", "8")
    _, out, _ = inspect(capsys, path, *arguments)
    assert "resized from 2 sizes, 5 x 5 to 7 x 9 px to 8 x 8 px" in out
    Image.new("RGB", (5, 5)).save(tmp_path / "pictures" / "b.png")
    _, out, _ = inspect(capsys, path, *arguments[:-1], "5")
    assert "2 of 5 x 5 px" in out and "resized" not in out


def test_nifti_lists_runs_tables_and_masks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    values = np.random.default_rng(0).normal(size=(2, 2, 2, 3)).astype("f4")
    nibabel.save(nibabel.Nifti1Image(values, np.eye(4)), tmp_path / "r_betas.nii.gz")
    code, out, _ = inspect(capsys, str(tmp_path), "--out", str(tmp_path / "o"))
    assert code == 2 and "2 x 2 x 2 x 3 float32, no events table" in out
    assert "none in masks/" in out and "holds no masks" in out


def test_nifti_lists_tables_and_masks_where_they_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dataset = bids_dataset(tmp_path / "raw")
    (dataset / "func").rename(tmp_path / "scans")
    (dataset / "func").mkdir()
    for table in (tmp_path / "scans").glob("*.tsv"):
        table.rename(dataset / "func" / table.name)
    code, out, _ = inspect(
        *(capsys, str(tmp_path / "scans"), "--out", str(tmp_path / "o")),
        *("--masks", str(dataset / "masks"), "--events", str(dataset)),
        *("--images", str(dataset / "stimuli")),
    )
    assert code == 0 and "events sub-01_task-view_run-02_events.tsv" in out
    assert "V1.nii.gz, brain.nii.gz" in out and "no events table" not in out


def test_the_montage_shows_the_images_in_order_with_their_names(
    make_recording: MakeSession, tmp_path: Path
) -> None:
    levels = np.arange(120, dtype=np.uint8)
    images = np.broadcast_to(levels[:, None, None, None], (120, 5, 4, 1)).copy()
    names = tuple(f"a very long name of an image {i}" for i in range(120))
    fields = {"images": images, "stimulus_names": names, "split": np.full(24, "train")}
    montage.draw(make_recording(**fields), tmp_path / "m.png")
    step = montage.TILE + montage.GAP
    with Image.open(tmp_path / "m.png") as sheet:
        pixels = np.asarray(sheet)
    centres = pixels[54 :: step + montage.LINE, 54::step, 0].ravel()
    assert len(centres) == 100 and centres[0] == 0 and centres[-1] == 119
    assert (np.diff(centres.astype(int)) > 0).all()
    captions = pixels[montage.GAP + montage.TILE : step + montage.LINE]
    shown, never = captions[:, : 5 * step], captions[:, 5 * step :]  # 0 to 4, of every 1.2th
    assert shown.min() < 60 and (shown.max(axis=-1) - shown.min(axis=-1)).max() < 20
    assert (never[..., 0].astype(int) - never[..., 2]).max() > 100  # red


def scanned(root: Path, late: float = 0.0) -> Path:
    """A run in which 12 of 48 voxels respond for 6 s, 4 s after each of 12 images."""
    rng, shape, volumes = np.random.default_rng(0), (4, 4, 3), 130
    onsets = 10 + np.cumsum(rng.choice([16, 18, 20], 12)) - 16
    course = np.zeros(volumes)
    for onset in onsets:
        course[(onset + 4) // 2 : (onset + 10) // 2] = 1
    active = np.arange(48) < 12
    values = 500 + 20 * course[:, None] * active + 5 * rng.normal(size=(volumes, 48))
    save_nifti(root / "sub-01_task-v_bold.nii", values.T.reshape(*shape, volumes).astype("f4"))
    rows = [f"{onset + late}\t4\t{'ab'[i % 2]}.png" for i, onset in enumerate(onsets)]
    text = "\n".join(["onset\tduration\tstim_file", *rows, f"{onsets[-1] + 9}\t2\tn/a"])
    (root / "sub-01_task-v_events.tsv").write_text(text + "\n")
    save_nifti(root / "masks" / "brain.nii", np.ones(shape, np.uint8))
    (root / "stimuli").mkdir()
    for i, name in enumerate("ab"):
        Image.new("RGB", (8, 8), (90 * i, 9, 0)).save(root / "stimuli" / f"{name}.png")
    return root


@pytest.mark.parametrize("late", [0.0, 6.0])
def test_a_wrong_delay_shows_as_a_peak_beside_the_window(tmp_path: Path, late: float) -> None:
    view = run_view.view(str(scanned(tmp_path, late)), {"delay": 4.0})
    assert view is not None
    mean = view.locked.mean(axis=0)
    peak = view.lags[np.argmax(mean)]
    assert (4 <= peak <= 10) if not late else peak < 4
    assert view.locked.shape == (10, len(view.lags))
    assert mean.max() - np.median(mean) > 1  # standard deviations
    assert len(view.events) == 13 and len(view.shown) == len(view.taken) == 12
    assert [stop - start for start, stop in view.taken] == [2] * 12
    np.testing.assert_allclose(view.times, 2.0 * np.arange(130))
    expected = 500 / 5  # of voxels that only carry noise
    assert abs(np.median(view.snr[12:]) / expected - 1) < 0.1


def test_a_folder_of_scans_is_drawn_in_full(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], real_pictures: None
) -> None:
    path = scanned(tmp_path / "scans")
    code, out, _ = inspect(capsys, str(path), "--out", str(tmp_path / "look"))
    assert code == 0
    assert "sub-01_task-v_bold.nii    130 volumes, one every 2 s" in out
    assert "sub-01_task-v_events.tsv  12 trials, 1 without an image left out" in out
    assert "48 voxels; no region" in out and "stimuli                   2 images" in out
    names = {"images.png", "files.tsv", "voxels.png", "run.png", "maps.png"}
    written = {file.name.removeprefix("scans_") for file in (tmp_path / "look").iterdir()}
    assert written == names
    table = (tmp_path / "look" / "scans_files.tsv").read_text().splitlines()
    assert table[0] == "file\ttaken" and len(table) == 5
    for name in ("voxels", "run", "maps"):
        with Image.open(tmp_path / "look" / f"scans_{name}.png") as picture:
            assert np.asarray(picture.convert("L")).std() > 10


def test_a_run_that_cannot_be_used_is_drawn_all_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An event beyond the scans, as with a wrong repetition time, is what the picture must show."""
    path = scanned(tmp_path / "scans", late=60.0)
    code, out, _ = inspect(capsys, str(path), "--out", str(tmp_path / "look"))
    assert code == 2 and "ends after 260 s" in out
    assert {file.name for file in (tmp_path / "look").iterdir()} == {
        "scans_run.png",
        "scans_maps.png",
    }


def test_split_half_reliability_equals_numpys_correlation(make_recording: MakeSession) -> None:
    recording = make_recording()
    found = reliability.split_half(recording)
    fmri = recording.fmri.astype(np.float64)
    for run in range(4):
        fmri[recording.run == run] -= fmri[recording.run == run].mean(axis=0)
    repeats = np.stack([fmri[recording.stimulus == i] for i in range(6)])
    odd, even = repeats[:, ::2].mean(axis=1), repeats[:, 1::2].mean(axis=1)
    expected = [np.corrcoef(odd[:, v], even[:, v])[0, 1] for v in range(10)]
    np.testing.assert_allclose(found, expected, atol=1e-5)
    once = make_recording(
        stimulus=np.zeros(24, np.int32), images=recording.images[:1], stimulus_names=("a",),
        split=np.full(24, "train"),
    )  # fmt: skip
    assert reliability.split_half(once) is None


def test_what_was_taken_from_arrays_and_bdata_is_named(
    make_recording: MakeSession, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_npz(make_recording(), tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz") as arrays:
        np.savez(tmp_path / "b.npz", notes=np.zeros(2), **arrays)
    _, out, _ = inspect(capsys, str(tmp_path / "b.npz"), "--out", str(tmp_path))
    assert "b.npz  not used: notes" in out and "b.npz  fmri, stimulus, images, run" in out
    bdata().save(str(tmp_path / "s.h5"))
    images = synset_images(tmp_path / "pictures")
    options = ("--out", str(tmp_path), "--images", images, "--roi", "V1 + V2")
    code, out, _ = inspect(capsys, str(tmp_path / "s.h5"), *options)
    assert code == 0 and "voxels of V1 + V2" in out
    assert "labels (columns): stimulus_id (1); runs: Session, Run" in out
