"""Entries of `run.json` that no page could show, each of which once ended in a traceback."""

import math

import pytest

from fmri_jax.report import page
from fmri_jax.report.io.record import cleaned

GOOD = {
    "title": "a",
    "method": "gan",
    "seed": 3,
    "phases": [{"name": "fit", "wall_s": 1.5, "cpu_s": 2.0}],
    "baselines": {"all": {"ridge": {"penalty": 10.0}}},
    "learned": {"all": {"penalty": 1.0, "decoder": "omp"}},
    "figures": {"a": "b"},
    "versions": {"jax": "0.10"},
    "devices": ["cpu:0"],
    "data": {"name": "x", "rois": {"V1": 3}, "simulated": True},
}
JUNK = [None, True, -1, 10**400, math.inf, math.nan, "x", [], [1], {"a": 1}, {"all": {"a": "x"}}]


def test_a_good_record_stays_as_it_is():
    found = cleaned(GOOD)
    assert {name: found[name] for name in GOOD if name not in ("phases", "data")} == {
        name: value for name, value in GOOD.items() if name not in ("phases", "data")
    }
    assert found["phases"] == [{"name": "fit", "wall_s": 1.5}]
    assert found["data"].items() >= GOOD["data"].items()


@pytest.mark.parametrize("junk", JUNK, ids=str)
def test_anything_else_can_be_shown(junk):
    for name in set(GOOD) - {"data", "seed"}:
        shown(cleaned({**GOOD, name: junk}))
    for name in GOOD["data"]:
        shown(cleaned({**GOOD, "data": {**GOOD["data"], name: junk}}))
    shown(cleaned({**GOOD, "phases": [junk, {"name": junk, "wall_s": junk}]}))
    shown(cleaned({**GOOD, "baselines": {"all": {"ridge": {"penalty": junk}}}}))
    shown(cleaned({**GOOD, "learned": {"all": {"penalty": junk}}}))


def shown(run):
    """What the page makes of it."""
    assert all(math.isfinite(phase["share"]) for phase in page._phases(run["phases"]))
    page._penalties(run["baselines"])
    page._learned(run["learned"])
    page._rois(run["data"]["rois"])
    assert ", ".join(run["versions"]) is not None and run["data"]["name"] is not None
    assert isinstance(run["method"] + run["text"] + run["title"], str)
