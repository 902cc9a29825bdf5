"""A fitted feature decoder: responses -> decoded layers -> images."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict
from tqdm.auto import tqdm

from fmri_jax.config import section
from fmri_jax.encoding import files
from fmri_jax.encoding.fitted import Encoding
from fmri_jax.linear import pixel_bands
from fmri_jax.linear.dual_ridge import DualRidge
from fmri_jax.methods.feature_decoding import canvases, own_voxels
from fmri_jax.methods.feature_decoding.canvases import Canvas
from fmri_jax.methods.feature_decoding.config import PIXELS, Config
from fmri_jax.methods.feature_decoding.dispersion import corrected
from fmri_jax.methods.feature_decoding.encoder import Encoder, Layers
from fmri_jax.methods.feature_decoding.objective import Objective, layer_weights
from fmri_jax.methods.feature_decoding.own_voxels import Own
from fmri_jax.methods.feature_decoding.render import render
from fmri_jax.methods.pixel_decoders import PIXEL_DECODERS, PixelDecoder
from fmri_jax.methods.responses import OPTIONS, Responses


@flax.struct.dataclass
class Statistics:
    """What training stimuli say of each layer."""

    mean: Layers  # (...) of true features
    gain: Layers  # (channels,)
    spread: Layers  # () mean s(t) of true features


@flax.struct.dataclass
class FeatureReconstructor:
    """The map, the features that it weighs, and how images are made of what it decodes."""

    map: DualRidge
    images: Any  # (stimuli, h, w, c) uint8
    features: Layers  # layer or band of pixels -> (stimuli, ...) of these images
    statistics: Statistics
    encoder: Encoder
    canvas: Canvas
    config: Config = flax.struct.field(pytree_node=False)
    own: dict[str, Own] = flax.struct.field(pytree_node=False, default_factory=dict)
    progress: bool = flax.struct.field(pytree_node=False, default=True)
    encoding: Encoding | None = flax.struct.field(pytree_node=False, default=None)
    pixels: PixelDecoder | None = flax.struct.field(pytree_node=False, default=None)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of the images."""
        height, width, channels = self.images.shape[1:]
        return height, width, channels

    def training_layers(self) -> dict[str, np.ndarray]:
        """Layer, the pixels among them where they are matched -> (stimuli, ...) of training."""
        found = {layer: np.asarray(self.features[layer]) for layer in self.encoder.layers}
        if self.encoder.pixels:
            found[PIXELS] = np.asarray(self.images, np.float32) / 255
        return found

    def decode(self, fmri: jax.Array) -> Layers:
        """fMRI (n, voxels), standardised as in training -> layer -> (n, ...), dispersion restored.

        The pixels are among the layers where they are matched, too.
        """
        shared = {name: x for name, x in self.features.items() if name not in self.own}
        found = _weighted_sums(self.map, shared, self.statistics.mean, jnp.asarray(fmri))
        for layer, fitted in self.own.items():
            targets = self.features[layer]
            found[layer] = jnp.asarray(own_voxels.predict(fitted, np.asarray(fmri), targets))
        if self.pixels is not None:
            found[PIXELS] = jnp.asarray(self.pixels(jnp.asarray(fmri)))
        return self.restored(found)

    def restored(self, found: Mapping[str, Any]) -> Layers:
        """What maps predict -> decoded layers.

        Args:
            found: layer -> (n, ...); bands of the pixels, or the pixels of another decoder.

        Returns:
            Layer -> (n, ...), dispersion restored, and the pixels where they are matched, too.
        """
        decoded = {
            layer: corrected(
                found[layer],
                self.statistics.mean[layer],
                self.statistics.gain[layer],
                self.statistics.spread[layer],
                self.config.dispersion,
            )
            for layer in self.encoder.layers
        }
        if PIXELS in found:
            decoded[PIXELS] = jnp.asarray(found[PIXELS])
        elif self.encoder.pixels:
            height, width, _ = self.image_shape
            bands = {name: np.asarray(found[name]) for name in pixel_bands.names(height, width)}
            decoded[PIXELS] = jnp.asarray(pixel_bands.images_of(bands, height, width))
        return decoded

    def reconstruct(self, fmri: jax.Array) -> jax.Array:
        """fMRI (n, voxels), standardised as in training -> images (n, h, w, c) in [0, 1]."""
        fmri = jnp.asarray(fmri)
        if self.config.renderer == "retrieval":
            return self.retrieve(self.decode(fmri))
        n, block = len(fmri), min(self.config.block, len(fmri))
        index = jnp.arange(n + -n % block).reshape(-1, block) % n
        steps = len(index) * self.config.n_steps
        hidden = None if self.progress else True  # None: where nobody watches
        with tqdm(total=steps, desc="render", unit="step", disable=hidden, leave=False) as bar:
            parts = [self.render(self.decode(fmri[rows]), bar.update, fmri[rows]) for rows in index]
        return jnp.concatenate(parts)[:n]

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

    def render(
        self,
        decoded: Layers,
        report: Callable[[int], object] = lambda steps: None,
        measured: jax.Array | None = None,
    ) -> jax.Array:
        """Images (n, h, w, c) in [0, 1] of decoded, or of true layers (n, ...).

        Args:
            decoded: layer -> (n, ...).
            report: called with how many further steps are done.
            measured: (n, voxels) responses, for decoders with an encoding model.
        """
        n = len(next(iter(decoded.values())))
        weights = layer_weights(decoded, {PIXELS: self.config.pixel_weight})
        responses = None if self.encoding is None else Responses.of(self.encoding)
        config = self.config
        objective = Objective(
            self.encoder,
            decoded,
            weights,
            config.total_variation,
            None if responses is None else measured,
            responses,
            config.response_weight,
        )
        start = self.canvas.start(decoded, n)
        return render(objective, self.canvas, start, self.config, jax.random.key(0), report)[0]

    def summary(self) -> dict[str, str | float]:
        """The penalty of each layer that shares all voxels, and the weight that was chosen."""
        alphas = self.map.alphas.items()
        found: dict[str, str | float] = {
            f"penalty of {name}": float(alpha) for name, alpha in alphas if name not in self.own
        }
        if self.config.select == "inner":
            found["pixel weight"] = self.config.pixel_weight
        return found

    def state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """The map, what was learned of the layers, and the training images.

        Features are left out, as large as they are: `restore` computes them from the images.
        """
        names = ("voxel_mean", "left", "right", "variance", "alphas")
        tree = {"map": {name: getattr(self.map, name) for name in names}}
        tree["statistics"] = vars(self.statistics)
        if self.encoding is not None:
            tree["encoding"] = files.tree(self.encoding)
        about = None
        if self.pixels is not None:
            tree["pixels"], about = self.pixels.state()
        arrays = {**flatten_dict(tree, sep="/"), "images": self.images}
        own, options = own_voxels.state(self.own)
        arrays |= {f"own/{name}": array for name, array in own.items()}
        return (
            {name: np.asarray(array) for name, array in arrays.items()},
            {"config": dataclasses.asdict(self.config), "own": options, "pixels": about},
        )

    @classmethod
    def restore(cls, arrays: dict[str, Any], options: dict[str, Any]) -> "FeatureReconstructor":
        """The decoder whose `state()` gave these.

        Raises:
            InputError: the network's weights cannot be had.
        """
        config, images = section(Config, options["config"], "model"), np.asarray(arrays["images"])
        tree = unflatten_dict(
            {name: jnp.asarray(array) for name, array in arrays.items() if name != "images"},
            sep="/",
        )
        encoder, encoding, pixels = Encoder.of(config), None, None
        if "encoding" in tree:
            encoding = files.from_tree(tree["encoding"], OPTIONS, "errors")
        if "pixels" in tree:
            kind = PIXEL_DECODERS[config.pixel_decoder]
            pixels = kind.restore(tree["pixels"], options["pixels"])
        own = {
            name.removeprefix("own/"): array
            for name, array in arrays.items()
            if name.startswith("own/")
        }
        return cls(
            map=DualRidge(**tree["map"]),
            images=images,
            features=jax.tree.map(jnp.asarray, represent(encoder, images, pixels is None)),
            statistics=Statistics(**tree["statistics"]),
            encoder=encoder,
            canvas=canvases.build(config, images),
            config=config,
            own=own_voxels.restore(own, options["own"]),
            encoding=encoding,
            pixels=pixels,
        )


def represent(
    encoder: Encoder, images: np.ndarray, by_octave: bool = True
) -> dict[str, np.ndarray]:
    """What is decoded by ridge of images (n, h, w, c) uint8: layers, and the pixels by octave.

    Args:
        encoder: which layers.
        images: of training.
        by_octave: False where another decoder has the pixels.
    """
    features = encoder.of_stimuli(images)
    pixels = features.pop(PIXELS, None)
    if pixels is None or not by_octave:
        return features
    return features | pixel_bands.coefficients(pixels)


@jax.jit
def _weighted_sums(fitted: DualRidge, features: Layers, means: Layers, fmri: jax.Array) -> Layers:
    """Layers (n, ...) as sums of those of the training stimuli, without any correction."""
    found = {}
    for layer, own in features.items():
        mean = means[layer]
        found[layer] = fitted.deviations(fmri, layer, own - mean) + mean
    return found
