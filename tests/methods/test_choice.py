"""Decoders that 0.1 kept choose samples as they did."""

import jax
import jax.numpy as jnp
import numpy as np

from fmri_jax.linear import dual_ridge, target_map
from fmri_jax.methods import choice


def test_the_map_of_earlier_versions_predicts_the_same_responses():
    rng = np.random.default_rng(0)
    features, rows = rng.normal(3, 2, (12, 5)).astype(np.float32), rng.normal(size=(12, 4))
    mean, std = features.mean(axis=0), features.std(axis=0)
    decomposed = dual_ridge.decompose((features - mean) / std)
    fitted = target_map.fit(
        decomposed, {"responses": rows.astype(np.float32)}, {"responses": 0.5}, 1
    )
    trust = np.linspace(0, 1, 4, dtype=np.float32)
    kept = {"map": target_map.state(fitted, ()), "mean": mean, "std": std}
    restored = choice.restore(jax.tree.map(jnp.asarray, {**kept, "trust": trust}))
    new = rng.normal(3, 2, (6, 5)).astype(np.float32)
    expected = fitted.decode((new - mean) / std)["responses"]
    found = restored.from_maps({choice.LAYER: new[:, None, None]})
    np.testing.assert_allclose(restored.recorded(found), expected, atol=1e-5)
    np.testing.assert_array_equal(restored.accuracy, trust)
    again = choice.restore(jax.tree.map(jnp.asarray, choice.state(restored)))
    np.testing.assert_array_equal(again.from_maps({choice.LAYER: new[:, None, None]}), found)
