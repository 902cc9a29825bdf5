"""Shapes of networks are traced once for all processes, and anew where anything else would do."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import pytest

from fmri_jax import digests
from fmri_jax.networks.modules import Dense
from fmri_jax.networks.transformer_block import GatedDense, TransformerBlock
from fmri_jax.pretrained import rules
from fmri_jax.pretrained.rules import traced_shapes

GIVEN = jax.ShapeDtypeStruct((1, 1, 3), jnp.float32)
SHAPES = {"fc1/kernel": (3, 24), "fc1/bias": (24,), "fc2/kernel": (12, 3), "fc2/bias": (3,)}


@pytest.fixture(autouse=True)
def traced(empty_cache, monkeypatch) -> list[nn.Module]:
    """The networks that were traced, in a process that remembers none."""
    found, trace = [], jax.eval_shape

    def counted(init, *given):
        found.append(init.__self__)
        return trace(init, *given)

    monkeypatch.setattr(jax, "eval_shape", counted)
    forget()
    yield found
    forget()


def forget() -> None:
    """As a new process has it."""
    rules._traced_shapes.cache_clear()


def files(empty_cache) -> list:
    return sorted((empty_cache.parent / "shapes").glob("*"))


def test_a_network_is_traced_once_for_all_processes(traced, empty_cache) -> None:
    for _ in range(2):
        found = traced_shapes(GatedDense(), GIVEN)
        assert found == SHAPES and list(found) == list(traced_shapes(GatedDense(), GIVEN))
        forget()
    assert traced == [GatedDense()]


def test_other_inputs_and_options_are_other_networks(traced, empty_cache) -> None:
    assert traced_shapes(GatedDense(), GIVEN) == SHAPES
    wider = jax.ShapeDtypeStruct((1, 1, 5), jnp.float32)
    assert traced_shapes(GatedDense(), wider)["fc1/kernel"] == (5, 40)
    context = jax.ShapeDtypeStruct((1, 1, 7), jnp.float32)
    four = jax.ShapeDtypeStruct((1, 1, 4), jnp.float32)
    for heads in (1, 2):
        traced_shapes(TransformerBlock(heads), four, context)
    assert len(traced) == len(files(empty_cache)) == 4


@pytest.mark.parametrize("damage", ["cut", "number", "list"])
def test_a_damaged_file_is_not_believed(traced, empty_cache, damage) -> None:
    traced_shapes(GatedDense(), GIVEN)
    (path,) = files(empty_cache)
    text = path.read_text()
    damaged = {"cut": text[:-9], "number": text.replace("24", "25"), "list": "[]"}
    path.write_text(damaged[damage])
    forget()
    assert traced_shapes(GatedDense(), GIVEN) == SHAPES
    assert len(traced) == 2 and path.read_text() == text


def test_changed_code_is_traced_again(traced, monkeypatch) -> None:
    traced_shapes(GatedDense(), GIVEN)
    forget()
    monkeypatch.setattr(digests, "of_code", lambda *modules: "other")
    traced_shapes(GatedDense(), GIVEN)
    assert len(traced) == 2


class Strange(GatedDense):
    """A network of someone else."""


def test_networks_whose_code_or_options_cannot_be_compared_are_not_kept(
    traced, empty_cache
) -> None:
    traced_shapes(Strange(), GIVEN)
    traced_shapes(Dense(5, kernel_init=nn.initializers.ones), GIVEN)
    assert len(traced) == 2 and not files(empty_cache)


def test_a_cache_that_cannot_be_written_is_done_without(traced, empty_cache) -> None:
    empty_cache.parent.write_text("no folder")
    assert traced_shapes(GatedDense(), GIVEN) == SHAPES
