"""A fitted IC-GAN: responses -> features of an instance -> images."""

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
from fmri_jax.methods.ic_gan.config import Config
from fmri_jax.priors.ic_gan.prior import ICGANPrior, unit_length

FEATURES, NOISE, FIRST = "features", "noise", "first layer"  # what is decoded


@flax.struct.dataclass
class ICGANReconstructor(choice.Sampler):
    """The maps, and the prior that makes images of what they decode."""

    map: TargetMap  # features, and where asked for noise and first layer
    real: Any  # (instances, features) among which the nearest is sought, or None
    inversion: Any  # (steps + 1, stimuli) squared error of training images, or None
    encoding: Encoding | None  # by which samples are chosen
    config: Config = flax.struct.field(pytree_node=False)
    image_shape: tuple[int, int, int] = flax.struct.field(pytree_node=False)
    prior: ICGANPrior = flax.struct.field(pytree_node=False)

    def instances(self, fmri: Any) -> np.ndarray:
        """fMRI (n, voxels) -> the features (n, features) that the generator is told."""
        return self._told(self._decoded(fmri))

    def reconstruct(self, fmri: Any) -> jax.Array:
        """fMRI (n, voxels), standardised as in training -> images (n, h, w, c) in [0, 1]."""
        if self.config.choice == "first":
            return jnp.asarray(self._drawn(fmri, 1)[0])
        return jnp.asarray(self.reconstruct_beside(fmri)[0])

    def samples(self, fmri: Any) -> np.ndarray:
        """fMRI (n, voxels) -> images (samples, n, h, w, c) in [0, 1]."""
        return self._drawn(fmri, self.config.n_samples)

    def _drawn(self, fmri: Any, count: int) -> np.ndarray:
        config = self.config
        found = self._decoded(fmri)
        features, first = self._told(found), found.get(FIRST)
        keys = jax.random.split(jax.random.key(config.seed), config.n_samples)[:count]
        made = []
        for key in keys:
            if config.noise == "decoded":
                noise = found[NOISE]
            else:
                scale = 0.0 if config.noise == "zeros" else config.truncation
                # One draw for all rows: what a row gives does not depend on those beside it.
                noise = np.tile(self.prior.draw_noise(1, key, scale), (len(features), 1))
            made.append(self.as_recorded(self.prior.generate(features, noise, first)))
        return np.stack(made)

    def _decoded(self, fmri: Any) -> dict[str, np.ndarray]:
        found = self.map.decode(jnp.asarray(fmri))
        return {name: np.asarray(array) for name, array in found.items()}

    def _told(self, found: dict[str, np.ndarray]) -> np.ndarray:
        features = unit_length(found[FEATURES])
        if self.real is None:
            return features
        likeness = np.asarray(ops.matmul(jnp.asarray(features), jnp.asarray(self.real).T))
        return np.asarray(self.real)[likeness.argmax(axis=1)]

    def controls(self, fold: Fold, number: int) -> dict[str, Predict]:
        """What the generator makes without brain input; see `ic_gan.controls`."""
        from fmri_jax.methods.ic_gan import controls

        return controls.offered(self, number)

    @property
    def training_features(self) -> np.ndarray:
        """(stimuli, features) of the training images."""
        return np.asarray(self.map.targets[FEATURES])

    def as_recorded(self, images: np.ndarray) -> np.ndarray:
        """Images of the prior at the recording's size and with its colours."""
        return np.asarray(_resized(jnp.asarray(images), *self.image_shape))

    def summary(self) -> dict[str, str | float]:
        """The penalty of each map."""
        return {f"penalty of {name}": float(a) for name, a in self.map.map.alphas.items()}

    def state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """The maps and what they decode of the training images."""
        tree: dict[str, Any] = {"map": target_map.state(self.map, ())}
        for name in ("real", "inversion"):
            if getattr(self, name) is not None:
                tree[name] = getattr(self, name)
        if self.encoding is not None:
            tree["encoding"] = choice.state(self.encoding)
        flat = {name: np.asarray(array) for name, array in flatten_dict(tree, sep="/").items()}
        options = {
            "config": dataclasses.asdict(self.config),
            "image_shape": list(self.image_shape),
            "prior": self.prior.fingerprint,
        }
        return flat, options

    @classmethod
    def restore(cls, arrays: dict[str, Any], options: dict[str, Any]) -> "ICGANReconstructor":
        """The decoder whose `state()` gave these.

        Raises:
            InputError: the prior cannot be had, or is no longer the one that was fitted to.
        """
        from fmri_jax.methods.ic_gan.method import load_prior

        config = section(Config, options["config"], "model")
        tree = jax.device_put(unflatten_dict(arrays, sep="/"))
        prior = load_prior(config)
        if prior.fingerprint != options["prior"]:
            raise InputError(
                f"the decoder was fitted to another prior than {config.prior} is now (SHA-256 "
                f"{options['prior'][:12]}, now {prior.fingerprint[:12]}): bring the former one "
                "back, such as with the version of fmri_jax that fitted it, or fit again."
            )
        height, width, channels = options["image_shape"]
        fitted = target_map.restore(tree["map"], {})
        encoding = choice.restore(tree["encoding"]) if "encoding" in tree else None
        kept = tree.get("real"), tree.get("inversion"), encoding
        return cls(fitted, *kept, config, (height, width, channels), prior)


@functools.partial(jax.jit, static_argnums=(1, 2, 3))
def _resized(images: jax.Array, height: int, width: int, channels: int) -> jax.Array:
    images = ops.resize(images, height, width, antialias=True, method="cubic")
    if channels == 1:
        images = images.mean(axis=-1, keepdims=True)
    return jnp.clip(images, 0, 1)
