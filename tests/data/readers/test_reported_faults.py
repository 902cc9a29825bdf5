"""Inputs of public bug reports that were once read wrongly without a message, with right values."""

import dataclasses
from pathlib import Path

import nibabel
import numpy as np
import pytest
from PIL import Image
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fmri_jax.data import Recording, load
from fmri_jax.data.preparation.folds import PreparationConfig, folds
from fmri_jax.errors import InputError
from tests.data.readers.bids_tree import (
    bare,
    course,
    means,
    write_json,
    write_text,
    write_volumes,
)
from tests.data.simulated_bold import save

STEM = "sub-01_task-view_run-01"


@pytest.mark.parametrize(
    ("header", "sidecar", "right"),
    [
        (2.0, {"RepetitionTime": 2.0}, True),
        (0.0, {"RepetitionTime": 2.0}, True),
        (1.0, {"RepetitionTime": 2.0}, False),  # fMRIPrep 23.2.0, and what nibabel writes unasked
        (1.793548, {"RepetitionTime": 2.0}, False),  # dcm2niix
        (1.0, {"VolumeTiming": [2.0 * i for i in range(60)]}, False),
        (0.0, {"VolumeTiming": [2.0 * i for i in range(60)]}, True),
        (2000.0, {"RepetitionTime": 2.0}, False),
    ],
)
@pytest.mark.parametrize("inherited", [True, False])
def test_a_header_that_contradicts_its_sidecar(
    tmp_path: Path, header: float, sidecar: dict, right: bool, inherited: bool
) -> None:
    root = bare(tmp_path / "sub-01")
    name = f"{STEM}_space-T1w_desc-preproc_bold"
    write_volumes(root / "func" / f"{name}.nii.gz", 3, volumes=60, tr=header)
    write_json(root / ("task-view_bold.json" if inherited else f"func/{name}.json"), sidecar)
    events = [(10.0 + 12 * i, 6.0) for i in range(4)]
    rows = (f"{o}\t{d}\t{'ab'[i % 2]}.png\n" for i, (o, d) in enumerate(events))
    write_text(root / "func" / f"{STEM}_events.tsv", "onset\tduration\tstim_file\n" + "".join(rows))
    if not right:
        with pytest.raises(InputError, match=r"2 s by .* and .* s by its header"):
            load(str(root))
        root_time = {"repetition_time": 2.0}
    else:
        root_time = {}
    found = load(str(root), **root_time).fmri[:, 0]
    np.testing.assert_allclose(found, means(course(3, 60), events, "2"), rtol=1e-5)


@pytest.mark.parametrize("tr", ["0.72", "1.4", "0.7", "2.8", "2"])
def test_volumes_that_a_repetition_time_in_float32_would_shift(tmp_path: Path, tr: str) -> None:
    root = bare(tmp_path / "sub-01")
    write_volumes(root / "func" / f"{STEM}_bold.nii.gz", 5, volumes=300, tr=float(tr))
    locked = [(start * float(tr), 4 * float(tr)) for start in range(5, 280, 10)]
    rows = "".join(f"{onset}\t{duration}\ta.png\n" for onset, duration in locked)
    write_text(root / "func" / f"{STEM}_events.tsv", f"onset\tduration\tstim_file\n{rows}")
    values = course(5, 300)
    right = [values[start + 3 : start + 7].mean() for start in range(5, 280, 10)]
    found = load(str(root), delay=3 * float(tr)).fmri[:, 0]
    np.testing.assert_allclose(found, right, rtol=1e-5)


def test_runs_of_other_baseline_are_comparable_after_run_centring(tmp_path: Path) -> None:
    recording = of_drifting_runs(tmp_path / "sub-01")
    centred = recording.fmri.copy()
    for run in np.unique(recording.run):
        centred[recording.run == run] -= centred[recording.run == run].mean(axis=0)
    by_hand = score(dataclasses.replace(recording, fmri=centred), None)
    assert score(recording, None) < by_hand - 0.1
    for how in ("centre", "zscore", "percent"):
        assert score(recording, how) > by_hand - 0.05


def of_drifting_runs(root: Path) -> Recording:
    """Six runs whose baselines differ by 3 per cent; responses are about one per cent."""
    random, shape = np.random.default_rng(0), (6, 6, 4)
    pictures = random.random((32, 6, 6)) < 0.5
    (root / "stimuli").mkdir(parents=True)
    for i, picture in enumerate(pictures):
        Image.fromarray(picture.astype(np.uint8) * 255).save(root / "stimuli" / f"{i:02}.png")
    weights = random.normal(size=(36, int(np.prod(shape))))
    for run in range(6):
        shown, onsets = random.permutation(32)[:16], 4.0 + 12 * np.arange(16)
        baseline = 1000 * (1 + 0.03 * random.normal(size=weights.shape[1]))
        scans = baseline[:, None] + random.normal(0, 10, (len(baseline), 112))
        for onset, image in zip(onsets, shown, strict=True):
            first = int(np.ceil((onset + 5) / 2))
            scans[:, first : first + 3] += (
                2.5 * (weights.T @ (pictures[image].ravel() - 0.5))[:, None]
            )
        stem = root / "func" / f"sub-01_task-view_run-{run + 1:02}"
        save(
            stem.with_name(f"{stem.name}_bold.nii.gz"), scans.reshape(*shape, -1).astype("f4"), 2.0
        )
        rows = "".join(f"{o}\t6.0\t{i:02}.png\n" for o, i in zip(onsets, shown, strict=True))
        write_text(stem.with_name(f"{stem.name}_events.tsv"), f"onset\tduration\tstim_file\n{rows}")
    save(root / "masks" / "brain.nii.gz", np.ones(shape, np.uint8))
    return load(str(root), image_size=6)


def score(recording: Recording, centring: str | None) -> float:
    """Pixel correlation of ridge regression, every image left out once."""
    found, target = [], []
    options = PreparationConfig(
        split="stimulus", n_folds=4, average_repeats="none", run_centring=centring
    )
    for fold in folds(recording, options):
        model = make_pipeline(StandardScaler(), Ridge(alpha=100.0))
        model.fit(fold.train.fmri, fold.train.targets()[..., 0].reshape(len(fold.train.fmri), -1))
        test = fold.tests["test"]
        found.append(model.predict(test.fmri))
        target.append(test.targets()[..., 0].reshape(len(test.fmri), -1))
    pairs = zip(np.concatenate(found), np.concatenate(target), strict=True)
    return float(np.mean([np.corrcoef(a, b)[0, 1] for a, b in pairs]))


def test_one_file_per_trial_says_how_to_join_them(tmp_path: Path) -> None:
    root = bare(tmp_path / "mine")
    for number in (1, 2):
        image = nibabel.Nifti1Image(np.ones((2, 2, 2), "f4"), np.diag([2.0, 2, 2, 1]))
        nibabel.save(image, root / f"beta_{number:04}.nii")
        write_text(root / f"beta_{number:04}.tsv", "onset\tduration\tstim_file\n4\t6\ta.png\n")
    with pytest.raises(InputError, match="this is one volume; join a run's files in their order"):
        load(str(root))
