"""What inverting the generator left of the training images, step by step."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from fmri_jax.methods.ic_gan.reconstructor import ICGANReconstructor

CAPTION = (
    "Squared error of training images against steps of the inversion, from the best of several "
    "beginnings: median over images, and the range from the first to the last tenth. What is left "
    "at the end no decoder of noise and first layer gets below."
)


def draw(fitted: Iterable["ICGANReconstructor"]) -> dict[str, tuple["Figure", str]]:
    """The curve of each fold; nothing where no generator was inverted.

    Args:
        fitted: the reconstructors of all folds.
    """
    curves = [each.inversion for each in fitted if each.inversion is not None]
    if not curves:
        return {}
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 3), layout="constrained")
    axes = figure.subplots()
    for number, error in enumerate(map(np.asarray, curves)):
        low, middle, high = np.quantile(error, (0.1, 0.5, 0.9), axis=1)
        steps, colour = np.arange(len(error)), f"C{number % 10}"
        axes.plot(steps, middle, color=colour)
        axes.fill_between(steps, low, high, color=colour, alpha=0.2, linewidth=0)
    axes.set(xlabel="step", ylabel="mean squared error of pixels", ylim=(0, None))
    return {"inversion": (figure, CAPTION)}
