"""Collapse of a training is said; what is only smooth or uncertain is not."""

import json

import numpy as np

from fmri_jax.pipeline.collapse import notes, of_prior
from fmri_jax.pipeline.rows import METHOD, Rows


def rows(spread: float) -> Rows:
    rng = np.random.default_rng(0)
    targets = rng.uniform(size=(8, 6, 6, 1)).astype(np.float32)
    made = targets.mean(axis=0) + spread * (targets - targets.mean(axis=0))
    return Rows(
        targets=targets,
        predictions={METHOD: made},
        vs_train={},
        stimulus=np.arange(8),
        split=np.full(8, "test"),
        fold=np.full(8, "all"),
    )


def curves(path, end: float) -> None:
    losses = np.r_[np.full(80, 0.5), np.full(20, end)]
    entries = [
        {"step": i, "fold": "all", "discriminator_real": x, "discriminator_generated": x}
        for i, x in enumerate(losses.tolist())
    ]
    path.write_text("".join(json.dumps(entry) + "\n" for entry in entries))


def test_one_picture_for_all_is_a_collapse_and_a_blurred_one_is_not(tmp_path):
    assert [note.kind for note in notes(tmp_path, rows(0.01))] == ["collapse"]
    assert notes(tmp_path, rows(0.1)) == []


def test_a_discriminator_that_errs_no_more_is_reported(tmp_path, caplog):
    for end, found in ((0.001, ["discriminator_ahead"]), (0.3, [])):
        curves(tmp_path / "metrics.jsonl", end)
        assert [note.kind for note in notes(tmp_path, rows(1.0))] == found
    assert "learns little from a discriminator" in caplog.text


def test_a_prior_that_draws_one_picture_or_fools_nobody_says_so(caplog):
    rng = np.random.default_rng(0)
    photographs = rng.uniform(size=(12, 6, 6, 3)).astype(np.float32)
    same = {"cold": photographs[:1] + 0.001 * photographs}
    assert of_prior({**same, "warm": photographs}, photographs, {}) == []
    assert ["same picture" in text for text in of_prior(same, photographs, {})] == [True]
    steps = np.arange(50)
    found = {"real_found": {"all": (steps, np.ones(50))}}
    for share, n in ((1.0, 1), (0.8, 0)):
        found["made_found"] = {"all": (steps, np.full(50, share))}
        assert len(of_prior({}, photographs, found)) == n
    assert "nearly without error" in caplog.text
