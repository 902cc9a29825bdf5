"""A trained latent diffusion model: embeddings of images and texts -> images."""

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np

from fmri_jax import arrays as ops
from fmri_jax.arrays import in_blocks
from fmri_jax.config import section
from fmri_jax.errors import InputError
from fmri_jax.networks.autoencoder_kl import AutoencoderKLConfig
from fmri_jax.networks.unet import UNet, UNetConfig
from fmri_jax.pretrained.latent_diffusion import autoencoder_shapes, unet_shapes
from fmri_jax.priors import files
from fmri_jax.priors.autoencoder.prior import AutoencoderConfig, AutoencoderPrior, decoded
from fmri_jax.priors.diffusion import conditions as told
from fmri_jax.priors.diffusion.conditions import Condition, Embeddings
from fmri_jax.priors.diffusion.sampling import sample
from fmri_jax.priors.diffusion.schedule import Schedule
from fmri_jax.priors.prior import Prior

BLOCK = 8  # images in the networks at a time


@dataclasses.dataclass(frozen=True)
class LatentDiffusionConfig:
    """Sizes of a latent diffusion model.

    Attributes:
        autoencoder: between images and latents.
        unet: with one context for each condition, or one for the tokens of all of them.
        conditions: what it is told of an image.
        image_size: px, the side of its images.
        scale: factor that brings latents to unit variance.
        one_step_noisier: whether a noised image starts as Versatile Diffusion's code has it, see
            `Schedule.trajectory`.
    """

    autoencoder: AutoencoderKLConfig
    unet: UNetConfig
    conditions: tuple[Condition, ...]
    image_size: int
    scale: float
    one_step_noisier: bool = False

    @property
    def latent_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of the latents."""
        side = self.image_size // self.autoencoder.reduction
        return side, side, self.autoencoder.latent_channels

    @property
    def joined(self) -> bool:
        """Whether the tokens of all conditions are one context."""
        return all(condition.projected for condition in self.conditions)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Parameter name -> shape."""
        found = {f"autoencoder/{n}": s for n, s in autoencoder_shapes(self.autoencoder).items()}
        found |= {f"unet/{name}": shape for name, shape in unet_shapes(self.unet).items()}
        return found | told.projection_shapes(self.conditions, self.unet.contexts[0])


@dataclasses.dataclass(frozen=True)
class LatentDiffusionPrior(Prior):
    """A latent diffusion model.

    `params` hold "autoencoder", "unet", and "conditions" where the model has maps of its own.
    """

    config: LatentDiffusionConfig

    @property
    def conditions(self) -> dict[str, Condition]:
        """What it is told of an image, by kind."""
        return {condition.kind: condition for condition in self.config.conditions}

    @property
    def autoencoder(self) -> AutoencoderPrior:
        """Between images and unscaled latents."""
        config = AutoencoderConfig(self.config.autoencoder, self.image_size)
        params = self.params["autoencoder"]
        return AutoencoderPrior(config, params, fingerprint=self.fingerprint)

    def embed(
        self,
        images: Any,
        captions: Sequence[tuple[str, ...]] | None = None,
        kept: bool = False,
    ) -> dict[str, np.ndarray]:
        """Conditions that images fulfil.

        Args:
            images: (n, h, w, 3) in [0, 1] or uint8.
            captions: of each image, one or more; None leaves the text out.
            kept: as `Condition.embed` takes it.

        Returns:
            Kind -> (n, tokens, width).
        """
        rows = {"image": images, "text": captions}
        return {
            kind: condition.embed(rows[kind], kept)
            for kind, condition in self.conditions.items()
            if rows[kind] is not None
        }

    def encode(self, images: Any) -> np.ndarray:
        """Latents of images: the posterior's means, scaled to about unit variance.

        Args:
            images: (n, size, size, 3) in [0, 1] or uint8.

        Returns:
            (n, h, w, channels).

        Raises:
            InputError: the images are of another size.
        """
        return np.float32(self.config.scale) * self.autoencoder.encode(images)

    def decode(self, latents: Any) -> np.ndarray:
        """Latents (n, h, w, channels) -> images (n, size, size, 3) float32 in [0, 1]."""
        return self.autoencoder.decode(np.asarray(latents, np.float32) / self.config.scale)

    def sample(
        self,
        condition: Embeddings,
        key: jax.Array,
        start: Any = None,
        strength: float = 0.75,
        n_steps: int = 50,
        guidance: float = 7.5,
        shares: Mapping[str, float] | None = None,
        eta: float = 0.0,
    ) -> np.ndarray:
        """Images under conditions, by DDIM with classifier-free guidance.

        Args:
            condition: kind -> (n, tokens, width), such as `embed` gives, or decoded ones.
            key: of the noise.
            start: (n, h, w, 3) images in [0, 1] that are noised and changed; None: pure noise.
            strength: share of the steps that `start` goes through.
            n_steps: from pure noise to an image.
            guidance: 1: none; 0: nothing is told, whatever the condition.
            shares: of each kind, where the model has a context for each; in all 1.
            eta: noise that is added anew at each step.

        Returns:
            (n, size, size, 3) float32 in [0, 1].

        Raises:
            InputError: a condition has another shape, or a number is out of range.
        """
        config = self.config
        n = told.check(config.conditions, condition)
        trajectory = Schedule().trajectory(
            n_steps,
            1.0 if start is None else strength,
            start is not None and config.one_step_noisier,
        )
        of_start, of_steps = jax.random.split(key)
        noise = np.asarray(jax.random.normal(of_start, (n, *config.latent_shape)))
        rows: dict[str, np.ndarray] = {kind: np.asarray(x) for kind, x in condition.items()}
        rows["noise"] = noise
        if start is not None:
            rows["start"] = self.encode(_at_size(start, self.image_size))
        if eta:
            drawn = jax.random.normal(of_steps, (n, len(trajectory.steps), *config.latent_shape))
            rows["steps"] = np.asarray(drawn)
        names, nothing = tuple(rows), None if guidance == 1 else self._nothing()
        weights = self._weights(condition, shares)

        def of_block(*block: np.ndarray) -> jax.Array:
            given = dict(zip(names, block, strict=True))
            latents = self._drawn(given, trajectory, nothing, weights, guidance, eta)
            params = self.params["autoencoder"]
            return decoded(config.autoencoder, params, latents / config.scale)

        return cast(np.ndarray, in_blocks(of_block, tuple(rows.values()), min(BLOCK, n)))

    def _drawn(
        self, given: Any, trajectory: Any, nothing: Any, weights: Any, guidance: float, eta: float
    ) -> jax.Array:
        """Latents of a block of rows."""
        noise, start, steps = (given.pop(name, None) for name in ("noise", "start", "steps"))
        contexts = self._contexts(given, len(noise))
        if guidance == 0:  # one prediction instead of two
            contexts = tuple(
                jnp.broadcast_to(null, context.shape)
                for null, context in zip(nothing, contexts, strict=True)
            )
            nothing = None
        return sample(
            UNet(self.config.unet),
            self.params["unet"],
            noise,
            trajectory,
            contexts,
            nothing,
            weights,
            guidance,
            start,
            eta,
            step_noise=None if steps is None else jnp.moveaxis(jnp.asarray(steps), 1, 0),
        )

    def _contexts(self, given: Embeddings, n: int) -> tuple[jax.Array, ...]:
        config = self.config
        if config.joined:
            return (told.project(config.conditions, self.params["conditions"], given, n),)
        return tuple(
            jnp.asarray(given[c.kind])
            if c.kind in given
            else jnp.broadcast_to(c.nothing(), (n, *c.shape))
            for c in config.conditions
        )

    def _nothing(self) -> tuple[jax.Array, ...]:
        """Contexts that stand for anything."""
        config = self.config
        if config.joined:
            count = sum(condition.tokens for condition in config.conditions)
            return (jnp.zeros((1, count, config.unet.contexts[0])),)
        return tuple(jnp.asarray(condition.nothing()) for condition in config.conditions)

    def _weights(
        self, given: Embeddings, shares: Mapping[str, float] | None
    ) -> tuple[float, ...] | None:
        """Of the contexts: what is not given has none, the others share it as they are asked to."""
        if len(self.config.unet.contexts) == 1:
            return None
        shares = shares or {}
        wanted = [shares.get(c.kind, 1.0) * (c.kind in given) for c in self.config.conditions]
        if not sum(wanted):
            raise InputError(f"shares are {dict(shares)}: expected one of what is given above 0.")
        return tuple(share / sum(wanted) for share in wanted)


def restore(about: dict[str, Any], params: Any, folder: pathlib.Path) -> LatentDiffusionPrior:
    """The prior of a folder that `priors.files` has read.

    Raises:
        InputError: the config cannot be read, or the parameters are not its.
    """
    content, where = dict(about["config"]), str(folder)
    parts: dict[str, Any] = {
        "autoencoder": section(AutoencoderKLConfig, content.pop("autoencoder", {}), where),
        "unet": section(UNetConfig, content.pop("unet", {}), where),
        "conditions": tuple(
            section(Condition, each, where) for each in content.pop("conditions", ())
        ),
    }
    try:
        config = LatentDiffusionConfig(**parts, **content)
    except TypeError as error:
        raise InputError(f"{folder} has a config that cannot be read ({error}).") from error
    files.check_parameters(folder, params, config.shapes())
    return LatentDiffusionPrior(config, params, about.get("card", {}), about.get("sha256", ""))


def _at_size(images: Any, size: int) -> np.ndarray:
    """Images (n, h, w, c) in [0, 1] at a model's size."""
    resized = ops.resize(jnp.asarray(images), size, size, antialias=True, method="cubic")
    return np.asarray(jnp.clip(resized, 0, 1))
