"""Reconstruct images behind a nilearn masker, in one scikit-learn pipeline.

    pip install nilearn
    python -m examples.nilearn_masker

Simulates a NIfTI time series (36 images of 6x6 pixels, 4 trials each, in a brain of 6x6x4 voxels,
each of which answers to a patch of the image), decodes images that were left out, and prints how
many pixels are right. It takes seconds. With a recording of yours, put your NIfTI file, your mask
and your images in place of `simulate`.
"""

import nibabel
import numpy as np
from nilearn.maskers import NiftiMasker
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline

from fmri_jax.methods.local_decoders import MultiScaleDecoder

IMAGES, REPEATS, SIDE = 36, 4, 6


def simulate(seed: int = 0) -> tuple[nibabel.Nifti1Image, nibabel.Nifti1Image, np.ndarray]:
    """A simulated series with one volume a trial, its mask, and the image of each volume."""
    rng = np.random.default_rng(seed)
    seen = (rng.random((IMAGES, SIDE, SIDE)) < 0.4).astype(np.float32)
    images = np.repeat(seen, REPEATS, axis=0)
    rows, columns = np.mgrid[:SIDE, :SIDE]
    centres = rng.uniform(0, SIDE - 1, (SIDE * SIDE * 4, 2))
    distance = (rows - centres[:, :1, None]) ** 2 + (columns - centres[:, 1:, None]) ** 2
    fields = np.exp(-distance / (2 * 0.5**2)).reshape(len(centres), -1)
    signal = images.reshape(len(images), -1) @ fields.T
    noise = 0.2 * rng.standard_normal(signal.shape)
    volumes = (100 + signal + noise).T.reshape(SIDE, SIDE, 4, -1)
    affine = np.diag([3.0, 3.0, 3.0, 1.0])  # voxels of 3 mm
    series = nibabel.Nifti1Image(volumes.astype(np.float32), affine)
    mask = nibabel.Nifti1Image(np.ones((SIDE, SIDE, 4), np.uint8), affine)
    return series, mask, images


def main() -> float:
    """Cross-validates over images and prints the share of pixels that are right."""
    series, mask, images = simulate()
    voxels = NiftiMasker(mask_img=mask, standardize="zscore_sample").fit_transform(series)
    stimulus = np.arange(len(images)) // REPEATS
    decoder = make_pipeline(MultiScaleDecoder(scales=2, decoder="omp", n_voxels=60, n_nonzero=10))
    decoded = cross_val_predict(
        decoder, voxels, images.reshape(len(images), -1), groups=stimulus, cv=GroupKFold(4)
    )
    right = float(np.mean((decoded > 0.5) == (images.reshape(decoded.shape) > 0.5)))
    black = float(np.mean(images < 0.5))
    print(f"Simulated brain: {right:.1%} of the pixels are right; all black would be {black:.1%}.")
    return right


if __name__ == "__main__":
    main()
