"""What a run says of a texture of its own and of its training, on rows made to have it."""

import dataclasses
import pkgutil
import re

import numpy as np
import pytest
from scipy import ndimage

from fmri_jax import methods
from fmri_jax.pipeline import own_texture
from fmri_jax.pipeline.rows import METHOD, Rows
from fmri_jax.report import run_notes

SEEN, TESTED = 12, 10

NAMES = [each.name for each in pkgutil.iter_modules(methods.__path__) if each.ispkg]


def rows(made, side=32) -> Rows:
    """Smooth images; `made(images, noise)` is what the method makes of training and test ones."""
    rng = np.random.default_rng(0)
    n = SEEN + TESTED
    noise = rng.normal(0, 1, (2, n, side, side, 1))
    images = np.clip(0.5 + ndimage.gaussian_filter(noise[0], (0, 2, 2, 0)), 0, 1)
    mean = np.broadcast_to(images[:SEEN].mean(axis=0), images.shape)
    split = np.array(["train"] * SEEN + ["test"] * TESTED)
    return Rows(
        targets=images,
        predictions={METHOD: made(images, noise[1], split == "train"), "mean_image": mean}
        | {"ridge": 0.5 * images + 0.5 * mean},
        vs_train={},
        stimulus=np.arange(n, dtype=np.int32),
        split=split,
        fold=np.full(n, "all"),
    )


def kinds(found):
    return [note.kind for note in found[1]]


def test_a_texture_on_all_images_is_reported_and_none_on_faithful_ones():
    stamp = np.random.default_rng(1).normal(0, 0.05, (1, 32, 32, 1))
    stamped = own_texture.stamped(rows(lambda images, noise, seen: images + stamp))
    assert kinds(stamped) == ["shared_pattern"] and stamped[1][0].is_warning
    assert stamped[0]["shared_pattern_reconstructions"] > 0.25
    assert stamped[0]["shared_pattern_targets"] < 0.1
    faithful = own_texture.stamped(rows(lambda images, noise, seen: 0.9 * images + 0.02 * noise))
    assert not kinds(faithful) and faithful[0]
    assert own_texture.stamped(rows(lambda images, noise, seen: images, side=10)) == ({}, [])


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (lambda images, noise, seen: 0.1 * noise, ["untrained"]),
        (lambda images, noise, seen: images + 0.05 * noise, []),
        (
            lambda images, noise, seen: np.where(
                seen[:, None, None, None], images, 0.3 * images + 0.2 * noise
            ),
            ["overfitted"],
        ),
    ],
)
def test_what_training_came_to_is_reported(made, expected):
    found = own_texture.trained(rows(made))
    assert kinds(found) == expected and all(note.is_warning for note in found[1])
    assert not any("config.method" in note.text for note in found[1])  # of no method's options


@pytest.mark.parametrize(
    "name", [m.name for m in pkgutil.iter_modules(methods.__path__) if m.ispkg]
)
def test_what_is_advised_are_options_of_the_method_that_ran(name):
    config = methods.package(name).Config()
    advice = methods.advice(name, config)
    assert set(advice) == {"untrained", "overfitted", "stamped"}
    named = re.findall(r"config\.method\.(\w+)", " ".join(advice.values()))
    assert named and set(named) <= {field.name for field in dataclasses.fields(config)}


def test_ridge_that_fits_training_images_well_is_not_warned_of():
    def by_heart(images, noise, seen):
        return np.where(seen[:, None, None, None], images, 0.3 * images + 0.2 * noise)

    advice = methods.advice("ridge", methods.package("ridge").Config())
    (note,) = own_texture.trained(rows(by_heart), advice)[1]
    assert note.kind == "overfitted" and not note.is_warning
    advice = methods.advice("gan", methods.package("gan").Config())
    (note,) = own_texture.trained(rows(by_heart), advice)[1]
    assert note.is_warning and "config.method.fmri_noise" in note.text


@pytest.mark.parametrize(
    ("curve", "fell"),
    [
        (lambda t: np.exp(-2 * t), True),
        (lambda t: 0.3 + np.exp(-12 * t), False),  # has settled
        (lambda t: np.full_like(t, 0.5), False),  # noise alone
    ],
)
def test_a_loss_that_still_falls_is_told_from_one_that_has_settled(curve, fell):
    t = np.linspace(0, 1, 100)
    values = curve(t) * np.exp(0.05 * np.random.default_rng(2).standard_normal(100))
    fall = run_notes._last_fall(values)
    assert (fall > run_notes._STILL) is fell
    assert run_notes._last_fall(values[:10]) is None
