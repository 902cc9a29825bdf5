"""One step of the GAN: every term reaches the generator, nothing frozen moves, one compilation."""

import json
import pathlib

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fmri_jax.methods.gan.losses import adversarial_loss
from fmri_jax.methods.gan.step import TrainStep, jitted
from fmri_jax.networks import compiler

GOLDEN = pathlib.Path(__file__).parents[2] / "goldens" / "gan_step.json"
OFF = {"image_weight": 0.0, "feature_weight": 0.0, "adversarial_weight": 0.0}
TERMS = ("image", "feature", "adversarial")


@pytest.mark.parametrize("term", TERMS)
def test_each_term_alone_moves_the_generator_downhill(setting, term):
    """The discriminator does not learn here: only the generator can lower the term."""
    only = setting(
        **{**OFF, f"{term}_weight": 1.0}, discriminator_learning_rate=0.0, weight_decay=0.0
    )
    # Dropout makes the judge noisy: without it the term is a deterministic function.
    step = jitted(TrainStep(_without_dropout(only.step.networks), only.step.config))
    state, *rest = only.arguments()
    before = jax.device_get(state.generator.params)
    values = []
    for _ in range(8):
        state, metrics = step(state, *rest)
        assert float(metrics["generator_gradient"]) > 0
        values.append(float(metrics[term]))
    assert values[-1] < values[0], values
    moved = jax.tree.map(lambda a, b: np.abs(a - b).max(), before, state.generator.params)
    weights = {k: v for k, v in moved.items()}
    assert all(np.max(jax.tree.leaves(layer)) > 0 for layer in weights.values()), weights


def _without_dropout(networks):
    import dataclasses

    return dataclasses.replace(networks, discriminator=networks.discriminator.clone(dropout=0.0))


def test_the_gradient_is_the_weighted_sum_of_the_terms_gradients(setting):
    """Checked against plain differentiation of the whole loss, written down once more."""
    both = setting(image_weight=3.0, feature_weight=0.5, adversarial_weight=2.0)
    networks = _without_dropout(both.step.networks)
    step = TrainStep(networks, both.step.config)
    state, batch, comparator, scale = both.arguments()

    def whole(params):
        images = networks.generator.apply({"params": params}, batch.fmri)
        images = images * scale.deviation + scale.mean
        seen = networks.comparator.apply({"params": comparator}, batch.images)["relu2"]
        made = networks.comparator.apply({"params": comparator}, images)["relu2"]
        logits = networks.discriminator.apply(
            {"params": state.discriminator.params},
            (images - scale.mean) / scale.deviation,
            train=False,
        )
        real = jax.nn.log_softmax(logits)[:, 1]
        return (
            3.0 * jnp.mean((images - batch.images) ** 2)
            + 0.5 * jnp.mean((made - seen) ** 2)
            - 2.0 * jnp.mean(real)
        )

    expected = jax.jit(jax.grad(whole))(state.generator.params)
    norm = float(jnp.sqrt(sum(jnp.sum(g**2) for g in jax.tree.leaves(expected))))
    _, metrics = jitted(step)(state, batch, comparator, scale)
    np.testing.assert_allclose(metrics["generator_gradient"], norm, rtol=2e-4)


def test_real_images_in_the_adversarial_term_would_be_seen():
    """The term must depend on the logits it is given, and only through "photograph"."""
    sure = jnp.array([[0.0, 9.0]])
    assert float(adversarial_loss(sure)) < 1e-3 < float(adversarial_loss(-sure))


def test_the_comparator_never_changes(setting):
    small = setting()
    before = jax.tree.map(np.array, small.comparator)
    state, *rest = small.arguments()
    for _ in range(3):
        state, _ = jitted(small.step)(state, *rest)
    chex.assert_trees_all_equal(before, jax.tree.map(np.array, small.comparator), strict=True)
    assert not [x for x in jax.tree.leaves(small.comparator) if x.is_deleted()]


def test_steps_share_one_compilation(setting):
    small = setting(feature_weight=0.0)
    chex.clear_trace_counter()
    counted = jax.jit(
        chex.assert_max_traces(small.step.__call__, n=1),
        donate_argnums=0,
        compiler_options=compiler.options(),
    )
    state, *rest = small.arguments()
    for _ in range(3):
        state, _ = counted(state, *rest)
    assert jitted(small.step) is jitted(TrainStep(small.step.networks, small.step.config))


def test_parameters_and_frozen_weights_are_no_constants_of_the_program(setting):
    small = setting()
    program = jitted(small.step).lower(*small.arguments()).as_text()
    assert max(map(len, program.splitlines())) < 20_000, "a weight was folded into the program"


def test_alternating_scores_images_by_the_updated_discriminator(setting):
    kinds = {}
    for update in ("simultaneous", "alternating"):
        small = setting(update=update, discriminator_learning_rate=0.05, feature_weight=0.0)
        _, kinds[update] = jitted(small.step)(*small.arguments())
    for same in ("image", "discriminator_real", "discriminator_generated"):
        np.testing.assert_allclose(
            kinds["simultaneous"][same], kinds["alternating"][same], rtol=1e-5
        )
    assert abs(kinds["simultaneous"]["adversarial"] - kinds["alternating"]["adversarial"]) > 1e-3


def test_without_the_adversarial_term_there_is_no_discriminator(setting):
    small = setting(adversarial_weight=0.0)
    state, metrics = jitted(small.step)(*small.arguments())
    assert state.discriminator is None
    assert set(metrics) == {"image", "feature", "generator_gradient"}


def test_weight_decay_is_on_the_discriminator_only(setting):
    """Where no other gradient is, decay alone shrinks weights."""
    from fmri_jax.methods.gan.state import discriminator_optimiser, generator_optimiser

    config = setting(weight_decay=0.1).step.config
    weights = {"w": jnp.ones(3)}
    nothing = {"w": jnp.zeros(3)}
    for build, shrinks in ((discriminator_optimiser, True), (generator_optimiser, False)):
        optimiser = build(config)
        updates, _ = optimiser.update(nothing, optimiser.init(weights), weights)
        assert bool((updates["w"] < 0).all()) is shrinks


def test_bfloat16_computes_close_to_float32_and_keeps_float32_parameters(setting):
    exact, half = setting(), setting(dtype="bfloat16")
    _, expected = jitted(exact.step)(*exact.arguments())
    state, found = jitted(half.step)(*half.arguments())
    assert {x.dtype for x in jax.tree.leaves(state.generator.params)} == {jnp.dtype("float32")}
    for name in TERMS:
        np.testing.assert_allclose(found[name], expected[name], rtol=0.05)


def test_larger_images_are_cropped_to_the_networks(setting):
    small = setting(crop=32)
    state, batch, *rest = small.arguments()
    wide = jnp.pad(batch.images, ((0, 0), (4, 4), (4, 4), (0, 0)))
    after, _ = jax.eval_shape(small.step.__call__, state, batch._replace(images=wide), *rest)
    chex.assert_trees_all_equal_shapes(after.generator.params, state.generator.params)


def test_golden_two_steps(setting):
    """Guards the numbers that `make_gan_step.py` wrote when the tests above first passed."""
    from tests.goldens.make_gan_step import two_steps

    for found, expected in zip(two_steps(setting()), json.loads(GOLDEN.read_text()), strict=True):
        for name, value in expected.items():
            np.testing.assert_allclose(found[name], value, rtol=5e-3, err_msg=name)
