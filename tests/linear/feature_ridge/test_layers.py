"""A layer in a folder: the numbers of a fit in memory, also after a killed run."""

import jax
import numpy as np
import pytest

from fmri_jax.errors import InputError
from fmri_jax.linear.feature_ridge import (
    FeatureRidge,
    Options,
    StoredRidge,
    fit_layer,
    prepare,
)
from tests.linear.feature_ridge.peers import problem

FORMS = {"selected": Options(12, 3.0), "all": Options(None, 3.0), "loo": Options(None, "loo")}


class Killed(Exception):
    """The process ends in the middle of a layer."""


@pytest.fixture(scope="module")
def case():
    X, Y, stimulus = problem(units=24, offset=2.0)
    return X, Y, stimulus, prepare(X, stimulus)


def kill_after(Y, calls):
    """Targets block by block, of which only some can be read."""

    def targets(start, stop):
        targets.calls += 1
        if targets.calls > calls:
            raise Killed
        return Y[:, start:stop]

    targets.calls = 0
    return targets


@pytest.mark.parametrize("form", FORMS)
def test_a_memory_map_and_a_killed_run_end_with_the_numbers_of_a_fit_in_memory(
    form, case, tmp_path
):
    X, Y, stimulus, responses = case
    options = {"units": 24, "options": FORMS[form], "block": 7}
    np.save(tmp_path / "Y.npy", Y.reshape(16, 2, 3, 4))
    targets = np.load(tmp_path / "Y.npy", mmap_mode="r")
    stored = fit_layer(responses, targets, tmp_path / "layer", **options)
    estimator = FeatureRidge(FORMS[form].n_voxels, FORMS[form].alpha).fit(X, Y, stimulus)
    found = stored.predict(X, targets)
    np.testing.assert_allclose(found, estimator.predict(X), atol=1e-5)

    folder = tmp_path / "killed"
    reads = 1 if form == "all" else 4  # the first read identifies the targets
    with pytest.raises(Killed):
        fit_layer(responses, kill_after(Y, reads - 1), folder, **options)
    if form != "all":
        with pytest.raises(InputError, match="was not completed"):
            StoredRidge.open(folder)
    rest = kill_after(Y, 99)
    fit_layer(responses, rest, folder, **options)
    assert rest.calls == {"selected": 3, "all": 1, "loo": 3}[form]
    resumed = StoredRidge.open(folder)
    np.testing.assert_array_equal(resumed.predict(X, Y), found)
    out = np.lib.format.open_memmap(tmp_path / "out.npy", "w+", np.float32, (48, 24))
    np.testing.assert_array_equal(resumed.predict(X, rest, out=out), found)
    assert not list(folder.glob(".*"))


@pytest.mark.usefixtures("as_accelerators")
def test_units_of_a_block_over_devices(case, tmp_path):
    X, Y, _, responses = case
    mesh = jax.make_mesh((4,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    layers = [
        fit_layer(responses, Y, tmp_path / name, options=FORMS["selected"], block=24, mesh=mesh)
        for name, mesh in {"one": None, "four": mesh}.items()
    ]
    np.testing.assert_allclose(layers[1].predict(X), layers[0].predict(X), atol=1e-5)


def test_what_cannot_be_done_is_said_before_it_starts(case, tmp_path):
    X, Y, stimulus, responses = case
    options = {"options": FORMS["selected"]}
    with pytest.raises(InputError, match="24 units in blocks of 8,192 need .* GiB of memory, and"):
        fit_layer(responses, Y, tmp_path / "a", most_bytes=1000, **options)
    with pytest.raises(InputError, match="say how many there are"):
        fit_layer(responses, lambda start, stop: Y[:, start:stop], tmp_path / "a", **options)
    assert not (tmp_path / "a").exists()
    fit_layer(responses, Y, tmp_path / "a", **options)
    with pytest.raises(InputError, match="holds a fit with other n_voxels, alpha: choose another"):
        fit_layer(responses, Y, tmp_path / "a", options=Options(11, 2.0))
    with pytest.raises(InputError, match="holds a fit with other responses, first targets"):
        fit_layer(prepare(X + 1, stimulus), Y + 1, tmp_path / "a", **options)
    with pytest.raises(InputError, match="holds no ridge.json"):
        StoredRidge.open(tmp_path)
    rounded = prepare(X * (1 + 1e-6), stimulus), Y * (1 - 1e-6)  # as on another computer
    fit_layer(*rounded, tmp_path / "a", **options)
    every = fit_layer(responses, Y, tmp_path / "b", options=FORMS["all"])
    with pytest.raises(InputError, match="give them as `targets`"):
        every.predict(X)
    with pytest.raises(InputError, match="returned"):
        every.predict(X, lambda start, stop: Y[:, :3])
