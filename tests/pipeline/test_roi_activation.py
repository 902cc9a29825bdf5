"""Regions activated one by one, by a decoder whose images are known."""

import dataclasses

import numpy as np

import fmri_jax as fj
from fmri_jax.data.preparation.standardise import VoxelScale
from fmri_jax.data.recording import Recording
from fmri_jax.evaluation.identification import pairwise, ranks
from fmri_jax.methods.decoder import About, Decoder
from fmri_jax.pipeline import roi_activation
from tests.pipeline.test_feature_diagnostics import recording_of

VOXELS = 12


class Halves:
    """Voxels 0 to 3 brighten the left pixel by .01 each, 4 to 11 the right one by .02."""

    image_shape = (1, 2, 1)

    def reconstruct(self, fmri: np.ndarray) -> np.ndarray:
        pixels = [0.01 * fmri[:, :4].sum(axis=1), 0.02 * fmri[:, 4:].sum(axis=1)]
        return 0.5 + np.stack(pixels, axis=1).reshape(-1, 1, 2, 1)


def decoder_of(standardise: bool = True) -> Decoder:
    rng = np.random.default_rng(0)
    scale = VoxelScale.fit(100 + 5 * rng.normal(size=(30, VOXELS)).astype(np.float32), standardise)
    return Decoder(Halves(), scale, About("halves", {}))


def test_a_region_s_image_is_that_of_its_voxels_alone() -> None:
    left = np.arange(VOXELS) < 4
    images = roi_activation.activated(decoder_of(), {"left": left, "right": ~left})
    # A pattern of length sqrt(12): sqrt(12 / 4) in each of 4 voxels, sqrt(12 / 8) in each of 8.
    steps = 0.01 * 4 * 3**0.5, 0.02 * 8 * 1.5**0.5
    expected = [[0.5, 0.5], [0.5 + steps[0], 0.5], [0.5, 0.5 + steps[1]]]
    np.testing.assert_allclose(images[0].reshape(3, 2), expected, atol=1e-6)
    np.testing.assert_allclose(images[1], 1 - images[0], atol=1e-6)  # suppressed


def test_regions_hold_the_decoder_s_voxels_that_vary() -> None:
    decoder = decoder_of()
    scale = dataclasses.replace(decoder.scale, constant=np.arange(VOXELS) == 2)
    chosen = np.arange(VOXELS + 3) >= 3  # of a recording with three voxels more
    decoder = dataclasses.replace(decoder, scale=scale, voxels=chosen)
    whole = np.arange(VOXELS + 3)
    recording = Recording(
        fmri=np.zeros((2, VOXELS + 3), np.float32),
        stimulus=np.arange(2, dtype=np.int32),
        images=np.zeros((2, 1, 2, 1), np.uint8) + np.arange(2, dtype=np.uint8)[:, None, None, None],
        run=np.zeros(2, np.int32),
        rois={"V1": whole < 7, "V2": whole >= 7, "not chosen": whole < 3, "flat": whole == 5},
        stimulus_names=("a", "b"),
        split=np.array(["train", "train"]),
    )
    found = roi_activation.regions(decoder, recording)
    assert {name: np.flatnonzero(mask).tolist() for name, mask in found.items()} == {
        "V1": [0, 1, 3],
        "V2": list(range(4, VOXELS)),
    }


def test_leaving_out_the_only_region_that_sees_leaves_chance() -> None:
    """Region "A" sees weighted sums of pixels, "B" is noise."""
    recording = recording_of(60)
    scores = {}
    for roi in ("all", "all - A", "all - B"):
        train, test = fj.train_test_split(recording, by="given", roi=roi, average_repeats="all")
        images = fj.RidgeDecoder().fit(train.fmri, train.images).predict(test.fmri)
        scores[roi] = pairwise(ranks(test.images, images)).mean()
    assert abs(scores["all - A"] - 0.5) < 0.2 < 0.3 < scores["all - B"] - 0.5
    assert abs(scores["all"] - scores["all - B"]) < 0.1
