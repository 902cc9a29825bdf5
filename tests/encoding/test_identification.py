"""Places of the own image among others by likelihood equal those of SciPy's densities."""

import jax.numpy as jnp
import numpy as np

from fmri_jax.encoding import identification
from fmri_jax.encoding.noise_model import NoiseModel
from tests.peers import peer


def test_places_are_those_of_multivariate_normal_densities(monkeypatch):
    normal = peer("scipy.stats").multivariate_normal
    monkeypatch.setattr(identification, "BLOCK", 7)
    rng = np.random.default_rng(0)
    noise = NoiseModel(jnp.asarray(rng.normal(size=(1, 4)), "float32"), jnp.full(4, 0.3))
    own = rng.normal(size=(5, 4)).astype(np.float32)
    measured = own + 0.7 * rng.normal(size=(5, 4)).astype(np.float32)
    others = rng.normal(size=(21, 4)).astype(np.float32)
    found = identification.place(noise, measured, own, others)
    covariance = np.asarray(noise.covariance())
    expected = [
        sum(
            normal.logpdf(row, other, covariance) > normal.logpdf(row, mine, covariance)
            for other in others
        )
        for row, mine in zip(measured, own, strict=True)
    ]
    assert found.above.tolist() == expected and found.candidates == 21 and max(expected) > 0
    assert found.within(1).tolist() == [float(n == 0) for n in expected]
    assert found.chance(10) == 10 / 22 and found.chance(50) == 1
    tied = identification.Placed(np.array([0.5, 1.0]), 3)
    assert tied.within(1).tolist() == [0.5, 0]
