"""What the step computes once instead of twice: the same numbers, and truly once."""

import dataclasses
import re

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fmri_jax.methods.gan import targets
from fmri_jax.methods.gan.losses import adversarial_loss, discriminator_loss, shared_cotangent
from fmri_jax.methods.gan.step import jitted
from fmri_jax.methods.gan.targets import comparator_targets
from fmri_jax.networks.discriminator import fitting_layers
from fmri_jax.training.batches import Batches
from fmri_jax.training.mesh import make_mesh


def test_one_gradient_at_the_logits_serves_both_losses():
    logits = jnp.asarray(np.random.default_rng(0).normal(0, 8, (64, 2)), jnp.float32)
    cotangent, exchange = shared_cotangent(logits)
    generated = jax.grad(lambda x: discriminator_loss(x, x)[1])(logits)
    np.testing.assert_allclose(cotangent, generated, rtol=1e-4, atol=1e-9)
    adversarial = jax.grad(adversarial_loss)(logits)
    np.testing.assert_allclose(exchange[:, None] * cotangent, adversarial, rtol=1e-4, atol=1e-9)


@pytest.mark.parametrize("margin", [100.0, -100.0])
def test_a_discriminator_that_is_sure_still_teaches(margin):
    """In float32 a probability below 1e-38 is 0, and the generator's gradient would be 0 / 0."""
    logits = jnp.asarray([[margin, 0.0]])
    cotangent, exchange = shared_cotangent(logits)
    adversarial = jax.grad(adversarial_loss)(logits)
    np.testing.assert_allclose(exchange[:, None] * cotangent, adversarial, rtol=1e-5, atol=1e-9)


def test_generated_images_pass_the_discriminator_once(setting):
    """Convolutions of the compiled programs: an alternating update has one more pass both ways.

    The first layer's input gradient is in both: only the generator's share needs it.
    """
    n_layers = len(fitting_layers(32))
    once, twice = (
        _count_convolutions(setting(feature_weight=0.0, update=update))
        for update in ("simultaneous", "alternating")
    )
    assert twice - once == 2 * n_layers - 1


def _count_convolutions(small, *more) -> int:
    program = jitted(small.step).lower(*small.arguments(), *more).compile().as_text()
    return len(re.findall(r" convolution\(", program))


def test_features_computed_beforehand_change_no_number(setting, trials):
    small = setting(adversarial_weight=0.0)
    mesh = make_mesh(1)
    features = comparator_targets(small.step, small.comparator, trials.images, mesh)
    assert features is not None and len(features["relu2"]) == len(trials.images)
    expected, expected_terms = jitted(small.step)(*small.arguments())
    found, found_terms = jitted(small.step)(*small.arguments(), features)
    for name, value in expected_terms.items():
        np.testing.assert_allclose(found_terms[name], value, rtol=2e-6, err_msg=name)
    moments = found.generator.optimiser, expected.generator.optimiser  # of the first gradient
    chex.assert_trees_all_close(*moments, rtol=1e-3, atol=1e-5)
    n_comparator = 1  # conv1; conv2 sees 3 x 3 pixels here and is products (`conv.taps`)
    alone = _count_convolutions(small)
    assert alone - _count_convolutions(small, features) == n_comparator


@pytest.mark.parametrize("changes", [{"crop": 24}, {"feature_weight": 0.0}, {"n_steps": 1}])
def test_no_features_beforehand_where_they_would_not_hold_or_pay(setting, trials, changes):
    small = setting(**{"crop": 0, **changes})
    assert comparator_targets(small.step, small.comparator, trials.images, make_mesh(1)) is None


def test_features_that_outgrow_the_device_are_left_to_the_step_which_is_said(
    setting, trials, monkeypatch
):
    said = []
    monkeypatch.setattr(
        targets.logging, "warning", lambda text, *values: said.append(text % values)
    )
    small = setting()
    limited = comparator_targets(small.step, small.comparator, trials.images, make_mesh(1), 1000)
    assert limited is None
    assert "features of 12 training images take" in said[0] and "slower" in said[0]


def test_each_image_has_its_own_row_of_features(setting, trials):
    """Twelve images in blocks of eight: the second block is filled up, and cut off again."""
    small = setting()
    mesh = make_mesh(4)
    found = comparator_targets(small.step, small.comparator, trials.images, mesh)["relu2"]
    features = jax.jit(small.step.features)
    expected = features(small.comparator, jnp.asarray(trials.images) / 255)["relu2"]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    assert found.sharding.is_fully_replicated and len(found.sharding.device_set) == 4


@pytest.mark.parametrize("device_limit", [None, 0])
def test_a_batch_finds_the_features_of_its_own_images(setting, trials, tmp_path, device_limit):
    """A fold shows some of a recording's images only: rows count those, not all of them."""
    some = np.isin(trials.stimulus, (1, 4, 5, 7, 8, 10, 11))
    fold = dataclasses.replace(
        trials, fmri=trials.fmri[some], stimulus=trials.stimulus[some], run=trials.run[some]
    )
    small, mesh = setting(), make_mesh(1)
    images = fold.images[np.unique(fold.stimulus)]
    features = comparator_targets(small.step, small.comparator, images, mesh)["relu2"]
    limit = {} if device_limit is None else {"device_limit_bytes": device_limit}
    batch = Batches(fold, 8, 0, mesh, records=tmp_path, **limit)(0)
    expected = jax.jit(small.step.features)(small.comparator, batch.images)["relu2"]
    np.testing.assert_allclose(features[batch.stimulus], expected, rtol=1e-4, atol=1e-5)
