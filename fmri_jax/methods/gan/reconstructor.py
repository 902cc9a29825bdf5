"""What GAN training leaves: the generator, which decodes without the other networks."""

import functools
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from fmri_jax.errors import InputError
from fmri_jax.methods.blocks import in_blocks
from fmri_jax.methods.gan.pixels import PixelScale
from fmri_jax.networks import Generator

_OPTIONS = ("image_size", "channels", "width", "hidden", "dtype")  # of the generator


@flax.struct.dataclass
class GANReconstructor:
    """A trained generator: the only network that decoding needs."""

    params: Any
    scale: PixelScale
    network: Generator = flax.struct.field(pytree_node=False)

    def reconstruct(self, fmri: jax.Array) -> jax.Array:
        """fMRI (n, voxels), standardised as in training -> images (n, h, w, c) in [0, 1].

        Raises:
            InputError: there are other voxels than in training.
        """
        voxels = fmri.shape[1]
        if voxels != (expected := len(self.params["fc7"]["kernel"])):
            raise InputError(
                f"the generator takes {expected} voxels, and these responses have {voxels}: give "
                "those of the recording and ROI that it was trained on."
            )
        return in_blocks(functools.partial(_generate, self), fmri)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of the images."""
        return self.network.image_size, self.network.image_size, self.network.channels

    def state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Parameters and pixel scale by name; the options of the network."""
        arrays = flatten_dict({"params": self.params}, sep="/")
        arrays |= {"pixel_mean": self.scale.mean, "pixel_deviation": self.scale.deviation}
        options = {name: getattr(self.network, name) for name in _OPTIONS}
        if options["dtype"] is not None:
            options["dtype"] = jnp.dtype(options["dtype"]).name
        return {name: np.asarray(array) for name, array in arrays.items()}, options

    @classmethod
    def restore(cls, arrays: dict[str, Any], options: dict[str, Any]) -> "GANReconstructor":
        """The generator whose `state()` gave these."""
        arrays = {name: jnp.asarray(array) for name, array in arrays.items()}
        scale = PixelScale(arrays.pop("pixel_mean"), arrays.pop("pixel_deviation"))
        dtype = None if options["dtype"] is None else jnp.dtype(options["dtype"])
        network = Generator(**{**options, "dtype": dtype})
        return cls(unflatten_dict(arrays, sep="/")["params"], scale, network)


@jax.jit
def _generate(reconstructor: GANReconstructor, fmri: jax.Array) -> jax.Array:
    units: Any = reconstructor.network.apply({"params": reconstructor.params}, fmri)
    return jnp.clip(reconstructor.scale.to_pixels(units), 0, 1)
