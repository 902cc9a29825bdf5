"""What the choice among methods leaves: the chosen one's reconstructor, and why it was chosen."""

from typing import Any

import flax.struct
import jax

from fmri_jax import methods
from fmri_jax.data.preparation.folds import Fold
from fmri_jax.evaluation.baselines import Predict
from fmri_jax.methods import Reconstructor


@flax.struct.dataclass
class BestReconstructor:
    """The chosen method, fitted to all training trials.

    Attributes:
        fitted: its reconstructor.
        method: name of its package.
        chosen: its label among the candidates.
        measure: the metric that chose it.
        scores: (label, score on left-out training stimuli) of each candidate.
    """

    fitted: Reconstructor
    method: str = flax.struct.field(pytree_node=False)
    chosen: str = flax.struct.field(pytree_node=False)
    measure: str = flax.struct.field(pytree_node=False)
    scores: tuple[tuple[str, float], ...] = flax.struct.field(pytree_node=False)

    def reconstruct(self, fmri: jax.Array) -> jax.Array:
        """fMRI (n, voxels), standardised as in training -> images (n, h, w, c) in [0, 1]."""
        return self.fitted.reconstruct(fmri)

    def reconstruct_beside(self, fmri: jax.Array) -> tuple[Any, dict[str, Any]]:
        """The images, and what the chosen method shows beside them, if anything."""
        beside = getattr(self.fitted, "reconstruct_beside", None)
        return beside(fmri) if beside else (self.reconstruct(fmri), {})

    def controls(self, fold: Fold, number: int) -> dict[str, Predict]:
        """Those of the chosen method, if it has any."""
        offered = getattr(self.fitted, "controls", None)
        return offered(fold, number) if offered else {}

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of the images."""
        return self.fitted.image_shape

    def summary(self) -> dict[str, str | float]:
        """What was chosen, and what every candidate scored."""
        found: dict[str, str | float] = {"chosen": self.chosen}
        return found | {f"{self.measure} of {label}": value for label, value in self.scores}

    def state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """The arrays of the chosen one, its options, and the choice."""
        arrays, options = self.fitted.state()
        return arrays, {
            "method": self.method,
            "model": options,
            "chosen": self.chosen,
            "measure": self.measure,
            "scores": [list(one) for one in self.scores],
        }

    @classmethod
    def restore(cls, arrays: dict[str, Any], options: dict[str, Any]) -> "BestReconstructor":
        """The reconstructor whose `state()` gave these."""
        name = str(options["method"])
        fitted = methods.package(name).restore(arrays, options["model"])
        scores = tuple((str(label), float(value)) for label, value in options["scores"])
        return cls(fitted, name, options["chosen"], options["measure"], scores)
