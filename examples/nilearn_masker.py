"""Decode behind a nilearn masker.

From a NIfTI time series to reconstructed images in one scikit-learn pipeline, and back to a map
of the voxels that the decoder uses.
"""

# %%
# ## A simulated series with one volume per trial
# Each voxel of a small brain adds up the pixels around its receptive field, which moves from left
# to right along the first axis of the brain. Put your own NIfTI file, mask and images here.
import matplotlib.pyplot as plt
import nibabel
import numpy as np
from nilearn.maskers import NiftiMasker
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline

import fmri_jax as fj

IMAGES, REPEATS, SIDE, GRID = 36, 4, 6, (9, 9, 4)
rng = np.random.default_rng(0)
images = np.repeat((rng.random((IMAGES, SIDE, SIDE)) < 0.4).astype(np.float32), REPEATS, axis=0)
stimulus = np.arange(len(images)) // REPEATS
place = np.indices(GRID).reshape(3, -1) / (GRID[0] - 1) * (SIDE - 1)
column, row = np.minimum(place[:2] + rng.normal(0, 0.3, place[:2].shape), SIDE - 1)[..., None, None]
y, x = np.mgrid[:SIDE, :SIDE]
signal = np.einsum("nhw,vhw->nv", images, np.exp(-2 * ((y - row) ** 2 + (x - column) ** 2)))
noise = 0.4 * rng.standard_normal(signal.shape)
affine = np.diag([3.0, 3.0, 3.0, 1.0])  # voxels of 3 mm
series = nibabel.Nifti1Image((100 + signal + noise).T.reshape(*GRID, -1).astype("f4"), affine)
mask = nibabel.Nifti1Image(np.ones(GRID, "u1"), affine)

# %%
# ## Masker, then decoder
# All trials of an image stay on one side of a fold.
masker = NiftiMasker(mask_img=mask, standardize="zscore_sample")
voxels = masker.fit_transform(series)
decoder = make_pipeline(fj.MultiScaleDecoder(decoder="ridge", n_voxels=60, weights="equal"))
flat = images.reshape(len(images), -1)
decoded = cross_val_predict(decoder, voxels, flat, groups=stimulus, cv=GroupKFold(4))
right = np.mean((decoded > 0.5) == (flat > 0.5))
black = 1 - flat.mean()
print(f"Simulated brain: {right:.1%} of the pixels are right; all black would be {black:.1%}.")

# %%
# ## Back into the brain
# How much does each voxel count for the pixels of the left and of the right half of the image?
fitted = decoder.fit(voxels, flat)[-1]
to_pixels = np.abs(fitted.coef_ @ fitted.combination_).reshape(-1, SIDE, SIDE)
halves = {"left": to_pixels[:, :, : SIDE // 2], "right": to_pixels[:, :, SIDE // 2 :]}
maps = {
    name: masker.inverse_transform(half.sum(axis=(1, 2)).astype("f4")).get_fdata()
    for name, half in halves.items()
}

# %%
# ## The picture
figure, axes = plt.subplots(2, 10, figsize=(9, 2.3), layout="constrained")
for number, pair in enumerate(axes.T):
    row = number * REPEATS
    for axis, pixels in zip(pair, (images[row], decoded[row].reshape(SIDE, SIDE)), strict=True):
        axis.imshow(pixels, cmap="gray", vmin=0, vmax=1)
        axis.set(xticks=[], yticks=[])
axes[0, 0].set_ylabel("target")
axes[1, 0].set_ylabel("decoded")
figure.suptitle("Images left out of training (simulated brain)")
figure, axes = plt.subplots(1, 2, figsize=(6, 2.8))
for axis, (name, volume) in zip(axes, maps.items(), strict=True):
    axis.imshow(volume.mean(axis=2).T, origin="lower", cmap="viridis")
    axis.set(title=f"weights for the {name} half", xticks=[], yticks=[], xlabel="left - right")
figure.tight_layout()
