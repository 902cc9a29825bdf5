"""The public names: all there, and nothing is imported before it is used."""

import subprocess
import sys

import numpy as np

import fmri_jax as fj


def test_every_public_name_can_be_used():
    assert set(fj.__all__) <= set(dir(fj))
    for name in fj.__all__:
        assert getattr(fj, name) is not None
    assert fj.metrics.score.__module__ == "fmri_jax.evaluation.scores"
    assert fj.load is fj.data.load and fj.linear.omp and fj.pretrained.load
    assert fj.networks.AlexNet and issubclass(fj.errors.InputError, ValueError)


def test_importing_the_package_imports_no_heavy_library():
    code = (
        "import sys, fmri_jax as fj; fj.__version__, fj.errors.InputError, fj.data.load;"
        "print(*sorted({'jax', 'flax', 'sklearn', 'scipy', 'matplotlib', 'tensorflow_datasets'}"
        " & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_a_small_simulated_subject_is_the_same_for_the_same_seed():
    options = {"n_training": 12, "n_test": 4, "n_voxels": 20, "image_size": 16}
    one, same, other = (fj.datasets.make_simulated_subject(s, **options) for s in (0, 0, 1))
    assert one.simulated and one.fingerprint() == same.fingerprint() != other.fingerprint()
    assert one.images.shape == (16, 16, 16, 3) and one.fmri.shape == (12 * 3 + 4 * 8, 20)
    assert set(np.unique(one.split)) == {"train", "test"}
