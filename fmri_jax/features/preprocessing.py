"""From images of any size, grey or RGB, to those that a network takes."""

import dataclasses
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import jax


@dataclasses.dataclass(frozen=True)
class Preprocessing:
    """How images (n, h, w, 1 or 3) in [0, 1] become a network's RGB images in [0, 1].

    The complete image is resized. The preprocessing that networks are trained with cuts a central
    square out; what lies outside of it would then not count in a reconstruction. Scaling to the
    units of the training images, and Caffe's order of colours, are the first operation of each
    network itself (`fmri_jax.networks`).

    Attributes:
        size: px; the side of a square, whatever the aspect. None keeps the size.
        method: of interpolation, with half-pixel centres.
        antialias: whether the filter widens when images shrink, as in Pillow.
        keep_aspect: `size` is the shorter side's, and the aspect is kept.
        least: px of the shorter side below which images are enlarged to it, where `size` is None.
    """

    size: int | None = None
    method: Literal["bilinear", "cubic"] = "bilinear"
    antialias: bool = True
    keep_aspect: bool = False
    least: int = 1

    def __call__(self, images: "jax.Array") -> "jax.Array":
        """Applies it; pure, works inside `jit`.

        Raises:
            InputError: the images are neither grey nor RGB.
        """
        from fmri_jax import arrays

        height, width = images.shape[1:3]
        shorter = min(height, width)
        if self.size is not None and not self.keep_aspect:
            height = width = self.size
        else:
            side = self.size or max(self.least, shorter)
            height, width = (round(length * side / shorter) for length in (height, width))
        return arrays.resize(arrays.as_rgb(images), height, width, self.antialias, self.method)
