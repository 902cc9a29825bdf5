"""Benchmarks run: each of their parts that no other test uses, once and small."""

import argparse

from benchmarks import scaling
from fmri_jax.methods.gan.step import jitted
from tests.peers import peer


def test_scaling_measures_a_step_on_all_devices():
    options = argparse.Namespace(batch=4, shard_dense=False, accelerator=False)
    found = scaling.measure(options)
    assert set(found["sent"]) == {"all-reduce"} and found["sent"]["all-reduce"] > 2**20
    assert found["losses"]["image"] > 0


def test_pytorchs_step_of_the_same_networks_has_the_same_losses():
    peer("torch")
    from benchmarks.gan_step import setting

    ours = setting.build(32, published=False, batch=4, dropout=0.0)
    _, terms = jitted(ours.step)(*ours.arguments())
    expected = setting.build_peer(ours, True, True)(*setting.peer_batch(ours, True))
    for name in ("image", "feature", "adversarial", "discriminator_real"):
        assert abs(float(terms[name]) / float(expected[name]) - 1) < 1e-3, name
