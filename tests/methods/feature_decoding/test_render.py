"""Rendering against PyTorch's optimisers and closed forms, on layers that are linear."""

import dataclasses

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fmri_jax.methods.feature_decoding import objective as objectives
from fmri_jax.methods.feature_decoding import render as rendering
from fmri_jax.methods.feature_decoding.canvases import ImagePrior, Pixels
from fmri_jax.methods.feature_decoding.config import PIXELS, Config
from fmri_jax.methods.feature_decoding.objective import Objective
from fmri_jax.methods.feature_decoding.render import render
from tests.peers import peer

SHAPE = (3, 4, 4, 1)
CANVAS = Pixels(SHAPE[1:])


@flax.struct.dataclass
class Linear:
    """A network of one linear layer."""

    matrix: jax.Array

    def __call__(self, images: jax.Array) -> dict[str, jax.Array]:
        """(n, 4, 4, 1) -> {'linear': (n, units)}."""
        return {"linear": images.reshape(len(images), -1) @ self.matrix}


@pytest.fixture
def problem():
    """Targets that images in the middle of [0, 1] reach, in 20 units."""
    rng = np.random.default_rng(0)
    matrix = rng.standard_normal((16, 20)).astype(np.float32)
    images = rng.uniform(0.2, 0.8, SHAPE).astype(np.float32)
    encoder = Linear(jnp.asarray(matrix))
    return encoder, images, rng.uniform(0.3, 0.7, SHAPE).astype(np.float32)


def make(encoder, images, total_variation=0.0):
    targets = encoder(jnp.asarray(images))
    weights = objectives.layer_weights(targets, {})
    return Objective(encoder, targets, weights, total_variation)


def options(**given) -> Config:
    return Config(**{"learning_rate": 0.02, "final_learning_rate": 0.02, "n_steps": 20, **given})


def test_the_loss_is_the_sum_of_relative_errors_and_total_variation(problem):
    encoder, images, start = problem
    found = make(encoder, images, 0.5)(jnp.asarray(start))
    for i in range(3):
        target, own = (x[i].ravel() @ np.asarray(encoder.matrix) for x in (images, start))
        square = start[i, ..., 0]
        variation = np.abs(np.diff(square, axis=0)).sum() + np.abs(np.diff(square, axis=1)).sum()
        expected = ((own - target) ** 2).sum() / (target**2).sum() + 0.5 * variation / 16
        np.testing.assert_allclose(found[i], expected, rtol=1e-4)


@pytest.mark.parametrize("optimiser", ["adam", "lbfgs"])
def test_steps_take_what_they_give_so_that_they_are_compiled_once(problem, optimiser):
    """From grey images, whose type is that of a Python number."""
    encoder, images, _ = problem
    config = options(optimiser=optimiser)
    descent = rendering.Descent(*(getattr(config, name) for name in rendering.Descent._fields))
    start = rendering._start(CANVAS, jnp.full(SHAPE, 0.5), descent)
    objective = make(encoder, images)
    after = jax.eval_shape(
        lambda: rendering._step(start, objective, CANVAS, descent, jnp.zeros(2, int))
    )
    kinds = [[(x.shape, x.dtype, x.weak_type) for x in jax.tree.leaves(p)] for p in (start, after)]
    assert kinds[0] == kinds[1]


def test_a_target_of_zeros_weighs_nothing():
    targets = {"a": jnp.zeros((2, 3)), "b": jnp.ones((2, 4)), PIXELS: jnp.ones((2, 2, 2, 1))}
    weights = objectives.layer_weights(targets, {PIXELS: 3.0})
    np.testing.assert_array_equal(weights["a"], 0)
    np.testing.assert_allclose(weights["b"], 0.25)
    np.testing.assert_allclose(weights[PIXELS], 0.75)


@pytest.mark.parametrize("optimiser", ["adam", "momentum"])
def test_descent_is_that_of_pytorch(problem, optimiser):
    torch = peer("torch")
    encoder, images, start = problem
    config = options(optimiser=optimiser, n_steps=12, learning_rate=1e-3, final_learning_rate=1e-3)
    found, lowest = render(
        make(encoder, images), CANVAS, jnp.asarray(start), config, jax.random.key(0)
    )
    matrix, target = torch.tensor(np.asarray(encoder.matrix)), torch.tensor(images)
    for i in range(3):  # each image has an optimiser of its own
        x = torch.tensor(start[i : i + 1], requires_grad=True)
        wanted = target[i : i + 1].reshape(1, -1) @ matrix
        peer_optimiser = (
            torch.optim.Adam([x], lr=1e-3)
            if optimiser == "adam"
            else torch.optim.SGD([x], lr=1e-3, momentum=0.9)
        )
        for _ in range(12):
            peer_optimiser.zero_grad()
            loss = ((x.reshape(1, -1) @ matrix - wanted) ** 2).sum() / (wanted**2).sum()
            loss.backward()
            if optimiser == "momentum":
                x.grad /= x.grad.abs().mean()
            peer_optimiser.step()
        np.testing.assert_allclose(found[i], x.detach().numpy()[0], atol=1e-5)
    assert (np.asarray(lowest) < np.asarray(make(encoder, images)(jnp.asarray(start)))).all()


@pytest.mark.parametrize("optimiser", ["adam", "momentum", "lbfgs"])
def test_every_optimiser_finds_images_whose_layer_matches(problem, optimiser):
    encoder, images, start = problem
    steps = 40 if optimiser == "lbfgs" else 200
    config = options(optimiser=optimiser, n_steps=steps, final_learning_rate=0.0)
    found, lowest = render(
        make(encoder, images), CANVAS, jnp.asarray(start), config, jax.random.key(0)
    )
    assert lowest.max() < 1e-3
    assert np.abs(np.asarray(found) - images).max() < 0.1  # 20 units see all of 16 pixels


@pytest.mark.parametrize("optimiser", ["adam", "lbfgs"])
def test_an_image_does_not_depend_on_the_others(problem, optimiser):
    encoder, images, start = problem
    config, key = options(optimiser=optimiser), jax.random.key(0)
    others = np.random.default_rng(1).uniform(0, 1, SHAPE).astype(np.float32)
    others[1] = images[1]
    together, _ = render(make(encoder, images), CANVAS, jnp.asarray(start), config, key)
    elsewhere, _ = render(make(encoder, others), CANVAS, jnp.asarray(start), config, key)
    np.testing.assert_allclose(elsewhere[1], together[1], atol=1e-5)
    assert np.abs(np.asarray(elsewhere[0] - together[0])).max() > 1e-2


def test_the_deep_image_prior_paints_what_was_decoded(problem):
    encoder, images, _ = problem
    canvas = ImagePrior(jax.random.uniform(jax.random.key(0), (1, 4, 4, 3)), SHAPE[1:])
    config = options(n_steps=60, learning_rate=3e-3, final_learning_rate=3e-3)
    objective, start = make(encoder, images), canvas.start({}, 3)
    before = objective(jax.jit(canvas.images)(start))
    found, lowest = render(objective, canvas, start, config, jax.random.key(0))
    assert found.shape == SHAPE and (np.asarray(lowest) < 0.8 * np.asarray(before)).all()
    np.testing.assert_allclose(objective(found), lowest, rtol=1e-4)


def test_the_image_of_the_lowest_loss_is_kept(problem):
    encoder, images, start = problem
    objective = make(encoder, images)
    wild = options(learning_rate=0.5, final_learning_rate=0.5, n_steps=40)
    found, lowest = render(objective, CANVAS, jnp.asarray(start), wild, jax.random.key(0))
    np.testing.assert_allclose(objective(found), lowest, rtol=1e-5)
    n_steps = [20, 40]
    losses = [
        render(
            objective,
            CANVAS,
            jnp.asarray(start),
            dataclasses.replace(wild, n_steps=n),
            jax.random.key(0),
        )[1]
        for n in n_steps
    ]
    assert (np.asarray(losses[1]) <= np.asarray(losses[0])).all()
    assert 0 <= float(found.min()) and float(found.max()) <= 1


def test_jitter_moves_what_the_network_sees_and_follows_its_key(problem):
    encoder, images, start = problem
    run = [
        render(
            make(encoder, images),
            CANVAS,
            jnp.asarray(start),
            options(jitter=1),
            jax.random.key(seed),
        )[0]
        for seed in (0, 0, 1)
    ]
    np.testing.assert_array_equal(run[0], run[1])
    assert np.abs(np.asarray(run[0] - run[2])).max() > 1e-3


def test_progress_is_reported(problem):
    encoder, images, start = problem
    steps: list[int] = []
    config = options(n_steps=45)
    render(
        make(encoder, images),
        CANVAS,
        jnp.asarray(start),
        config,
        jax.random.key(0),
        steps.append,
    )
    assert steps == [20, 20, 5]
