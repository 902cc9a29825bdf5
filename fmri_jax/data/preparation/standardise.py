"""Standardising voxels by what the training trials say about them."""

import dataclasses
import warnings

import numpy as np

from fmri_jax.errors import InputError

_VOXEL_BLOCK = 1024  # voxels whose statistics are taken at once: bounds the float64 copies


@dataclasses.dataclass(frozen=True)
class VoxelScale:
    """What training says about each voxel: (voxels,) float32 mean and standard deviation."""

    mean: np.ndarray
    std: np.ndarray  # 1 where no standardisation is asked for
    constant: np.ndarray  # (voxels,) bool: carries no information
    keep_offset: bool

    @classmethod
    def fit(cls, fmri: np.ndarray, standardise: bool) -> "VoxelScale":
        """Estimates the statistics from training trials (n, voxels); warns of constant voxels.

        Raises:
            InputError: every voxel is constant.
        """
        blocks = range(0, fmri.shape[1], _VOXEL_BLOCK)
        columns = [fmri[:, start : start + _VOXEL_BLOCK].astype(np.float64) for start in blocks]
        mean = np.concatenate([c.mean(axis=0) for c in columns])
        std = np.concatenate(
            [c.std(axis=0) for c in columns]
        )  # the population's, as in Shen et al.
        # A spread below float32's resolution of the mean is rounding, not signal.
        constant = std <= 1e-6 * np.abs(mean)
        if constant.all():
            raise InputError(
                f"All {len(constant)} voxels of the chosen ROI are constant over the "
                f"{len(fmri)} training trials: expected responses that differ; choose another "
                "config.preparation.roi."
            )
        if standardise and constant.any():
            warnings.warn(
                f"{int(constant.sum())} of {len(constant)} voxels are constant over the training "
                "trials: they are set to 0 in training and testing.",
                stacklevel=2,
            )
        std = np.where(constant, 1, std) if standardise else np.ones_like(std)
        return cls(
            mean.astype(np.float32),
            std.astype(np.float32),
            constant & standardise,
            keep_offset=not standardise,
        )

    def apply(self, fmri: np.ndarray, gain: np.ndarray) -> np.ndarray:
        """Standardises (n, voxels) rows and multiplies each about the training mean by its gain."""
        scaled = (fmri - self.mean) / self.std * gain[:, None].astype(np.float32)
        scaled[:, self.constant] = 0
        return scaled + self.mean if self.keep_offset else scaled
