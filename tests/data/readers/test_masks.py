"""Masks and grids as programs write them: taken for what they mean, or named."""

from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pytest

from fmri_jax.data import load
from fmri_jax.data.readers.masks import read_masks, same_place
from fmri_jax.errors import InputError
from tests.data.readers.bids_tree import AFFINE, SHAPE, dataset, write_mask

INSIDE = np.zeros(SHAPE)
INSIDE[0, :, 1] = 1


def under(kind: type) -> Callable[[], nibabel.Nifti1Image]:
    """A mask of floats that is saved with the header of a volume of integers."""

    def make() -> nibabel.Nifti1Image:
        header = nibabel.Nifti1Header()
        header.set_data_dtype(kind)
        return nibabel.Nifti1Image(INSIDE, AFFINE, header)

    return make


def of(values: np.ndarray) -> Callable[[], nibabel.Nifti1Image]:
    return lambda: nibabel.Nifti1Image(values, AFFINE)


MASKS = {
    "int16 with a slope": under(np.int16),
    "uint8 with a slope": under(np.uint8),
    "uint16 with a slope": under(np.uint16),
    "int32 with a slope": under(np.int32),
    "int8": of(INSIDE.astype(np.int8)),
    "float64": of(INSIDE),
    "NaN outside": of(np.where(INSIDE, 1, np.nan).astype("f4")),
    "minus zero": of(np.where(INSIDE, 1, -0.0)),
    "rounded": of(np.where(INSIDE, 0.9999998, -1e-7)),
    "one volume": of(INSIDE[..., None].astype("u1")),
    "five axes": of(INSIDE[..., None, None].astype("u1")),
}


@pytest.mark.parametrize("make", MASKS.values(), ids=MASKS)
def test_masks_are_taken_for_what_they_mean(tmp_path: Path, make: Callable) -> None:
    nibabel.save(make(), tmp_path / "brain.nii.gz")
    np.testing.assert_array_equal(read_masks(tmp_path).brain, INSIDE > 0)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (INSIDE * 3, "is no mask: .* values lie from 0 to 3"),
        (INSIDE * 0.5, "is no mask: .* from 0 to 0.5"),
        (INSIDE * 255, "is no mask: .* from 0 to 255"),
        (INSIDE * np.inf, "is no mask|empty"),
        (INSIDE * 0, "mask brain is empty"),
        (INSIDE * np.nan, "mask brain is empty"),
        (np.stack([INSIDE, INSIDE], axis=3), r"its shape is \(2, 2, 2, 2\)"),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_what_is_no_mask_is_rejected(tmp_path: Path, values: np.ndarray, message: str) -> None:
    nibabel.save(nibabel.Nifti1Image(values.astype("f4"), AFFINE), tmp_path / "brain.nii.gz")
    with pytest.raises(InputError, match=message):
        read_masks(tmp_path)


def rotated(affine: np.ndarray, degrees: float) -> np.ndarray:
    angle = np.deg2rad(degrees)
    spin = np.eye(4)
    spin[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    return affine @ spin


OBLIQUE = rotated(
    np.array([[-2.4, 0, 0, 91.3], [0, 2.4, 0, -120.7], [0, 0, 2.4, -60.2], [0, 0, 0, 1]]), 7
)


def shifted(affine: np.ndarray, millimetres: float) -> np.ndarray:
    moved = affine.copy()
    moved[:3, 3] += millimetres
    return moved


@pytest.mark.parametrize(
    ("change", "same"),
    [
        (lambda a: np.round(a, 4), True),
        (lambda a: a.astype("f4").astype("f8"), True),
        (lambda a: a + 1e-5 * np.vander([1.0, 2, 3, 0], 4), True),
        (lambda a: shifted(a, 0.01), True),
        (lambda a: shifted(a, 0.5), False),
        (lambda a: rotated(a, 0.2), False),
        (lambda a: a * [[1.01], [1], [1], [1]], False),
        (lambda a: a * [[-1], [1], [1], [1]], False),
    ],
)
def test_affines_are_the_same_to_a_twentieth_of_a_voxel(change: Callable, same: bool) -> None:
    assert same_place(change(OBLIQUE), OBLIQUE, (60, 70, 50)) == same


def test_a_quaternion_beside_a_matrix_is_the_same_place(tmp_path: Path) -> None:
    root = dataset(tmp_path / "ds")
    before = load(str(root)).fmri
    for path in (root / "sub-01" / "func").glob("*.nii.gz"):
        image = nibabel.load(path)
        scans = nibabel.Nifti1Image(
            image.get_fdata(dtype="f4"), rotated(AFFINE, 0.02), image.header
        )
        nibabel.save(scans, path)
    mask = nibabel.Nifti1Image(np.ones(SHAPE, np.uint8), None)
    mask.set_qform(rotated(AFFINE, 0.02), 1)
    mask.set_sform(None, 0)
    nibabel.save(mask, root / "masks" / "brain.nii.gz")
    np.testing.assert_array_equal(load(str(root)).fmri, before)


@pytest.mark.parametrize("kind", ["i2", "u1", "f8", "i4"])
def test_scans_stored_with_a_slope_are_scaled(tmp_path: Path, kind: str) -> None:
    root = dataset(tmp_path / "ds", ("run-01",))
    before = load(str(root)).fmri
    (path,) = (root / "sub-01" / "func").glob("*.nii.gz")
    image = nibabel.load(path)
    image.set_data_dtype(np.dtype(kind))
    scans = nibabel.Nifti1Image(image.get_fdata(), AFFINE, image.header)
    nibabel.save(scans, path)
    stored = nibabel.load(path)
    assert stored.get_data_dtype() == np.dtype(kind)
    np.testing.assert_allclose(load(str(root)).fmri, before, atol=0.3 if kind == "u1" else 1e-2)


def test_nan_outside_the_masks_does_not_matter(tmp_path: Path) -> None:
    root = dataset(tmp_path / "ds", ("run-01",))
    write_mask(root / "masks" / "brain.nii.gz", INSIDE.astype("u1"))
    before = load(str(root)).fmri
    (path,) = (root / "sub-01" / "func").glob("*.nii.gz")
    image = nibabel.load(path)
    scans = np.where(INSIDE[..., None], image.get_fdata(dtype="f4"), np.nan).astype("f4")
    nibabel.save(nibabel.Nifti1Image(scans, AFFINE, image.header), path)
    np.testing.assert_array_equal(load(str(root)).fmri, before)


@pytest.mark.parametrize(
    ("axes", "message"),
    [
        (SHAPE, r"shape \(2, 2, 2\): expected four axes, .* this is one volume; join"),
        ((*SHAPE, 1, 20), r"shape \(2, 2, 2, 1, 20\): expected four axes, .* numpy.squeeze"),
        ((*SHAPE, 20, 3), "not 5"),
    ],
)
def test_other_than_four_axes_are_named_with_what_to_do(
    tmp_path: Path, axes: tuple[int, ...], message: str
) -> None:
    root = dataset(tmp_path / "ds")
    (path, _) = sorted((root / "sub-01" / "func").glob("*.nii.gz"))
    nibabel.save(nibabel.Nifti1Image(np.ones(axes, "f4"), AFFINE), path)
    with pytest.raises(InputError, match=message) as error:
        load(str(root))
    assert "resample" not in str(error.value)


@pytest.mark.parametrize("kind", [np.complex64, np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")])])
def test_values_that_are_no_real_numbers_are_rejected(tmp_path: Path, kind: object) -> None:
    root = dataset(tmp_path / "ds")
    (path, _) = sorted((root / "sub-01" / "func").glob("*.nii.gz"))
    nibabel.save(nibabel.Nifti1Image(np.zeros((*SHAPE, 20), kind), AFFINE), path)
    with pytest.raises(InputError, match="expected real numbers; convert it"):
        load(str(root))
