"""NIfTI files, opened: what cannot be read is named."""

import pathlib
import zlib
from typing import Any

from fmri_jax.data.readers.folders import check_fetched
from fmri_jax.errors import InputError, not_installed

CORRUPT = (OSError, EOFError, ValueError, zlib.error)  # what corrupt files raise


def nibabel_module() -> Any:
    """The package `nibabel`.

    Raises:
        InputError: it or nilearn is not installed.
    """
    try:
        import nibabel
        import nilearn  # noqa: F401
    except ImportError:
        raise not_installed("Reading NIfTI", "nilearn", "nifti") from None
    return nibabel


def opened(file: pathlib.Path) -> Any:
    """The image of nibabel in a file, its values not read yet.

    Raises:
        InputError: the file cannot be read as NIfTI, or is not there.
    """
    nibabel = nibabel_module()
    check_fetched(file)
    try:
        return nibabel.load(file)
    except (*CORRUPT, nibabel.filebasedimages.ImageFileError) as error:
        raise InputError(f"{file} cannot be read as NIfTI ({error}): copy it again.") from None
