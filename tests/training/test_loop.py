"""The loop resumes to the same bits, stops on NaN and keeps the last good checkpoint."""

import json
import shutil

import chex
import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fmri_jax import digests, stopping
from fmri_jax.errors import InputError
from fmri_jax.training import mesh as meshes
from fmri_jax.training.checkpoints import Checkpoints
from fmri_jax.training.dispatch import several_steps
from fmri_jax.training.logs import drop_after, drop_damaged
from fmri_jax.training.loop import LoopOptions, NotFiniteError, train


@flax.struct.dataclass
class Toy:
    """A noisy gradient descent on a parabola: everything that a resumed run must get back."""

    step: jax.Array
    key: jax.Array
    weights: dict
    open: jax.Array


def start() -> Toy:
    return Toy(
        step=jnp.array(0),
        key=jax.random.key(7),
        weights={"w": jnp.arange(4.0), "none": None},
        open=jnp.array(True),
    )


def one_step(state: Toy, batch: jax.Array) -> tuple[Toy, dict]:
    noise = jax.random.normal(jax.random.fold_in(state.key, state.step), (4,))
    w = state.weights["w"] - 0.1 * (state.weights["w"] - batch + 0.01 * noise)
    loss = jnp.sum((w - batch) ** 2)
    return state.replace(step=state.step + 1, weights={"w": w, "none": None}), {"loss": loss}


step = jax.jit(several_steps(one_step))


def batch_at(t: int) -> jax.Array:
    return jnp.full(4, float(np.random.default_rng(t).normal()))


def options(n_steps: int, at_once: int = 1) -> LoopOptions:
    return LoopOptions(n_steps, 3, 5, ("loss",), progress=False, steps_per_dispatch=at_once)


def test_a_killed_run_resumes_to_the_same_bits(tmp_path):
    whole = train(step, start(), batch_at, options(13), tmp_path / "whole".replace(" ", "_"))

    class Killed(Exception):
        pass

    def killed_at_8(t: int) -> jax.Array:
        if t == 8:
            raise Killed
        return batch_at(t)

    with pytest.raises(Killed):
        train(step, start(), killed_at_8, options(13), tmp_path / "killed")
    with Checkpoints(tmp_path / "killed/checkpoints/all") as checkpoints:
        assert checkpoints.latest_step() == 5
    resumed = train(step, start(), batch_at, options(13), tmp_path / "killed")
    chex.assert_trees_all_equal(jax.tree.map(_raw, whole), jax.tree.map(_raw, resumed), strict=True)
    lines = [json.loads(x) for x in (tmp_path / "killed/metrics.jsonl").read_text().splitlines()]
    steps = [line["step"] for line in lines]
    assert steps == sorted(set(steps)) and steps[-1] == 13


def _raw(leaf):
    return jax.random.key_data(leaf) if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) else leaf


def test_a_finished_run_takes_no_further_step(tmp_path):
    first = train(step, start(), batch_at, options(4), tmp_path)

    def forbidden(t: int) -> jax.Array:
        raise AssertionError(f"step {t} was taken again")

    again = train(step, start(), forbidden, options(4), tmp_path)
    chex.assert_trees_all_equal(first.weights, again.weights)


def test_nan_stops_the_run_and_says_where(tmp_path):
    def poisoned(t: int) -> jax.Array:
        return batch_at(t) * (jnp.nan if t == 10 else 1.0)

    with pytest.raises(NotFiniteError, match="step 11: loss is not finite"):
        train(step, start(), poisoned, options(20), tmp_path)
    with Checkpoints(tmp_path / "checkpoints/all") as checkpoints:
        assert checkpoints.latest_step() == 10
        kept = checkpoints.restore(start())
    assert np.isfinite(kept.weights["w"]).all()


def test_a_parameter_that_is_not_finite_is_named_though_no_metric_tells(tmp_path):
    def hidden(state, batch):
        bad = jnp.where(state.step == 3, jnp.inf, 0.0)
        state = state.replace(step=state.step + 1, weights={"w": state.weights["w"] + bad})
        return state, {"loss": jnp.sum(batch)}

    state = start().replace(weights={"w": jnp.arange(4.0)})
    message = r"step 5: weights\['w'\] is not finite; no checkpoint was saved before"
    with pytest.raises(NotFiniteError, match=message):
        train(jax.jit(several_steps(hidden)), state, batch_at, options(13), tmp_path)


@pytest.mark.parametrize("at_once", [2, 4, 5, 50])
def test_several_steps_in_one_dispatch_leave_the_same_run(tmp_path, at_once):
    """The same state, lines and checkpoints, whether or not the dispatches end on them."""
    single = train(step, start(), batch_at, options(13), tmp_path / "single")
    several = train(step, start(), batch_at, options(13, at_once), tmp_path / "several")
    chex.assert_trees_all_close(single.weights, several.weights, rtol=1e-6)
    assert int(several.step) == 13
    lines = [
        [json.loads(x) for x in (tmp_path / run / "metrics.jsonl").read_text().splitlines()]
        for run in ("single", "several")
    ]
    assert (
        [x["step"] for x in lines[0]]
        == [x["step"] for x in lines[1]]
        == [1, 3, 5, 6, 9, 10, 12, 13]
    )
    np.testing.assert_allclose(
        [x["loss"] for x in lines[0]], [x["loss"] for x in lines[1]], rtol=1e-5
    )
    kept = [
        sorted(path.name for path in (tmp_path / run / "checkpoints/all").glob("[0-9]*"))
        for run in ("single", "several")
    ]
    assert kept[0] == kept[1] == ["10", "13"]


@pytest.mark.parametrize("at_once", [1, 5])
def test_nan_inside_a_dispatch_names_its_own_step(tmp_path, at_once):
    def poisoned(t: int) -> jax.Array:
        return batch_at(t) * (jnp.nan if t == 12 else 1.0)

    with pytest.raises(NotFiniteError, match="step 13: loss is not finite"):
        train(step, start(), poisoned, options(20, at_once), tmp_path)
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [1, 3, 5, 6, 9, 10, 12]
    with Checkpoints(tmp_path / "checkpoints/all") as checkpoints:
        assert checkpoints.latest_step() == 10


def test_event_files_hold_the_curves(tmp_path):
    pytest.importorskip("tensorboardX")
    train(step, start(), batch_at, options(6), tmp_path)
    events = list((tmp_path / "events/all").glob("events.out.tfevents.*"))
    assert events and b"loss" in events[0].read_bytes()
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [1, 3, 5, 6]


def test_drop_after_keeps_other_folds_and_drops_a_broken_line(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text(
        '{"step": 5, "fold": "a"}\n{"step": 9, "fold": "a"}\n{"step": 9, "fold": "b"}\n{"step": 1'
    )
    drop_after(path, "a", 5)
    assert path.read_text() == '{"step": 5, "fold": "a"}\n{"step": 9, "fold": "b"}\n'


def test_damaged_lines_of_the_curves_are_dropped_and_no_others(tmp_path):
    train(step, start(), batch_at, options(6), tmp_path)
    path = tmp_path / "metrics.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    assert drop_damaged(path) == 0 and path.read_bytes() == b"".join(lines)
    damaged = bytearray(lines[1])
    place = lines[1].index(b'"loss": ') + len(b'"loss": ')
    damaged[place] = ord("7") if damaged[place] != ord("7") else ord("8")
    path.write_bytes(lines[0] + damaged + lines[2] + b"\xff\xfe\n[3]\n" + lines[3])
    assert drop_damaged(path) == 3
    assert path.read_bytes() == lines[0] + lines[2] + lines[3]


def test_a_run_killed_while_it_drops_lines_loses_none_of_other_folds(tmp_path, monkeypatch):
    path = tmp_path / "metrics.jsonl"
    lines = '{"step": 9, "fold": "a"}\n{"step": 9, "fold": "b"}\n'
    path.write_text(lines)

    def killed_halfway(file, content):
        file.open("wb").write(content[: len(content) // 2])
        raise KeyboardInterrupt

    monkeypatch.setattr(type(path), "write_bytes", killed_halfway)
    with pytest.raises(KeyboardInterrupt):
        drop_after(path, "a", 5)
    assert path.read_text() == lines


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """A training that was stopped after its second checkpoint, and how it would end."""
    folder = tmp_path_factory.mktemp("stopped")
    train(step, start(), batch_at, options(10), folder)
    whole = shutil.copytree(folder, tmp_path_factory.mktemp("whole") / "run")
    return folder, train(step, start(), batch_at, options(13), whole)


def files(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_no_damage_of_a_checkpoint_goes_unnoticed(stopped, tmp_path):
    """Whichever of its files is cut, emptied, gone or has one bit flipped."""
    folder = shutil.copytree(stopped[0] / "checkpoints/all/10", tmp_path / "10")
    assert digests.damaged(folder) == []
    rng = np.random.default_rng(0)
    named = ("_CHECKPOINT_METADATA", "commit_success.txt")  # by Orbax, after the digests
    counted = [path for path in files(folder) if path not in [folder / name for name in named]]
    counted = [path for path in counted if path.stat().st_size]
    for path in counted:
        whole = path.read_bytes()
        flipped = bytearray(whole)
        flipped[rng.integers(len(whole))] ^= 1 << rng.integers(8)
        for content in (b"", whole[: len(whole) // 2], bytes(flipped)):
            path.write_bytes(content)
            assert digests.damaged(folder), path
        path.unlink()
        assert digests.damaged(folder) or path.name == digests.SUMS
        path.write_bytes(whole)
    assert len(counted) > 6


def test_a_training_whose_latest_checkpoint_is_damaged_ends_the_same(stopped, tmp_path):
    folder = shutil.copytree(stopped[0], tmp_path / "run")
    flipped = max(files(folder / "checkpoints/all/10"), key=lambda path: path.stat().st_size)
    content = bytearray(flipped.read_bytes())
    content[len(content) // 2] ^= 1
    flipped.write_bytes(content)
    again = train(step, start(), batch_at, options(13), folder)
    chex.assert_trees_all_equal(stopped[1].weights, again.weights)
    assert (folder / "checkpoints/all/.10.damaged").is_dir()


def test_who_is_asked_to_stop_saves_after_this_step_and_resumes_to_the_same_bits(
    stopped, tmp_path, monkeypatch
):
    monkeypatch.setattr(stopping._Requests, "asked", False)
    folder = shutil.copytree(stopped[0], tmp_path / "run")

    def batch(t):
        assert t == 10 and stopping.ask() and not stopping.ask()
        return batch_at(t)

    assert not stopping.ask()  # nobody listens yet
    with pytest.raises(stopping.Stopped, match="stopped after step 11 of 13"):
        train(step, start(), batch, options(13), folder)
    monkeypatch.setattr(stopping._Requests, "asked", False)
    with Checkpoints(folder / "checkpoints/all") as checkpoints:
        assert checkpoints.latest_step() == 11
    again = train(step, start(), batch_at, options(13), folder)
    chex.assert_trees_all_equal(stopped[1].weights, again.weights)


def test_a_corrupt_checkpoint_of_an_earlier_version_is_named(stopped, tmp_path):
    """It has no digests."""
    shutil.copytree(stopped[0], tmp_path / "run")
    folder = tmp_path / "run/checkpoints/all/10"
    for path in files(folder):
        path.unlink()
    with pytest.raises(InputError, match=f"{folder} cannot be restored .* delete that folder"):
        train(step, start(), batch_at, options(13), tmp_path / "run")


def test_more_devices_than_there_are_is_rejected():
    with pytest.raises(ValueError, match="JAX sees 4"):
        meshes.make_mesh(64)


def test_restored_state_keeps_its_sharding(tmp_path):
    mesh = meshes.make_mesh(4)
    state = meshes.replicate(start(), mesh)
    with Checkpoints(tmp_path) as checkpoints:
        checkpoints.save(1, state)
    with Checkpoints(tmp_path) as checkpoints:
        restored = checkpoints.restore(state)
    assert restored.weights["w"].sharding == state.weights["w"].sharding


@pytest.mark.parametrize("impl", ["threefry2x32", "rbg"])
def test_a_key_comes_back_as_the_kind_that_it_was(tmp_path, impl) -> None:
    key = jax.random.key(3, impl=impl)
    with Checkpoints(tmp_path) as checkpoints:
        checkpoints.save(1, {"key": key})
    with Checkpoints(tmp_path) as checkpoints:
        found = checkpoints.restore({"key": jax.random.key(0, impl=impl)})["key"]
    assert jax.random.bits(found) == jax.random.bits(key)
