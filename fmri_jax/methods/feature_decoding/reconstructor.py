"""A fitted feature decoder: responses -> decoded layers -> images."""

import dataclasses
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from fmri_jax.arrays import matmul
from fmri_jax.config import section
from fmri_jax.methods.feature_decoding import pixel_bands
from fmri_jax.methods.feature_decoding.config import PIXELS, Config
from fmri_jax.methods.feature_decoding.dispersion import corrected
from fmri_jax.methods.feature_decoding.encoder import Encoder, Layers
from fmri_jax.methods.feature_decoding.layer_map import LayerMap
from fmri_jax.methods.feature_decoding.objective import Objective, layer_weights
from fmri_jax.methods.feature_decoding.render import Pixels, render


@flax.struct.dataclass
class Statistics:
    """What training stimuli say of each layer."""

    mean: Layers  # (...) of true features
    gain: Layers  # (channels,)
    spread: Layers  # () mean s(t) of true features


@flax.struct.dataclass
class FeatureReconstructor:
    """The map, the features that it weighs, and how images are made of what it decodes."""

    map: LayerMap
    images: Any  # (stimuli, h, w, c) uint8
    features: Layers  # layer or band of pixels -> (stimuli, ...) of these images
    statistics: Statistics
    encoder: Encoder
    config: Config = flax.struct.field(pytree_node=False)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of the images."""
        height, width, channels = self.images.shape[1:]
        return height, width, channels

    def decode(self, fmri: jax.Array) -> Layers:
        """fMRI (n, voxels), standardised as in training -> layer -> (n, ...), dispersion restored.

        The pixels are among the layers where they are matched, too.
        """
        found = _decode(self, jnp.asarray(fmri))
        if not self.encoder.pixels:
            return found
        height, width, _ = self.image_shape
        bands = {name: np.asarray(found.pop(name)) for name in pixel_bands.names(height, width)}
        return {**found, PIXELS: jnp.asarray(pixel_bands.images_of(bands, height, width))}

    def reconstruct(self, fmri: jax.Array) -> jax.Array:
        """fMRI (n, voxels), standardised as in training -> images (n, h, w, c) in [0, 1]."""
        fmri = jnp.asarray(fmri)
        if self.config.renderer == "retrieval":
            return self.retrieve(self.decode(fmri))
        n, block = len(fmri), min(self.config.block, len(fmri))
        index = jnp.arange(n + -n % block).reshape(-1, block) % n
        return jnp.concatenate([self.render(self.decode(fmri[rows])) for rows in index])[:n]

    def retrieve(self, decoded: Layers) -> jax.Array:
        """The photographs (n, h, w, c) in [0, 1] whose layers are nearest to these (n, ...)."""
        from fmri_jax.methods.feature_decoding.retrieval import nearest_photographs

        assert self.config.photographs  # `Config` has checked it
        found, _ = nearest_photographs(
            decoded,
            self.statistics.mean,
            self.encoder,
            self.config.photographs,
            self.image_shape,
        )
        return jnp.asarray(found)

    def render(self, decoded: Layers) -> jax.Array:
        """Images (n, h, w, c) in [0, 1] of decoded, or of true layers (n, ...)."""
        n = len(next(iter(decoded.values())))
        weights = layer_weights(decoded, {PIXELS: self.config.pixel_weight})
        objective = Objective(self.encoder, decoded, weights, self.config.total_variation)
        start = decoded.get(PIXELS)
        if start is None:
            start = jnp.full((n, *self.image_shape), 0.5)
        return render(objective, Pixels(), start, self.config, jax.random.key(0))[0]

    def summary(self) -> dict[str, str | float]:
        """The penalty of each layer."""
        return {f"penalty of {layer}": float(alpha) for layer, alpha in self.map.alphas.items()}

    def state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """The map, what was learned of the layers, and the training images.

        Features are left out, as large as they are: `restore` computes them from the images.
        """
        names = ("voxel_mean", "left", "right", "variance", "alphas")
        tree = {"map": {name: getattr(self.map, name) for name in names}}
        tree["statistics"] = vars(self.statistics)
        arrays = {**flatten_dict(tree, sep="/"), "images": self.images}
        return (
            {name: np.asarray(array) for name, array in arrays.items()},
            dataclasses.asdict(self.config),
        )

    @classmethod
    def restore(cls, arrays: dict[str, Any], options: dict[str, Any]) -> "FeatureReconstructor":
        """The decoder whose `state()` gave these.

        Raises:
            InputError: the network's weights cannot be had.
        """
        config, images = section(Config, options, "model"), np.asarray(arrays["images"])
        rest = {name: jnp.asarray(array) for name, array in arrays.items() if name != "images"}
        tree = unflatten_dict(rest, sep="/")
        encoder = Encoder.of(config)
        features = jax.tree.map(jnp.asarray, represent(encoder, images))
        statistics = Statistics(**tree["statistics"])
        return cls(LayerMap(**tree["map"]), images, features, statistics, encoder, config)


def represent(encoder: Encoder, images: np.ndarray) -> dict[str, np.ndarray]:
    """What is decoded of images (n, h, w, c) uint8: layers, and the pixels band by band."""
    features = encoder.of_stimuli(images)
    pixels = features.pop(PIXELS, None)
    return features if pixels is None else features | pixel_bands.coefficients(pixels)


@jax.jit
def _decode(reconstructor: FeatureReconstructor, fmri: jax.Array) -> Layers:
    statistics, found = reconstructor.statistics, {}
    for layer, features in reconstructor.features.items():
        flat = features.reshape(len(features), -1)
        mean = statistics.mean[layer]
        weights = reconstructor.map.weights(fmri, layer)
        decoded = matmul(weights, flat - mean.reshape(-1)).reshape(len(fmri), *mean.shape) + mean
        found[layer] = corrected(
            decoded,
            mean,
            statistics.gain[layer],
            statistics.spread[layer],
            reconstructor.config.dispersion if layer in reconstructor.encoder.layers else "none",
        )
    return found
