"""How an encoding model is made: which features, which readout, which noise."""

import dataclasses
from typing import Literal

from fmri_jax.encoding.feature_maps import layers_of
from fmri_jax.errors import InputError
from fmri_jax.linear.penalties import PENALTIES

Readout = Literal["banded_ridge", "receptive_field", "separable"]
GRIDS = {"banded_ridge": 4, "receptive_field": 16, "separable": 8}  # cells across and down


@dataclasses.dataclass(frozen=True)
class Options:
    """What an encoding model is made of.

    Attributes:
        features: a network of `fmri_jax.features`, "gabor" or "pixels".
        layers: of it; None: some from input to output (`feature_maps.DEFAULT_LAYERS`), or all.
        readout: "banded_ridge", "receptive_field" or "separable".
        grid: maps are averaged over so many cells across and down; None: 4, 16 or 8 by readout.
        penalties: ridge penalties to choose from, in units of the mean eigenvalue of a layer's
            Gram matrix; not of "separable".
        n_candidates: random weights of layers that "banded_ridge" tries, besides even ones and each
            layer alone.
        n_folds: training stimuli are divided into so many to choose penalties and weights, or to
            stop training; and to measure how far predictions err. "receptive_field" leaves them out
            one by one.
        n_steps: most steps of training "separable".
        learning_rate: of its optimiser.
        sparsity: factor of the absolute values of its weights in the loss. From hundreds of
            channels 0.01 leaves nothing; of a few it finds masks better than 0.001.
        rank: factors of the noise that voxels share.
        seed: of candidates, folds and training.
    """

    features: str = "alexnet"
    layers: tuple[str, ...] | None = None
    readout: Readout = "banded_ridge"
    grid: int | None = None
    penalties: tuple[float, ...] = PENALTIES
    n_candidates: int = 20
    n_folds: int = 5
    n_steps: int = 1000
    learning_rate: float = 0.01
    sparsity: float = 1e-3
    rank: int = 10
    seed: int = 0

    def __post_init__(self) -> None:
        """Rejects values that nothing can be made of."""
        layers_of(self.features, self.layers)
        if self.readout not in GRIDS:
            raise InputError(f"readout is {self.readout!r}: expected one of {', '.join(GRIDS)}.")
        least = {"grid": 1, "n_candidates": 0, "n_folds": 2, "n_steps": 1, "rank": 0}
        for name, lowest in least.items():
            if (value := getattr(self, name)) is not None and value < lowest:
                raise InputError(f"{name} is {value}: expected at least {lowest}.")
        if not self.penalties or min(self.penalties) <= 0:
            raise InputError(f"penalties is {self.penalties}: expected one or more, above 0.")
        if self.learning_rate <= 0 or self.sparsity < 0:
            raise InputError(
                f"learning_rate is {self.learning_rate} and sparsity {self.sparsity}: expected a "
                "rate above 0 and a factor of at least 0."
            )

    @property
    def chosen_layers(self) -> tuple[str, ...]:
        """The layers, from input to output."""
        return layers_of(self.features, self.layers)

    @property
    def cells(self) -> int:
        """The side of the grid."""
        return GRIDS[self.readout] if self.grid is None else self.grid

    @property
    def source(self) -> tuple[str, tuple[str, ...], int]:
        """What `feature_maps.pooled_maps` takes besides images."""
        return self.features, self.chosen_layers, self.cells
