"""Features of targets pass a network once, whatever is compared with them."""

import numpy as np

from fmri_jax.evaluation import network_identification, perceptual
from fmri_jax.evaluation.seen_features import SeenFeatures


def test_a_block_is_computed_once_and_forgotten_beyond_the_limit():
    computed = []

    def compute(images):
        computed.append(float(images[0, 0]))
        return {"layer": images + 1}

    seen = SeenFeatures(limit=3 * 8 * 4)
    blocks = [np.full((2, 4), float(i), np.float32) for i in range(4)]
    assert seen.of("a", compute, blocks[0])["layer"] is seen.of("a", compute, +blocks[0])["layer"]
    assert computed == [0]
    for wanted, kind in ((blocks[0], "b"), (blocks[0].astype(np.float64), "a"), (blocks[1], "a")):
        np.testing.assert_array_equal(seen.of(kind, compute, wanted)["layer"], wanted + 1)
    assert computed == [0, 0, 0, 1]
    seen.of("a", compute, blocks[0])  # was the one asked for least recently
    assert computed == [0, 0, 0, 1, 0]
    seen.of("a", compute, blocks[1])
    assert computed == [0, 0, 0, 1, 0]
    large = np.zeros((20, 4), np.float32)
    seen.of("a", compute, large)
    seen.of("a", compute, large)
    assert computed[-2:] == [0, 0]


def test_scores_are_the_same_bits_and_targets_pass_a_network_once(monkeypatch):
    """In the place of networks, sums over squares of pixels."""
    rng = np.random.default_rng(0)
    targets = rng.random((5, 8, 8, 3)).astype(np.float32)
    targets[3] = targets[1]
    made = [rng.random(targets.shape).astype(np.float32) for _ in range(2)]
    passed = []

    def activations(params, images, size=None, network=None):
        passed.append(len(images))
        pooled = np.asarray(images).reshape(len(images), 4, 2, 4, 2, 3).sum(axis=(2, 4))
        if network:
            return {"efficientnet_block3": pooled.reshape(len(images), -1)}
        return {layer: np.float32(pooled) for layer in perceptual.LPIPS_LAYERS}

    monkeypatch.setattr(perceptual, "_activations", activations)
    monkeypatch.setattr(network_identification, "_features", activations)
    heads = [np.ones(3, np.float32)] * 5
    plain = perceptual.PerceptualWeights({}, heads)
    weights = plain._replace(seen=SeenFeatures())

    def counted(score, *given, **options):
        passed.clear()
        return score(*given, **options), len(passed)

    for number, images in enumerate(made):
        score = perceptual.perceptual_values
        expected, without = counted(score, targets, images, plain)
        found, calls = counted(score, targets, images, weights)
        assert without == 3 and calls == (3, 1)[number]
        assert set(found) == {"lpips", "alexnet2", "alexnet5"}
        for name, values in expected.items():
            np.testing.assert_array_equal(found[name], values)
        score, given = network_identification.identification, ("efficientnet_lite0", {}, targets)
        expected, without = counted(score, *given, images)
        found, calls = counted(score, *given, images, seen=weights.seen)
        assert without == 2 and calls == (2, 1)[number]
        np.testing.assert_array_equal(found["efficientnet_block3"], expected["efficientnet_block3"])
