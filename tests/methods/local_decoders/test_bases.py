"""Bases against loops over positions, and against nilearn's four shifted images."""

import numpy as np
import pytest

from fmri_jax.errors import InputError
from fmri_jax.methods.local_decoders.bases import Basis, basis, sizes_of


@pytest.mark.parametrize(
    "scales, sizes",
    [
        (1, ((1, 1),)),
        (2, ((1, 1), (1, 2), (2, 1), (2, 2))),
        ((3,), ((1, 1), (1, 3), (3, 1), (3, 3))),
        ((2, 3), ((1, 1), (1, 2), (2, 1), (2, 2), (1, 3), (3, 1), (3, 3))),
        (((2, 5), (1, 1)), ((2, 5), (1, 1))),
    ],
)
def test_scales_stand_for_element_sizes(scales, sizes):
    assert sizes_of(scales) == sizes


@pytest.mark.parametrize("scales", [0, (), (2, -1), ((0, 2),)])
def test_scales_that_are_no_sizes_are_refused(scales):
    with pytest.raises(InputError, match="expected a positive number such as 2"):
        sizes_of(scales)


@pytest.mark.parametrize("height, width", [(10, 10), (4, 7)])
@pytest.mark.parametrize(
    "scales, stride", [(2, 1), (((1, 3), (2, 2), (4, 1)), 1), (((3, 3), (4, 2)), 2), (((3, 4),), 3)]
)
def test_elements_are_means_of_their_pixels_and_project_back_by_coverage(
    scales, stride, height, width
):
    rng = np.random.default_rng(0)
    images = rng.random((3, height, width)).astype(np.float32)
    elements = Basis(sizes_of(scales), height, width, stride)
    means, place = images.reshape(3, -1) @ elements.analysis, 0
    projected = np.zeros((len(elements.sizes), 3, height, width))
    coverage = np.zeros((len(elements.sizes), height, width))
    for scale, (h, w) in enumerate(elements.sizes):
        for row in sorted({*range(0, height - h + 1, stride), height - h}):
            for column in sorted({*range(0, width - w + 1, stride), width - w}):
                patch = images[:, row : row + h, column : column + w]
                np.testing.assert_allclose(means[:, place], patch.mean(axis=(1, 2)), rtol=1e-5)
                assert elements.scale[place] == scale
                projected[scale, :, row : row + h, column : column + w] += means[
                    :, place, None, None
                ]
                coverage[scale, row : row + h, column : column + w] += 1
                place += 1
    assert place == elements.n_elements
    for scale in range(len(elements.sizes)):
        mine = elements.scale == scale
        back = means[:, mine] @ elements.synthesis[mine]
        np.testing.assert_allclose(
            back.reshape(3, height, width), projected[scale] / coverage[scale], rtol=1e-5
        )


def test_nilearn_has_the_same_361_elements_on_10x10_pixels():
    """nilearn's example: dot products with matrices that average shifted identity matrices."""
    height = width = 10
    identity_rows = np.eye(height) + np.eye(height, k=1)  # rows i and i + 1
    pairs = identity_rows[:-1] / 2
    single = np.eye(height)
    images = np.random.default_rng(1).random((5, height, width))

    def nilearn_scale(rows, columns):
        return np.einsum("ri,nij,cj->nrc", rows, images, columns).reshape(5, -1)

    expected = np.concatenate(
        [
            nilearn_scale(single, single),
            nilearn_scale(single, pairs),
            nilearn_scale(pairs, single),
            nilearn_scale(pairs, pairs),
        ],
        axis=1,
    )
    elements = basis(sizes_of(2), height, width)
    assert elements.counts == (100, 90, 90, 81)
    assert elements.names() == ("1x1", "1x2", "2x1", "2x2")
    np.testing.assert_allclose(images.reshape(5, -1) @ elements.analysis, expected, rtol=1e-5)


def test_what_every_scale_agrees_on_comes_back():
    """A constant image is the same in every element, hence after any combination that sums to 1."""
    elements = basis(sizes_of((2, 3)), 6, 5)
    constant = np.full((1, 30), 0.7, np.float32)
    for scale in range(len(elements.sizes)):
        mine = elements.scale == scale
        back = (constant @ elements.analysis)[:, mine] @ elements.synthesis[mine]
        np.testing.assert_allclose(back, 0.7, rtol=1e-6)


def test_elements_larger_than_the_image_and_matrices_larger_than_the_memory_are_refused():
    with pytest.raises(InputError, match="1 x 4 pixels does not fit images of 5 x 3 pixels"):
        Basis(sizes_of(4), 5, 3)
    with pytest.raises(InputError, match="stride=3 leaves pixels between elements of 2 x 4 pixels"):
        Basis(((4, 4), (2, 4)), 8, 8, 3)
    with pytest.raises(InputError, match="more than 4 GiB"):
        Basis(sizes_of(2), 256, 256)
