"""Single-trial betas: against nilearn's FirstLevelModel on the same files and against the truth."""

import sys
import types
from pathlib import Path
from typing import TYPE_CHECKING

import nibabel
import numpy as np
import pytest
from sklearn.linear_model import Ridge

from fmri_jax.data import load
from fmri_jax.errors import InputError
from tests.data.simulated_bold import Simulated, simulate

if TYPE_CHECKING:
    import pandas


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Simulated:
    return simulate(tmp_path_factory.mktemp("bold") / "ds", tr=1.4, trials=8, shape=(3, 3, 2))


def by_nilearn(
    root: Path, run: int, estimator: str, tr: float, confounds: "pandas.DataFrame | None" = None
) -> np.ndarray:
    """(trials, voxels) betas of one run as nilearn's example of single-trial models finds them."""
    import pandas
    from nilearn.glm.first_level import FirstLevelModel

    func = root / "sub-01" / "func"
    volumes = func / f"sub-01_task-view_run-{run + 1:02}_bold.nii.gz"
    table = pandas.read_csv(func / f"sub-01_task-view_run-{run + 1:02}_events.tsv", sep="\t")
    model = FirstLevelModel(
        t_r=tr,
        mask_img=root / "masks" / "brain.nii.gz",
        noise_model="ols",
        signal_scaling=False,
        hrf_model="glover",
        minimize_memory=False,
        verbose=0,
    )
    found = []
    for trial in range(len(table)):
        kinds = [f"t{i}" for i in range(len(table))]
        if estimator == "lss":
            kinds = ["own" if i == trial else "other" for i in range(len(table))]
        events = table[["onset", "duration"]].assign(trial_type=kinds)
        if estimator == "lsa" and trial == 0 or estimator == "lss":
            model.fit(volumes, events=events, confounds=confounds)
        name = "own" if estimator == "lss" else f"t{trial}"
        contrast = model.compute_contrast(name, output_type="effect_size")
        found.append(model.masker_.transform(contrast).ravel())
    return np.stack(found)


@pytest.mark.parametrize("estimator", ["lsa", "lss"])
def test_betas_equal_those_of_nilearn(simulated: Simulated, estimator: str) -> None:
    found = load(str(simulated.root), response="glm", estimator=estimator)
    expected = np.concatenate([by_nilearn(simulated.root, r, estimator, 1.4) for r in (0, 1)])
    np.testing.assert_allclose(found.fmri, expected, rtol=1e-3, atol=1e-3)


def test_betas_are_nearer_to_the_truth_than_delayed_means(simulated: Simulated) -> None:
    near = {}
    for options in ({}, {"response": "glm"}, {"response": "glm", "estimator": "lsa"}):
        found = load(str(simulated.root), **options).fmri
        pairs = zip(found.T, simulated.betas.T, strict=True)
        near[options.get("estimator", options.get("response", "mean"))] = np.mean(
            [np.corrcoef(a, b)[0, 1] for a, b in pairs]
        )
    assert near["lsa"] > 0.95 and near["glm"] > 0.9  # and the means of overlapping responses:
    assert near["mean"] < near["glm"]


@pytest.mark.parametrize("tr", [0.7, 1.4, 2.0, 2.5])
def test_ridge_decodes_pixels_as_well_as_from_betas_that_nilearn_fits(
    tmp_path: Path, tr: float
) -> None:
    made = simulate(tmp_path / "ds", tr, trials=16, shape=(4, 3, 2), noise=4.0)
    ours = load(str(made.root), response="glm", image_size=4)
    theirs = np.concatenate([by_nilearn(made.root, run, "lss", tr) for run in (0, 1)])
    pixels = ours.images[ours.stimulus][..., 0].reshape(len(ours.fmri), -1) / 255.0
    np.testing.assert_array_equal(pixels * 255, made.images.reshape(len(pixels), -1))
    assert abs(_decoded(ours.fmri, pixels) - _decoded(theirs, pixels)) < 0.02
    assert _decoded(ours.fmri, pixels) > 0.3


def _decoded(fmri: np.ndarray, pixels: np.ndarray) -> float:
    """Pixel correlation of ridge regression that is fitted to the first run, in the second."""
    half = len(fmri) // 2
    found = Ridge(alpha=100.0).fit(fmri[:half], pixels[:half]).predict(fmri[half:])
    return float(
        np.mean([np.corrcoef(a, b)[0, 1] for a, b in zip(found, pixels[half:], strict=True)])
    )


def fmriprep(root: Path) -> Path:
    """A run as fMRIPrep leaves it, with a spike in one volume and confounds that know of it."""
    import pandas

    made = simulate(root / "raw", tr=2.0, runs=1, trials=6, shape=(3, 2, 2))
    func = made.root / "sub-01" / "func"
    volumes = func / "sub-01_task-view_run-01_bold.nii.gz"
    image = nibabel.load(volumes)
    scans = image.get_fdata(dtype="f4")
    random = np.random.default_rng(1)
    motion = random.normal(size=(scans.shape[3], 6)).astype("f4")
    scans += 20 * motion[:, 0]
    nibabel.save(
        nibabel.Nifti1Image(scans, image.affine, image.header),
        func / "sub-01_task-view_run-01_space-T1w_desc-preproc_bold.nii.gz",
    )
    volumes.unlink()
    names = ["trans_x", "trans_y", "trans_z", "rot_x", "rot_y", "rot_z"]
    table = pandas.DataFrame(motion, columns=names)
    for name in names:  # what load_confounds(motion="full") takes
        table[f"{name}_derivative1"] = table[name].diff()
        table[f"{name}_power2"] = table[name] ** 2
        table[f"{name}_derivative1_power2"] = table[f"{name}_derivative1"] ** 2
    stem = func / "sub-01_task-view_run-01_desc-confounds_timeseries"
    table.to_csv(f"{stem}.tsv", sep="\t", index=False, na_rep="n/a")
    Path(f"{stem}.json").write_text("{}")
    return made.root


def test_confounds_of_fmriprep_are_part_of_the_model(tmp_path: Path) -> None:
    from nilearn.interfaces.fmriprep import load_confounds

    root = fmriprep(tmp_path)
    func = root / "sub-01" / "func"
    volumes = func / "sub-01_task-view_run-01_space-T1w_desc-preproc_bold.nii.gz"
    table, _ = load_confounds(str(volumes), strategy=["motion"])
    found = load(str(root), response="glm", estimator="lsa", confounds="motion").fmri
    volumes.rename(func / "sub-01_task-view_run-01_bold.nii.gz")  # as by_nilearn expects it
    expected = by_nilearn(root, 0, "lsa", 2.0, table)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)
    with pytest.raises(InputError, match="confounds motion cannot be loaded"):
        load(str(root), response="glm", confounds="motion")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"response": "betas"}, "response is 'betas': expected 'mean' or 'glm'"),
        ({"response": "glm", "estimator": "ols"}, "estimator is 'ols': expected one of lsa, lss"),
        ({"response": "glm", "hrf_model": "canonical"}, "hrf_model is 'canonical': expected"),
        ({"response": "glm", "drift_model": "linear"}, "drift_model is 'linear': expected"),
        ({"response": "glm", "confounds": "motoin"}, "confounds names 'motoin': expected some"),
        ({"response": "glm", "high_pass": -1.0}, "high_pass is -1.0 Hz"),
        ({"hrf_model": "spm"}, "hrf_model is given with response='mean', which has none"),
        ({"response": "glm", "estimator": "glmsingle"}, "needs the package GLMsingle, which is n"),
        ({"delay": float("nan")}, "delay is nan: expected a number of seconds"),
        ({"repetition_time": -2.0}, "repetition_time is -2.0: expected a number"),
    ],
)
def test_options_that_make_no_sense_are_rejected(
    simulated: Simulated, options: dict, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        load(str(simulated.root), **options)


def test_trials_that_cannot_be_distinguished_are_rejected(tmp_path: Path) -> None:
    made = simulate(tmp_path / "ds", tr=2.0, runs=1, trials=4, shape=(2, 2, 2))
    (table,) = (made.root / "sub-01" / "func").glob("*.tsv")
    rows = table.read_text().splitlines()
    table.write_text("\n".join([*rows, rows[-1]]))  # the last event twice
    with pytest.raises(InputError, match="cannot be estimated: other events"):
        load(str(made.root), response="glm", estimator="lsa")
    table.write_text("\n".join([*rows[:-1], "900\t1\t0003.png"]))
    with pytest.raises(InputError, match="at 900 s cannot be estimated: .* the scans end before"):
        load(str(made.root), response="glm")


def test_glmsingle_gets_one_design_per_run_and_gives_betas_in_the_order_of_the_tables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The package's own sums are not ours to test: a stand-in returns when each trial began."""
    made = simulate(tmp_path / "ds", tr=2.0, trials=5, shape=(2, 2, 2))
    for table in (made.root / "sub-01" / "func").glob("*.tsv"):
        head, *rows = table.read_text().splitlines()
        table.write_text("\n".join([head, *rows[::-1]]))
    received = {}

    class Standin:
        def __init__(self, options: dict) -> None:
            received["options"] = options

        def fit(self, designs: list, data: list, stimdur: float, tr: float, **_: str) -> dict:
            received.update(designs=designs, data=data, stimdur=stimdur, tr=tr)
            begins = np.concatenate([np.flatnonzero(design.any(axis=1)) for design in designs])
            return {"typed": {"betasmd": np.tile(begins, (8, 1, 1, 1))}}

    module = types.ModuleType("glmsingle.glmsingle")
    module.GLM_single = Standin  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "glmsingle", types.ModuleType("glmsingle"))
    monkeypatch.setitem(sys.modules, "glmsingle.glmsingle", module)
    found = load(str(made.root), response="glm", estimator="glmsingle")
    assert (received["tr"], received["stimdur"]) == (2.0, 1.0)
    for data, scans in zip(received["data"], made.scans, strict=True):
        np.testing.assert_array_equal(data, scans.T)
    assert [design.shape[1] for design in received["designs"]] == [10, 10]
    volumes = np.concatenate([np.rint(onsets[::-1] / 2) for onsets in made.onsets])
    np.testing.assert_array_equal(found.fmri[:, 0], volumes)
