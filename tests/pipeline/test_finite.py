"""NaN in a fit or a reconstruction ends a run before anything of the fold is kept."""

import jax.numpy as jnp
import numpy as np
import pytest

from fmri_jax.errors import InputError
from fmri_jax.methods.ridge.method import Ridge, RidgeReconstructor
from fmri_jax.pipeline import finite
from fmri_jax.pipeline.experiment_config import default_config
from fmri_jax.pipeline.run import run
from tests.pipeline.small_recording import write_recording


class Fitted:
    def __init__(self, **arrays):
        self.arrays = arrays

    def state(self):
        return self.arrays, {}


@pytest.mark.parametrize("dtype", [np.float32, jnp.bfloat16])
def test_the_array_is_named(dtype):
    array = np.zeros((3, 4), dtype)
    finite.check_fit(Fitted(weights=array, chosen=np.arange(3)), "all")
    array[1, 2] = np.inf
    with pytest.raises(InputError, match=r"1 of 12 numbers that are not finite in 'weights'"):
        finite.check_fit(Fitted(chosen=np.arange(3), weights=array), "all")


def test_the_first_trial_is_named():
    images = np.zeros((5, 2, 2, 3), np.float32)
    finite.check_images(images, "test", "all")
    images[2:4, 0, 1] = np.nan
    with pytest.raises(InputError, match=r"2 of 5 .* of 'test' .* first of trial 2"):
        finite.check_images(images, "test", "all")


def test_a_run_keeps_nothing_of_such_a_fold(tmp_path, monkeypatch):
    write_recording(tmp_path / "recording.npz")
    config = default_config("ridge", "file").to_dict()
    config["data"]["path"] = str(tmp_path / "recording.npz")
    config["preparation"] |= {"split": "stimulus", "n_folds": 2}
    fit = Ridge.fit

    def diverged(self, trials, context):
        found = fit(self, trials, context)
        arrays, options = found.state()
        name = next(iter(arrays))
        return RidgeReconstructor.restore(
            {**arrays, name: np.full_like(arrays[name], np.nan)}, options
        )

    monkeypatch.setattr(Ridge, "fit", diverged)
    with pytest.raises(InputError, match="are not finite in"):
        run(config, tmp_path / "run", progress=False)
    left = {path.name for path in (tmp_path / "run").iterdir() if not path.name.startswith(".")}
    assert left == {"config.json", "run.json"}
