"""Runs whose responses a bottleneck or a kernel replaces, from the recording to a kept decoder."""

import json
import pathlib

import numpy as np
import pytest
from sklearn.kernel_ridge import KernelRidge
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.preprocessing import KernelCenterer

import fmri_jax as fj
from fmri_jax import report
from fmri_jax.data.preparation.folds import PreparationConfig
from fmri_jax.data.readers.npz import save_npz
from fmri_jax.errors import InputError
from fmri_jax.linear.kernel import KernelComponents
from fmri_jax.pipeline import rows as rows_of_runs
from fmri_jax.pipeline.experiment_config import default_config
from fmri_jax.pipeline.run import run
from tests.pipeline.test_feature_diagnostics import recording_of


def run_of(folder: pathlib.Path, width: int | None, **preparation: object) -> pathlib.Path:
    save_npz(recording_of(), folder / "recording.npz")
    config = default_config(method="ridge", data="file")
    config.data.path = str(folder / "recording.npz")
    config.preparation.update(bottleneck=width, **preparation)
    config.evaluation.update(perceptual=False, n_bootstrap=0, roi_activation=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(report, "write", lambda workdir: workdir)
        run(config, folder / f"run_{width}", progress=False)
    return folder / f"run_{width}"


def stored_names(workdir: pathlib.Path) -> list[str]:
    with np.load(workdir / "reconstructions.npz") as stored:
        return stored["activation_regions"].tolist()


def test_one_number_makes_images_along_one_line(tmp_path: pathlib.Path) -> None:
    """Of one number ridge makes the mean image and one pattern, weighted."""
    workdir = run_of(tmp_path, 1)
    with np.load(workdir / "reconstructions.npz") as stored:
        test = stored["split"] == "test"
        images = stored["reconstructions"][test]
        inside = ((images > 1e-3) & (images < 1 - 1e-3)).all(axis=0).ravel()  # not clipped
        rows = images.reshape(len(images), -1)[:, inside]
    strengths = np.linalg.svd(rows - rows.mean(axis=0), compute_uv=False)
    assert inside.sum() > 10 and strengths[1] < 1e-3 * strengths[0]
    scores = json.loads((workdir / "scores.json").read_text())
    assert scores["sets"]["test"]["identification_2way"]["value"] > 0.5
    # A region's activation moves along that line, too.
    assert stored_names(workdir) == ["mean response", "A", "B", "everything"]
    assert (workdir / "figures" / "roi_activation.png").is_file()
    # Shuffled fMRI is one of voxels: one number has no other order.
    kept = rows_of_runs.read(workdir / "folds" / "000.npz", "all")
    assert kept is not None
    shuffled = kept.predictions["shuffled_fmri"][kept.split == "test"]
    moved = np.abs(shuffled - images).reshape(len(images), -1).max(axis=1)
    assert (moved > 0.02).mean() > 0.8
    # Its decoder takes responses as they were recorded.
    recording = fj.data.load(tmp_path / "recording.npz")
    decoder = fj.load_decoder(workdir)
    assert decoder.recoding is not None and decoder.n_voxels == 40
    rows = np.stack([recording.fmri[recording.stimulus == s].mean(axis=0) for s in range(22, 30)])
    np.testing.assert_allclose(decoder.predict(rows, repeats=2), images, atol=1e-5)


def test_ridge_of_a_kernel_is_kernel_ridge(tmp_path: pathlib.Path) -> None:
    workdir = run_of(tmp_path, None, kernel="gaussian", noise_scaling=False, average_repeats="all")
    recording = fj.data.load(tmp_path / "recording.npz")
    decoder = fj.load_decoder(workdir)
    fitted = decoder.recoding
    assert isinstance(fitted, KernelComponents) and decoder.n_voxels == 40
    means = [recording.fmri[recording.stimulus == s].mean(axis=0) for s in range(30)]
    x, gamma = decoder.standardise(np.stack(means)), 1 / (2 * float(fitted.width) ** 2)
    y = recording.images[:22].reshape(22, -1) / 255
    centre = KernelCenterer().fit(rbf_kernel(x[:22], gamma=gamma))
    inner, outer = (
        centre.transform(rbf_kernel(part, x[:22], gamma=gamma)) for part in (x[:22], x[22:])
    )
    unit = np.square(fitted(x[:22])).sum() / np.trace(inner)
    alpha = decoder.reconstructor.summary()["penalty"] / unit
    peer = KernelRidge(alpha=alpha, kernel="precomputed").fit(inner, y - y.mean(axis=0))
    expected = np.clip(peer.predict(outer) + y.mean(axis=0), 0, 1)
    with np.load(workdir / "reconstructions.npz") as stored:
        images = stored["reconstructions"][stored["split"] == "test"]
    np.testing.assert_allclose(images.reshape(8, -1), expected, atol=2e-3)
    np.testing.assert_allclose(decoder.predict(np.stack(means[22:])), images, atol=1e-5)


@pytest.mark.parametrize(
    "others, message",
    [
        ({"bottleneck": 3}, "has bottleneck, and kernel is 'gaussian': expected one"),
        ({"unlabelled": "photographs.zip"}, "has unlabelled, and kernel"),
        ({}, "set config.preparation.noise_scaling to False"),
    ],
)
def test_what_excludes_a_kernel_is_rejected(others: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        PreparationConfig(kernel="gaussian", **others)  # type: ignore[arg-type]


def test_a_kernel_of_single_trials_is_rejected(tmp_path: pathlib.Path) -> None:
    with pytest.raises(InputError, match="44 trials of 22 stimuli: expected one average of each"):
        run_of(tmp_path, None, kernel="gaussian", noise_scaling=False)


def test_a_bottleneck_of_nothing_is_rejected() -> None:
    with pytest.raises(InputError, match="bottleneck is -1"):
        PreparationConfig(bottleneck=-1)
