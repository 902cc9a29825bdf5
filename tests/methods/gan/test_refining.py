"""A generator that refines ridge's image: what it is given, and what is kept of it."""

import dataclasses

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fmri_jax.errors import InputError
from fmri_jax.evaluation.ridge import ridge
from fmri_jax.methods import RunContext, gan
from fmri_jax.methods.gan.config import Config
from fmri_jax.methods.gan.method import GAN
from fmri_jax.methods.gan.refining import cut_centre, moved_together, start_from_ridge
from fmri_jax.training.averaging import averaged
from fmri_jax.training.mesh import make_mesh
from tests.methods.gan.conftest import SMALL

REFINING = dataclasses.replace(SMALL, start="ridge", averaging=0.9)
# One network compiles in a third of the time.
ALONE = dataclasses.replace(REFINING, feature_weight=0.0, adversarial_weight=0.0)


def context(workdir) -> RunContext:
    return RunContext(workdir, "all", jax.random.key(3), make_mesh(1), progress=False)


def test_before_training_the_image_is_that_of_ridge(trials, tmp_path):
    config = dataclasses.replace(ALONE, n_steps=1, learning_rate=0.0, crop=24)
    fitted = GAN(config).fit(trials, context(tmp_path))
    expected = ridge(trials.fmri, trials.stimulus, trials.images, average=False)
    made = np.asarray(fitted.reconstruct(jnp.asarray(trials.fmri)))
    assert made.shape == (24, 24, 24, 3) and fitted.image_shape == (24, 24, 3)
    whole = expected.reconstruct(trials.fmri)
    np.testing.assert_allclose(made, whole[:, 4:28, 4:28], atol=1e-6)
    np.testing.assert_array_equal(cut_centre(whole, 24), whole[:, 4:28, 4:28])


def test_a_trained_one_refines_is_kept_and_resumes_to_the_same_bits(trials, tmp_path):
    first = GAN(REFINING).fit(trials, context(tmp_path / "whole"))
    GAN(dataclasses.replace(REFINING, n_steps=3)).fit(trials, context(tmp_path / "killed"))
    resumed = GAN(REFINING).fit(trials, context(tmp_path / "killed"))
    chex.assert_trees_all_equal(first.params, resumed.params, strict=True)
    fmri = jnp.asarray(trials.fmri)
    made = np.asarray(first.reconstruct(fmri))
    begun = ridge(trials.fmri, trials.stimulus, trials.images, average=False)
    assert np.abs(made - begun.reconstruct(trials.fmri)).max() > 1e-4
    again = gan.restore(*first.state())
    np.testing.assert_array_equal(again.reconstruct(fmri), made)
    with pytest.raises(InputError, match="takes 20 voxels, and these responses have 19"):
        first.reconstruct(fmri[:, 1:])


def test_in_training_it_is_given_images_of_stimuli_that_ridge_has_not_seen(trials):
    _, given = start_from_ridge(trials)
    fitted = ridge(trials.fmri, trials.stimulus, trials.images, average=False)
    others = trials.stimulus != 5
    model = pytest.importorskip("sklearn.linear_model").Ridge(float(fitted.penalty))
    model.fit(trials.fmri[others], trials.targets()[others].reshape(others.sum(), -1))
    np.testing.assert_allclose(given.fmri[~others], model.predict(trials.fmri[~others]), atol=1e-4)
    np.testing.assert_array_equal(given.stimulus, trials.stimulus)


def test_both_sides_are_mirrored_and_shifted_alike(trials):
    images = jnp.asarray(trials.targets()[:12])
    given, targets = moved_together(jax.random.key(0), images, images)
    np.testing.assert_array_equal(given, targets)
    inside = np.asarray(given)[:, 4:-4, 4:-4]
    mirrored = []
    for image, found in zip(np.asarray(images), inside, strict=True):
        views = {
            side: [view[i : i + 24, j : j + 24] for i in range(9) for j in range(9)]
            for side, view in enumerate((image, image[:, ::-1]))
        }
        sides = [s for s in views if any(np.array_equal(found, view) for view in views[s])]
        assert len(sides) == 1
        mirrored += sides
    assert 0 < np.mean(mirrored) < 1


def test_the_moving_average_starts_with_the_steps_and_then_holds():
    params = {"w": jnp.arange(3.0)}
    early = averaged({"w": jnp.zeros(3)}, params, 0.98, jnp.array(0))
    np.testing.assert_allclose(early["w"], 0.9 * np.arange(3), rtol=1e-6)
    late = averaged({"w": jnp.ones(3)}, params, 0.98, jnp.array(10_000))
    np.testing.assert_allclose(late["w"], 0.98 + 0.02 * np.arange(3), rtol=1e-6)


@pytest.mark.parametrize(
    "options", [{"averaging": 1.0}, {"averaging": -0.1}, {"start": "ridge", "fmri_noise": 0.1}]
)
def test_options_that_cannot_be_meant_are_refused(options):
    with pytest.raises(InputError, match="expected"):
        Config(**options)
