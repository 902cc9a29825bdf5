"""Training of priors: ruinous steps are left out, and a training of nothing else ends."""

import dataclasses
import json

import jax.numpy as jnp
import numpy as np
import pytest

from fmri_jax.priors.training import MOST_SKIPPED, Options, train
from fmri_jax.training.loop import NotFiniteError
from fmri_jax.training.mesh import make_mesh

DARK, WHITE = np.zeros((1, 4, 4, 3), np.uint8), np.full((1, 4, 4, 3), 255, np.uint8)
OPTIONS = Options(batch_size=1, learning_rate=0.1, warm_up=1, log_every=1, weight_decay=0.0)


@dataclasses.dataclass(frozen=True)
class Objective:
    """Draws its parameter towards 1, but for white images, whose loss is as given."""

    of_white: float

    def initial(self, key):
        return {"w": jnp.zeros(3)}

    def __call__(self, params, images, key):
        loss = jnp.sum((params["w"] - 1) ** 2)
        white = jnp.mean(images) > 0.99
        return loss * jnp.where(white, self.of_white, 1.0), {}


@pytest.mark.parametrize("of_white", [float("nan"), 1e6], ids=["nan", "large"])
def test_steps_of_huge_gradients_change_nothing(tmp_path, of_white) -> None:
    options = dataclasses.replace(OPTIONS, n_steps=40)
    photographs = np.concatenate([DARK, DARK, WHITE, DARK])
    found = train(Objective(of_white), photographs, options, make_mesh(1), tmp_path, progress=False)
    assert np.isfinite(found["w"]).all() and (np.asarray(found["w"]) > 0.5).all()
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert sum(line["skipped"] for line in lines) == 10
    losses = [line["loss"] for line in lines if not line["skipped"]]
    assert losses[-1] < 0.1 * losses[0]


def test_a_training_that_takes_no_steps_ends(tmp_path) -> None:
    options = dataclasses.replace(OPTIONS, n_steps=3 * MOST_SKIPPED, checkpoint_every=1000)
    with pytest.raises(NotFiniteError, match=f"step {MOST_SKIPPED + 1}:"):
        train(Objective(1e6), WHITE, options, make_mesh(1), tmp_path, progress=False)


def test_parameters_that_are_kept_are_an_average_over_steps(tmp_path) -> None:
    """Of two steps, of which the first one has a rate of 0; early ones count less."""
    found = {}
    for averaging in (0.0, 0.99):
        options = dataclasses.replace(OPTIONS, n_steps=2, averaging=averaging)
        place = tmp_path / str(averaging)
        mesh = make_mesh(1)
        found[averaging] = train(Objective(1.0), DARK, options, mesh, place, progress=False)["w"]
    assert np.allclose(found[0.0], 0.1, atol=1e-4)  # a step of Adam
    assert np.allclose(found[0.99], 9 / 11 * found[0.0], rtol=1e-5)


@dataclasses.dataclass(frozen=True)
class Regression:
    """The squared error of a line through pairs."""

    def initial(self, key):
        return {"slope": jnp.zeros(())}

    def __call__(self, params, batch, key):
        return jnp.mean((batch["y"] - params["slope"] * batch["x"]) ** 2), {}


def halved(rows, key):
    """A preparation: both in float32, the target half as large."""
    return {"x": rows["x"].astype(jnp.float32), "y": 0.5 * rows["y"]}


def test_examples_are_dicts_of_arrays_prepared_on_the_device(tmp_path) -> None:
    x = np.random.default_rng(0).normal(size=32).astype(np.float16)
    examples = {"x": x, "y": 6 * x.astype(np.float32)}
    options = dataclasses.replace(OPTIONS, n_steps=150, batch_size=8, averaging=0.5)
    mesh = make_mesh(2)
    found = train(Regression(), examples, options, mesh, tmp_path, progress=False, prepare=halved)
    assert abs(float(found["slope"]) - 3) < 0.02
