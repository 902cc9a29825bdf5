"""What a multi-scale decoder can be told: one record for method, estimator and sweep."""

import dataclasses
import math
import numbers
from typing import Any, Literal, get_args

from fmri_jax.config import OptionalFloat, OptionalInt, unknown_name
from fmri_jax.errors import InputError
from fmri_jax.methods.local_decoders.bases import Basis, Size, basis, sizes_of

Decoder = Literal[
    "omp",
    "linear",
    "ridge",
    "bayesian_ridge",
    "univariate",
    "sparse_logistic",
    "receptive_fields",
]
Weights = Literal["equal", "learned", "element", "pixel"]
Select = Literal["fixed", "inner"]
DECODERS: tuple[Decoder, ...] = get_args(Decoder)
WEIGHTS: tuple[Weights, ...] = get_args(Weights)
SELECT: tuple[Select, ...] = get_args(Select)

# The options that say how much each decoder is held back from fitting noise.
REGULARISATION: dict[Decoder, tuple[str, ...]] = {
    **dict.fromkeys(DECODERS, ("n_voxels",)),
    "omp": ("n_voxels", "n_nonzero"),
    "ridge": ("n_voxels", "alpha"),
    "receptive_fields": ("alpha", "sharpness", "noise_diagonal", "prior_variance", "prior_scale"),
}

# The ridge penalty where none is given. On the Miyawaki figures, leave one image out, receptive
# fields of 1x1 elements decode .959 of the pixels with 300, and .941 with 1.
PENALTIES: dict[Decoder, float] = {**dict.fromkeys(DECODERS, 1.0), "receptive_fields": 300.0}

# The options that count something, and the smallest number that is of use.
_COUNTS = {"stride": 1, "n_voxels": 1, "n_nonzero": 1, "n_inner": 2, "prior_scale": 1, "block": 1}


@dataclasses.dataclass(frozen=True)
class Config:
    """Options of the local decoders.

    Attributes:
        scales: element sizes, (2,) for 1x1, 1x2, 2x1, 2x2; (1,) for 1x1 alone; (2, 3) for the
            union; or pairs of height and width.
        stride: pixels from one element of a scale to the next, at most an element's smallest side.
            1 takes all positions; large elements of photographs need fewer.
        decoder: how each element's contrast is predicted from voxels. "receptive_fields" inverts an
            encoding model of all voxels and ignores `n_voxels`.
        n_voxels: voxels that each local decoder may use, by F-test; all where there are fewer. The
            time of "sparse_logistic" grows with its cube.
        n_nonzero: voxels that "omp" ends up with.
        alpha: ridge penalty on standardised voxels ("ridge"); for "receptive_fields" on what a
            voxel's weights hold beyond its receptive field. None takes the decoder's own
            of `PENALTIES`: 300 for "receptive_fields", 1 for "ridge".
        weights: how elements are combined: "equal" a scale, "learned" one weight a scale, one an
            "element" (Miyawaki et al. 2008) or one for each "pixel" that an element covers.
        n_inner: inner folds, by stimulus, for whatever is learned from out-of-sample predictions.
        select: "inner" replaces decoder, scales, weights and regularisation by the best of
            `selection.CANDIDATES` on inner folds; "fixed" takes them as given.
        sharpness: "receptive_fields": power of the likelihood that weighs candidate fields.
        noise_diagonal: "receptive_fields": share of the noise covariance that is a voxel's own.
        prior_variance: "receptive_fields": of a pixel around the mean training image.
        prior_scale: "receptive_fields": images are expected to be sums of elements up to this size.
        block: decoders solved at once; None takes what fits the memory.
    """

    scales: tuple[int | Size, ...] = (2,)
    stride: int = 1
    decoder: Decoder = "omp"
    n_voxels: int = 500
    n_nonzero: int = 10
    alpha: OptionalFloat = None
    weights: Weights = "learned"
    n_inner: int = 6
    select: Select = "fixed"
    sharpness: float = 0.5
    noise_diagonal: float = 0.95
    prior_variance: float = 0.2
    prior_scale: int = 3
    block: OptionalInt = None

    def __post_init__(self) -> None:
        """Refuses names that are not known and numbers that no decoder can use."""
        for name, known in (("decoder", DECODERS), ("weights", WEIGHTS), ("select", SELECT)):
            value: Any = getattr(self, name)
            if value not in known:
                raise InputError(unknown_name(f"{name}={value!r}", str(value), known, name))
        for name, least in _COUNTS.items():
            value = getattr(self, name)
            if value is None and name == "block":
                continue
            if not _is(value, numbers.Integral) or value < least:
                hint = "; a number above that of the voxels takes all" if name == "n_voxels" else ""
                raise InputError(
                    f"{name} is {value!r}: expected a whole number, at least {least}{hint}."
                )
        for name in ("alpha", "sharpness", "prior_variance"):
            value, default = getattr(self, name), name == "alpha"
            if value is None and default:
                continue
            if not _is(value, numbers.Real) or not 0 < value < math.inf:
                hint = ", or None for the decoder's own" if default else ""
                raise InputError(
                    f"{name} is {value!r}: expected a positive number, not infinite{hint}."
                )
        share: Any = self.noise_diagonal
        if not _is(share, numbers.Real) or not 0 < share <= 1:
            raise InputError(f"noise_diagonal is {share!r}: expected a share above 0, at most 1.")

    def basis(self, height: int, width: int) -> Basis:
        """The elements on images of so many pixels."""
        return basis(sizes_of(self.scales), height, width, self.stride)

    @property
    def penalty(self) -> float:
        """The ridge penalty: `alpha`, or the decoder's own where that is None."""
        return self.alpha or PENALTIES[self.decoder]


def _is(value: Any, kind: type) -> bool:
    """Whether a value is a number of this kind; True and False are none."""
    return isinstance(value, kind) and not isinstance(value, bool)
