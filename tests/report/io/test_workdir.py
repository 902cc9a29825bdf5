"""Missing and malformed files of a workdir: one sentence each."""

import json

import numpy as np
import pytest

from fmri_jax import report
from fmri_jax.errors import InputError
from fmri_jax.report.figures import curves
from fmri_jax.report.io import workdir


def edit_json(path, change):
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def edit_arrays(path, change):
    with np.load(path) as archive:
        arrays = {key: archive[key] for key in archive}
    change(arrays)
    np.savez(path, **arrays)


@pytest.mark.parametrize("name", ["config.json", "run.json", "scores.json", "reconstructions.npz"])
def test_missing_file(copy, name):
    (copy / name).unlink()
    with pytest.raises(InputError, match=f"{name} does not exist"):
        report.write(copy)
    assert not (copy / "report.html").exists()


@pytest.mark.parametrize("name", ["config.json", "run.json", "scores.json", "reconstructions.npz"])
def test_broken_file(copy, name):
    content = (copy / name).read_bytes()
    (copy / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match=name):
        report.write(copy)


@pytest.mark.parametrize(
    "change, sentence",
    [
        (lambda a: a.pop("split"), "no array 'split'"),
        (lambda a: a.update(split=np.full(len(a["split"]), b"\xff")), "split is not text"),
        (lambda a: a.update(targets=a["targets"][0]), "targets has shape"),
        (
            lambda a: a.update(reconstructions=a["reconstructions"][:-1]),
            "reconstructions has shape",
        ),
        (lambda a: a.update(baseline_ridge=a["targets"][:, :8]), "baseline_ridge has shape"),
        (lambda a: a.update(reconstructions=a["targets"] * 255), "ranges from 0 to 255"),
        (lambda a: a.update(reconstructions=a["targets"] * np.nan), "not finite"),
        (lambda a: a.update(split=np.full(len(a["split"]), "train")), "names no test set"),
        (lambda a: a.update(split=np.array([{}] * len(a["split"]))), "cannot be read"),
    ],
)
def test_malformed_arrays(copy, change, sentence):
    edit_arrays(copy / "reconstructions.npz", change)
    with pytest.raises(InputError, match=sentence) as error:
        report.write(copy)
    assert "reconstructions.npz" in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    "change, sentence",
    [
        (lambda s: s["sets"].pop("test"), "no scores under 'test'"),
        (lambda s: s["sets"].update(train=[1]), "train is a list"),
        (lambda s: s["sets"]["test"].update(ssim="high"), "test.ssim is 'high'"),
        (lambda s: s["sets"]["test"].update(ssim={"mean": 1}), r"has the keys \['mean'\]"),
        (lambda s: s["per_image"][2].update(index=10_000), r"per_image\[2\] has index 10000"),
        (lambda s: s["chance"].update(ssim=True), "chance.ssim is True"),
        (lambda s: s.update(version=3), "has version 3: this version of fmri_jax reads versions"),
        (lambda s: s["notes"][0].update(kind="remarc"), r"notes\[0\]: .*did you mean 'remark'"),
        (lambda s: s["notes"][0].update(severity="dire"), "severity 'dire': expected warning or"),
    ],
)
def test_malformed_scores(copy, change, sentence):
    edit_json(copy / "scores.json", change)
    with pytest.raises(InputError, match=sentence):
        report.write(copy)


def test_run_without_data(copy):
    edit_json(copy / "run.json", lambda run: run.pop("data"))
    with pytest.raises(InputError, match="no object under 'data'"):
        report.write(copy)


def test_malformed_curve_names_its_line(copy):
    lines = (copy / "metrics.jsonl").read_text().splitlines()
    lines[4] = '{"loss": 1.0}'
    (copy / "metrics.jsonl").write_text("\n".join(lines) + "\n")
    with pytest.raises(InputError, match=r"metrics.jsonl, line 5"):
        report.write(copy)


def test_last_line_of_a_killed_run_is_left_out(copy):
    path = copy / "metrics.jsonl"
    path.write_text(path.read_text() + '{"step": 99999, "lo')
    steps, _ = workdir.read(copy).curves["loss_image"]["all"]
    assert steps[-1] == 2000


def test_step_logged_twice_counts_once(copy):
    path = copy / "metrics.jsonl"
    path.write_text(path.read_text() + '{"step": 100, "fold": "all", "loss_image": 7.5}\n')
    steps, values = workdir.read(copy).curves["loss_image"]["all"]
    assert len(steps) == len(set(steps)) == 201
    assert values[list(steps).index(100)] == 7.5


def test_constant_curves_are_not_shown(photographs):
    shown = curves.shown(workdir.read(photographs).curves)
    assert "learning_rate" not in shown and "loss_image" in shown


def test_thinning_keeps_the_mean():
    steps, values = np.arange(3000), np.random.default_rng(0).random(3000)
    thin_steps, thin_values = curves.thinned((steps, values))
    assert len(thin_steps) == 300
    np.testing.assert_allclose(thin_values.mean(), values.mean())
    np.testing.assert_allclose(thin_steps.mean(), steps.mean())


def test_median_over_folds_of_different_length():
    lines = [(np.arange(5), np.full(5, v)) for v in (1.0, 3.0)] + [(np.arange(3), np.full(3, 9.0))]
    np.testing.assert_allclose(curves.median(lines)[1], [3, 3, 3, 2, 2])


@pytest.mark.parametrize(
    "values, expected", [([1, 100], True), ([1, 10], False), ([0, 100], False), ([-1, 100], False)]
)
def test_logarithmic_axis_only_for_wide_positive_curves(values, expected):
    assert curves.wants_log(np.array(values, float)) is expected


def test_pixel_correlation_of_unscored_rows_is_computed(copy):
    edit_json(copy / "scores.json", lambda scores: scores.update(per_image=[]))
    run = workdir.read(copy)
    for row in (0, 5):
        pair = run.targets[row].ravel(), run.reconstructions[row].ravel()
        assert run.pixel_correlation[row] == pytest.approx(np.corrcoef(*pair)[0, 1], abs=1e-6)
