"""The encoder after the decoder: generated images that would evoke the responses."""

import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fmri_jax.errors import InputError
from fmri_jax.methods import RunContext, gan, responses
from fmri_jax.methods.gan.config import Config
from fmri_jax.methods.gan.method import GAN
from fmri_jax.methods.gan.targets import features_in_blocks
from fmri_jax.methods.responses import Responses
from fmri_jax.training.mesh import make_mesh
from tests.methods.feature_decoding.test_responses import trials as squares
from tests.methods.gan.conftest import build_setting

ALONE = {"image_weight": 0.0, "feature_weight": 0.0, "adversarial_weight": 0.0}
trials = squares  # whose responses the images determine


def test_the_term_is_the_misfit_of_the_generated_images(trials):
    small = build_setting(trials, **ALONE, response_weight=3.0)
    features = features_in_blocks(small.step, small.comparator, trials.images)
    model = Responses.of(responses.fit(features, trials))
    images, measured = jnp.asarray(trials.images[:4] / np.float32(255)), trials.fmri[4:8]
    terms, toward = jax.jit(small.step.terms_of_images)(
        small.comparator, images, images, {}, model, measured
    )
    alone = jax.value_and_grad(
        lambda x: jnp.mean(model.misfit(small.step.features(small.comparator, x), measured))
    )
    expected, slope = jax.jit(alone)(images)
    assert expected > 0.5  # responses to other images
    np.testing.assert_allclose(terms["responses"], expected, rtol=1e-5)
    np.testing.assert_allclose(toward, 3 * slope, rtol=1e-3, atol=1e-3 * jnp.abs(slope).max())


def test_a_generator_learns_from_it_alone(trials, tmp_path):
    config = dataclasses.replace(
        build_setting(trials).step.config,
        **ALONE,
        response_weight=1.0,
        n_steps=30,
        learning_rate=3e-3,
    )
    GAN(config).fit(
        trials, RunContext(tmp_path, "all", jax.random.key(0), make_mesh(1), progress=False)
    )
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert lines[-1]["responses"] < 0.7 * lines[0]["responses"]


def test_what_it_learns_through_is_named():
    assert gan.trained_through(Config(**ALONE, response_weight=1.0)) == ("alexnet",)
    assert gan.trained_through(Config(feature_weight=0.0)) == ()


@pytest.mark.parametrize("changes", [{"crop": 24}, {"start": "ridge"}])
def test_responses_to_parts_of_images_are_not_known(changes):
    with pytest.raises(InputError, match="response_weight compares the responses with"):
        Config(response_weight=1.0, **changes)
