"""A fitted Brain-Diffuser: responses -> latents -> layout -> picture."""

import dataclasses
import functools
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from fmri_jax import arrays as ops
from fmri_jax.config import section
from fmri_jax.data.preparation.folds import Fold
from fmri_jax.encoding.fitted import Encoding
from fmri_jax.errors import InputError
from fmri_jax.evaluation.baselines import Predict
from fmri_jax.linear import target_map
from fmri_jax.linear.target_map import TargetMap
from fmri_jax.methods import choice
from fmri_jax.methods.brain_diffuser.config import Config
from fmri_jax.methods.brain_diffuser.priors import block_name, latents_of, load_priors


@flax.struct.dataclass
class BrainDiffuserReconstructor(choice.Sampler):
    """The maps of both stages, and the priors that make images of what they decode."""

    images: Any  # (stimuli, h, w, c) uint8, of training
    latents: TargetMap | None  # first stage: block of the VAE -> latents
    conditions: TargetMap | None  # second stage: condition -> embedding
    encoding: Encoding | None
    config: Config = flax.struct.field(pytree_node=False)
    first: Any = flax.struct.field(pytree_node=False, default=None)  # the VAE
    second: Any = flax.struct.field(pytree_node=False, default=None)  # the diffusion model

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of the images."""
        height, width, channels = self.images.shape[1:]
        return height, width, channels

    def reconstruct(self, fmri: Any) -> jax.Array:
        """fMRI (n, voxels), standardised as in training -> images (n, h, w, c) in [0, 1]."""
        return jnp.asarray(self.reconstruct_beside(fmri)[0])

    def controls(self, fold: Fold, number: int) -> dict[str, Predict]:
        """What its critics ask for; see `brain_diffuser.controls`."""
        from fmri_jax.methods.brain_diffuser import controls

        return controls.offered(self, fold, number)

    def samples(self, fmri: Any) -> np.ndarray:
        """fMRI (n, voxels) -> images (samples, n, h, w, c) in [0, 1]."""
        keys = self._keys()
        fmri = jnp.asarray(fmri)
        latents = None if self.latents is None else self._latents(fmri)
        embeddings = None if self.conditions is None else self.conditions.decode(fmri)
        return np.stack([self.sample_of(latents, embeddings, key) for key in keys])

    def sample_with(self, fmri: jax.Array, others: jax.Array) -> np.ndarray:
        """The first sample, its layout decoded from `fmri` and its embeddings from `others`."""
        assert self.conditions is not None
        latents = None if self.latents is None else self._latents(fmri)
        return self.sample_of(latents, self.conditions.decode(others), self._keys()[0])

    def _keys(self) -> jax.Array:
        return jax.random.split(jax.random.key(self.config.seed), self.config.n_samples)

    def first_stage(self, fmri: Any) -> np.ndarray:
        """fMRI (n, voxels) -> what the VAE makes of its latents (n, h, w, c) in [0, 1]."""
        if self.latents is None:
            raise InputError("config.method.stages is 'second': there is no first stage.")
        key = jax.random.key(self.config.seed)
        return self.as_recorded(self._layout(self._latents(jnp.asarray(fmri)), key))

    def _latents(self, fmri: jax.Array) -> tuple[np.ndarray, ...]:
        assert self.latents is not None
        found = self.latents.decode(fmri)
        return tuple(np.asarray(found[block_name(i)]) for i in range(len(found)))

    def _layout(self, latents: tuple[np.ndarray, ...], key: jax.Array) -> np.ndarray:
        """Images of the VAE's own size."""
        config = self.config
        drawn = config.temperature > 0 or config.pixels == "sample"
        images: np.ndarray = self.first.decode(
            latents, key if drawn else None, config.temperature, config.pixels
        )
        return images

    def sample_of(self, latents: Any, embeddings: Any, key: jax.Array) -> np.ndarray:
        """Images (n, h, w, c) of latents and embeddings, each None where its stage is left out."""
        of_first, of_second = jax.random.split(key)
        layout = None if latents is None else self._layout(latents, of_first)
        if embeddings is None:
            assert layout is not None
            return self.as_recorded(layout)
        return self.picture(embeddings, layout, of_second, self.config.guidance)

    def picture(
        self, embeddings: Any, layout: np.ndarray | None, key: jax.Array, guidance: float
    ) -> np.ndarray:
        """What the second stage makes of embeddings and a layout (None: of noise alone)."""
        config = self.config
        pictures = self.second.sample(
            embeddings,
            key,
            start=layout,
            strength=config.strength,
            n_steps=config.n_steps,
            guidance=guidance,
            shares={"image": config.image_share, "text": 1 - config.image_share},
        )
        return self.as_recorded(pictures)

    def as_recorded(self, images: np.ndarray) -> np.ndarray:
        """Images of a prior at the recording's size and with its colours."""
        height, width, channels = self.image_shape
        return np.asarray(_resized(jnp.asarray(images), height, width, channels))

    def summary(self) -> dict[str, str | float]:
        """The penalty of each condition, and of the coarsest and finest block."""
        found: dict[str, str | float] = {}
        for fitted in (self.latents, self.conditions):
            if fitted is not None:
                alphas = fitted.map.alphas
                found |= {f"penalty of {name}": float(alpha) for name, alpha in alphas.items()}
        return found

    def state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """The maps, what they decode of the training images, and these images.

        Latents are 64 kB of an image with the package's own prior. To compute them again, as for
        decoders that were kept without, took a third of the time to a first image.
        """
        tree: dict[str, Any] = {"images": self.images}
        if self.latents is not None:
            tree["latents"] = target_map.state(self.latents, ())
        if self.conditions is not None:
            tree["conditions"] = target_map.state(self.conditions, ())
        if self.encoding is not None:
            tree["encoding"] = choice.state(self.encoding)
        flat = {name: np.asarray(array) for name, array in flatten_dict(tree, sep="/").items()}
        prints = [prior.fingerprint if prior else "" for prior in (self.first, self.second)]
        return flat, {"config": dataclasses.asdict(self.config), "priors": prints}

    @classmethod
    def restore(
        cls, arrays: dict[str, Any], options: dict[str, Any]
    ) -> "BrainDiffuserReconstructor":
        """The decoder whose `state()` gave these.

        Raises:
            InputError: a prior cannot be had, or is no longer the one that was fitted to.
        """
        config = section(Config, options["config"], "model")
        tree = unflatten_dict(arrays, sep="/")
        images = np.asarray(tree.pop("images"))
        tree = jax.device_put(tree)
        first, second = load_priors(config)
        for prior, name, fitted in zip(
            (first, second), (config.prior, config.diffusion), options["priors"], strict=True
        ):
            if prior is not None and prior.fingerprint != fitted:
                raise InputError(
                    f"the decoder was fitted to the latents of another prior than {name} is now "
                    f"(SHA-256 {fitted[:12]}, now {prior.fingerprint[:12]}): bring the former one "
                    "back, such as with the version of fmri_jax that fitted it, or fit again."
                )
        latents = conditions = encoding = None
        if "latents" in tree:
            missing = {} if "targets" in tree["latents"] else latents_of(first, images, config)
            latents = target_map.restore(tree["latents"], jax.tree.map(jnp.asarray, missing))
        if "conditions" in tree:
            conditions = target_map.restore(tree["conditions"], {})
        if "encoding" in tree:
            encoding = choice.restore(tree["encoding"])
        return cls(images, latents, conditions, encoding, config, first, second)


@functools.partial(jax.jit, static_argnums=(1, 2, 3))
def _resized(images: jax.Array, height: int, width: int, channels: int) -> jax.Array:
    images = ops.resize(images, height, width, antialias=True, method="cubic")
    if channels == 1:
        images = images.mean(axis=-1, keepdims=True)
    return jnp.clip(images, 0, 1)
