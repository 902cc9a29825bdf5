"""A run whose responses pass through a bottleneck, from the recording to its kept decoder."""

import json
import pathlib

import numpy as np
import pytest

import fmri_jax as fj
from fmri_jax import report
from fmri_jax.data.preparation.folds import PreparationConfig
from fmri_jax.data.readers.npz import save_npz
from fmri_jax.errors import InputError
from fmri_jax.pipeline.experiment_config import default_config
from fmri_jax.pipeline.run import run
from tests.pipeline.test_feature_diagnostics import recording_of


def run_of(folder: pathlib.Path, width: int | None) -> pathlib.Path:
    save_npz(recording_of(), folder / "recording.npz")
    config = default_config(method="ridge", data="file")
    config.data.path = str(folder / "recording.npz")
    config.preparation.bottleneck = width
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
    # Its decoder takes responses as they were recorded.
    recording = fj.data.load(tmp_path / "recording.npz")
    decoder = fj.load_decoder(workdir)
    assert decoder.bottleneck is not None and decoder.n_voxels == 40
    rows = np.stack([recording.fmri[recording.stimulus == s].mean(axis=0) for s in range(22, 30)])
    np.testing.assert_allclose(decoder.predict(rows, repeats=2), images, atol=1e-5)


def test_a_bottleneck_of_nothing_is_rejected() -> None:
    with pytest.raises(InputError, match="bottleneck is -1"):
        PreparationConfig(bottleneck=-1)
