"""A run keeps what the model of each fold learned, and its page shows it."""

import base64
import json
import pathlib
import shutil

import numpy as np
import pytest

from fmri_jax import report
from fmri_jax.pipeline.experiment_config import default_config
from fmri_jax.pipeline.run import run
from tests.pipeline.killing import killed_before_the_second_fold


@pytest.fixture
def recording(tmp_path) -> pathlib.Path:
    """Eight images, three times each; every pixel has a noisy voxel."""
    rng = np.random.default_rng(0)
    images = (rng.random((8, 4, 4, 1)) > 0.5).astype(np.uint8) * 255
    stimulus = np.tile(np.arange(8, dtype=np.int32), 3)
    fmri = images[stimulus].reshape(24, 16) / 255 + rng.normal(0, 0.3, (24, 16))
    path = tmp_path / "mine.npz"
    np.savez(path, fmri=fmri.astype(np.float32), stimulus=stimulus, images=images)
    return path


def local_decoders(path: pathlib.Path, **method):
    config = default_config(method="local_decoders", data="file")
    config.data.path = str(path)
    config.preparation.split = "stimulus"
    config.preparation.n_folds = 2
    config.preparation.average_repeats = "none"
    config.method.update(method)
    config.evaluation.perceptual = False
    config.evaluation.n_bootstrap = 20
    return config


def learned(workdir: pathlib.Path) -> dict:
    return json.loads((workdir / "run.json").read_text())["learned"]


def test_the_learned_weight_of_each_scale_is_kept(recording, tmp_path):
    page = run(local_decoders(recording, decoder="ridge"), tmp_path / "run", progress=False)
    folds = learned(tmp_path / "run")
    assert list(folds) == ["stimulus group 1 of 2", "stimulus group 2 of 2"]
    for fold in folds.values():
        assert (fold["decoder"], fold["alpha"]) == ("ridge", 1.0)
        assert fold["n_voxels"] == 16  # all that there are of the 500 that were allowed
        weights = [fold[f"weight of {scale}"] for scale in ("1x1", "1x2", "2x1", "2x2")]
        assert min(weights) >= 0 and 0.5 < sum(weights) < 2
    text = page.read_text()
    assert "What was learned" in text and "weight of 2x2" in text
    assert f"<td>{folds['stimulus group 2 of 2']['weight of 1x1']:.4g}</td>" in text


def test_the_method_s_own_figures_are_on_the_page(recording, tmp_path):
    folder = tmp_path / "run"
    with killed_before_the_second_fold():
        run(local_decoders(recording, decoder="ridge"), folder, progress=False)
    run(local_decoders(recording, decoder="ridge"), folder, progress=False)
    captions = json.loads((folder / "run.json").read_text())["figures"]
    assert set(captions) == {"scale_weights", "voxel_maps"}
    page = report.write(folder).read_text()  # from the files of the run alone
    for name, caption in captions.items():
        drawn = base64.b64encode((folder / "figures" / f"{name}.png").read_bytes()).decode()
        assert f'<img src="data:image/png;base64,{drawn}" alt="{name.replace("_", " ")}"' in page
        assert caption.split("(")[0].split("'")[0] in page
    (folder / "figures" / "voxel_maps.png").unlink()
    assert 'alt="voxel maps"' not in report.write(folder).read_text()


def test_a_run_whose_decoders_were_not_kept_has_no_such_figures(recording, tmp_path):
    folder, config = tmp_path / "run", local_decoders(recording, decoder="ridge", weights="equal")
    run(config, folder, progress=False)
    shutil.rmtree(folder / "decoders")  # as a run of an earlier version
    (folder / "run.json").unlink()
    run(config, folder, progress=False, rescore=True)
    assert "figures" not in json.loads((folder / "run.json").read_text())


def test_what_was_chosen_is_kept_though_the_run_was_killed(recording, tmp_path):
    config, folder = local_decoders(recording, select="inner", n_inner=2), tmp_path / "run"
    with killed_before_the_second_fold():
        run(config, folder, progress=False)
    first = learned(folder)
    assert list(first) == ["stimulus group 1 of 2"]
    page = run(config, folder, progress=False)
    both = learned(folder)
    assert len(both) == 2 and both["stimulus group 1 of 2"] == first["stimulus group 1 of 2"]
    text = page.read_text()
    for fold, chosen in both.items():
        assert chosen["decoder"] in ("omp", "ridge", "receptive_fields")
        assert chosen["scales"] and "alpha" in chosen or "n_nonzero" in chosen
        assert f'<th scope="row">{fold}</th><td>{chosen["decoder"]}</td>' in text
