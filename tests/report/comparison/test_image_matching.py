"""Runs are paired, and shown side by side, where they were tested on the same pictures."""

import dataclasses

import numpy as np
import pytest

from fmri_jax.data.images import resize
from fmri_jax.report.comparison import figures, image_matching
from fmri_jax.report.comparison.hypotheses import Hypothesis, compare
from fmri_jax.report.comparison.variants import Variant, difference, same_images
from fmri_jax.report.figures.pictures import source
from fmri_jax.report.io import workdir
from tests.report.synthetic_workdirs import crops


@pytest.fixture(scope="module")
def run(photographs):
    return workdir.read(photographs)


def resized(images, size, grey=False):
    """The images at another size, as a recording keeps them: 8 bits a channel."""
    small = resize(np.rint(images * 255).astype(np.uint8), size)
    return (small.mean(-1, keepdims=True) if grey else small).astype(np.float32) / 255


def with_images(run, targets):
    """The run as if it had been tested on other images."""
    changed = {"targets": targets, "reconstructions": targets, "baselines": {}}
    return dataclasses.replace(run, **changed)


@pytest.mark.parametrize("size, grey", [(32, False), (10, False), (32, True), (64, True)])
def test_same_images_at_another_size_are_paired(run, size, grey):
    first = Variant("first", (run,))
    small = Variant("small", (with_images(run, resized(run.targets, size, grey)),))
    assert same_images(first, small) and same_images(small, first)
    assert difference(small, first, "ssim") is not None


@pytest.mark.parametrize("size, channels", [(10, 1), (32, 3), (64, 1), (100, 3)])
def test_other_images_of_another_size_are_not_paired(run, size, channels):
    noise = np.random.default_rng(5).random((len(run.targets), size, size, channels), np.float32)
    photographs = crops(np.random.default_rng(6), len(noise), size)[..., :channels]
    for images in (noise, photographs):
        first, other = Variant("first", (run,)), Variant("other", (with_images(run, images),))
        assert not same_images(first, other) and not same_images(other, first)
        assert difference(other, first, "ssim") is None
        outcome, sentence = compare(Hypothesis("first", "other", "ssim"), [first, other])
        assert outcome != "holds" and "the test images differ" in sentence


def test_one_other_image_of_another_size_is_enough(run):
    small = resized(run.targets, 32)
    first = run.rows("test")[0]
    small[first] = small[first, ::-1]
    assert not same_images(Variant("a", (run,)), Variant("b", (with_images(run, small),)))


def test_images_of_one_colour_are_distinguished_by_brightness():
    ours = np.stack([np.full((16, 16, 3), level) for level in (0.0, 0.5, 0.5)])
    theirs = np.stack([np.full((8, 8, 1), level) for level in (0.0, 0.502, 0.7)])
    np.testing.assert_array_equal(image_matching.same_images(ours, theirs), [True, True, False])
    bars = np.zeros((3, 16, 16, 3))
    bars[:, 4:12] = 1
    np.testing.assert_array_equal(image_matching.same_images(bars, theirs), [False, False, False])


def test_photographs_prepared_in_other_steps_are_the_same():
    images = crops(np.random.default_rng(0), 20, 227)
    in_steps = resized(resized(images, 96), 32)
    assert image_matching.same_images(resized(images, 64), in_steps).all()
    assert not image_matching.same_images(resized(images, 64), np.roll(in_steps, 1, axis=0)).any()


def test_pictures_of_other_images_are_not_shown(run):
    """Under the same numbers: one image is another one, and all images of a set are."""
    targets = run.targets.copy()
    changed = run.rows("test")[3]
    targets[changed] = targets[changed, ::-1]
    targets[run.rows("shapes")] = targets[run.rows("shapes")][:, ::-1] * 0.5
    other = with_images(run, targets)
    first, shown = (Variant(name, (r,)) for name, r in (("first", run), ("other", other)))
    found = {strip.split: strip for strip in figures.strips([first, shown])}
    assert set(found) == {"test", "letters"}
    for split, missing in (("test", [run.names[changed]]), ("letters", ())):
        names, rows = found[split].names, dict(found[split].strips)
        assert [n for n, p in zip(names, rows["other"], strict=True) if p is None] == list(missing)
        assert None not in rows["first"] and None not in rows["target"]
    row = run.names.index(found["letters"].names[0])
    assert dict(found["letters"].strips)["other"][0].src == source(other.reconstructions[row], 64)
