"""What GAN training leaves: the generator, which decodes without the other networks."""

from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from fmri_jax.data.images import centre_crop
from fmri_jax.errors import InputError
from fmri_jax.methods.blocks import in_blocks
from fmri_jax.methods.gan.pixels import PixelScale
from fmri_jax.methods.gan.step import apply
from fmri_jax.methods.pixel_decoders import PIXEL_DECODERS, PixelDecoder
from fmri_jax.networks import Generator, compiler
from fmri_jax.networks.refiner import Refiner

# Options of the two networks.
_OPTIONS = {
    Generator: ("image_size", "channels", "width", "hidden", "dtype"),
    Refiner: ("width", "dtype"),
}


@flax.struct.dataclass
class GANReconstructor:
    """A trained generator: the only network that decoding needs.

    Attributes:
        params: of the network.
        scale: of the training pixels.
        network: takes responses, or the images that `start` makes of them.
        start: makes these images; None where the network takes responses.
        size: px, side of the images that a network with `start` makes: its centre is cut out.
    """

    params: Any
    scale: PixelScale
    network: Generator | Refiner = flax.struct.field(pytree_node=False)
    start: PixelDecoder | None = None
    size: int | None = flax.struct.field(pytree_node=False, default=None)

    def reconstruct(self, fmri: jax.Array) -> jax.Array:
        """fMRI (n, voxels), standardised as in training -> images (n, h, w, c) in [0, 1].

        Raises:
            InputError: there are other voxels than in training.
        """
        voxels = fmri.shape[1]
        expected = len(self.params["fc7"]["kernel"]) if self.start is None else self.start.n_voxels
        if voxels != expected:
            raise InputError(
                f"the generator takes {expected} voxels, and these responses have {voxels}: give "
                "those of the recording and ROI that it was trained on."
            )
        return in_blocks(self._images, fmri)

    def _images(self, fmri: jax.Array) -> jax.Array:
        if self.start is None:
            return _generate(self, fmri)
        return _generate(self, jnp.asarray(centre_crop(self.start(fmri), *self.image_shape[:2])))

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of the images."""
        if isinstance(self.network, Generator):
            return self.network.image_size, self.network.image_size, self.network.channels
        assert self.size is not None and self.start is not None
        return self.size, self.size, self.start.channels

    def state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Parameters, pixel scale and start by name; the options of the network."""
        tree = {"params": self.params}
        options = {name: getattr(self.network, name) for name in _OPTIONS[type(self.network)]}
        if options["dtype"] is not None:
            options["dtype"] = jnp.dtype(options["dtype"]).name
        if self.start is not None:
            tree["start"], about = self.start.state()
            options |= {"size": self.size, "start": self.start.name, "start_options": about}
        arrays = flatten_dict(tree, sep="/")
        arrays |= {"pixel_mean": self.scale.mean, "pixel_deviation": self.scale.deviation}
        return {name: np.asarray(array) for name, array in arrays.items()}, options

    @classmethod
    def restore(cls, arrays: dict[str, Any], options: dict[str, Any]) -> "GANReconstructor":
        """The generator whose `state()` gave these."""
        arrays = jax.device_put(dict(arrays))
        scale = PixelScale(arrays.pop("pixel_mean"), arrays.pop("pixel_deviation"))
        dtype = None if options["dtype"] is None else jnp.dtype(options["dtype"])
        options = {**options, "dtype": dtype}
        size, tree = options.pop("size", None), unflatten_dict(arrays, sep="/")
        if size is None:
            return cls(tree["params"], scale, Generator(**options))
        kind = PIXEL_DECODERS[options.pop("start", "ridge")]  # earlier files had this one kind
        start = kind.restore(tree["start"], options.pop("start_options", {}))
        return cls(tree["params"], scale, Refiner(**options), start, size)


@compiler.jit
def _generate(reconstructor: GANReconstructor, given: jax.Array) -> jax.Array:
    generator, params = reconstructor.network, reconstructor.params
    return jnp.clip(apply(generator, params, given, reconstructor.scale), 0, 1)
