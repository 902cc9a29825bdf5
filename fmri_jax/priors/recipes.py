"""What `fmri-jax prior train` trains: networks, objective and options.

A new recipe is one entry of `RECIPES`; a new kind of prior also one of `LOSSES`.
"""

import dataclasses
import importlib
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from fmri_jax.config import unknown_name
from fmri_jax.errors import InputError
from fmri_jax.priors.examples import Examples, Source
from fmri_jax.priors.training import Objective, Options


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How a prior is made.

    Attributes:
        what: one line for people.
        kind: of `registry.KINDS`.
        make_config: () -> sizes of the networks, a frozen dataclass with `image_size`, px.
        options: of the training, which the command line overrides one by one.
        objective_options: of the objective beside the config.
        loss: of `LOSSES`, where priors of this kind can be trained in several ways.
        trained_through: networks beside it that have a say in the loss: scores through them are
            circular.
    """

    what: str
    kind: str
    make_config: Callable[[], Any]
    options: Options
    objective_options: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    loss: str = ""
    trained_through: tuple[str, ...] = ()

    @property
    def training(self) -> "Loss":
        """How it is trained."""
        return LOSSES[self.loss or self.kind]

    def objective(self, config: Any) -> Objective:
        """What its training minimises."""
        return objective(self.loss or self.kind, config, **self.objective_options)


def _small_vdvae() -> Any:
    from fmri_jax.networks.vdvae import VDVAEConfig

    return VDVAEConfig(
        encoder="16x2,16d2,8x2,8d2,4x1,4d4,1x1",
        decoder="1x1,4m1,4x1,8m4,8x2,16m8,16x2",
        width=192,
        widths=((16, 128),),
        mixtures=1,
        latent_channels=16,
        patch=4,
        pyramid=True,
    )


def _small_autoencoder() -> Any:
    from fmri_jax.networks.autoencoder_kl import AutoencoderKLConfig
    from fmri_jax.priors.autoencoder.prior import AutoencoderConfig

    network = AutoencoderKLConfig(
        channels=(64,),
        blocks=1,
        attention=False,
        latent_channels=8,
        groups=16,
        patch=4,
        shortcut=True,
    )
    return AutoencoderConfig(network, 64)


def _small_latent_diffusion() -> Any:
    from fmri_jax.networks.unet import UNetConfig
    from fmri_jax.priors.diffusion.conditions import Condition
    from fmri_jax.priors.diffusion.prior import LatentDiffusionConfig

    autoencoder = _small_autoencoder()
    width = 96
    return LatentDiffusionConfig(
        autoencoder=autoencoder.autoencoder,
        unet=UNetConfig(
            latent_channels=autoencoder.autoencoder.latent_channels,
            channels=(48, 96),
            attention=(False, True),
            blocks=1,
            middle="residual",
            heads=4,
            contexts=(width,),
            groups=16,
            places=16,
        ),
        conditions=(
            # At 4 x 4 places, beside the latents: pooled features tell little of a photograph.
            Condition(
                "image", "efficientnet_lite0", "block4_2", (16, 80), projected=1, image_size=64
            ),
            Condition("text", "minilm", "embedding", (1, 384), projected=1),
        ),
        image_size=autoencoder.image_size,
        scale=1.0,
    )


def _small_ic_gan() -> Any:
    from fmri_jax.features.preprocessing import Preprocessing
    from fmri_jax.networks.latent_generator import LatentGeneratorConfig
    from fmri_jax.priors.ic_gan.config import ICGANConfig

    autoencoder = _small_autoencoder()
    return ICGANConfig(
        LatentGeneratorConfig(autoencoder.latent_shape, feature_units=192, noise=64, width=64),
        layer="block4_2",  # 4 x 4 places of 64 px: pooled features tell little of a photograph
        preprocessing=Preprocessing(64),
        autoencoder=autoencoder.autoencoder,
        image_size=autoencoder.image_size,
    )


def _small_ic_gan_pixels() -> Any:
    from fmri_jax.networks.biggan_config import BigGANConfig
    from fmri_jax.priors.ic_gan.config import ICGANConfig

    return ICGANConfig(BigGANConfig(64, 16, (32,), features=1280, feature_units=128))


# Of brief trainings on a CPU: a line of the curve within a minute, a checkpoint within ten.
_BRIEF = Options(
    n_steps=6000, learning_rate=1e-3, averaging=0.99, log_every=25, checkpoint_every=250
)
_OF_LATENTS = dataclasses.replace(_BRIEF, n_steps=20_000, batch_size=64, averaging=0.998)

RECIPES = {
    "small_autoencoder": Recipe(
        what="autoencoder of photographs of 64 px, for small_latent_diffusion",
        kind="autoencoder",
        make_config=_small_autoencoder,
        options=dataclasses.replace(_BRIEF, n_steps=2000),
    ),
    "small_ic_gan": Recipe(
        what="latents of 64 px from features of an instance at 4 x 4 places, and noise",
        kind="ic_gan",
        make_config=_small_ic_gan,
        options=_OF_LATENTS,
        objective_options={"rate_weight": 0.3, "lpips_weight": 1.0},
        trained_through=("alexnet",),
    ),
    "small_ic_gan_pixels": Recipe(
        what="IC-GAN of 64 px: pixels from EfficientNet-Lite0's features of an instance, and noise",
        kind="ic_gan",
        make_config=_small_ic_gan_pixels,
        options=Options(
            n_steps=50_000,
            batch_size=64,
            learning_rate=2e-4,
            weight_decay=0.0,
            moments=(0.0, 0.999),
            largest_gradient=1e6,
            averaging=0.999,
            log_every=25,
            checkpoint_every=500,
        ),
        objective_options={"discriminator_rate": 2.0},
        loss="ic_gan_pixels",
    ),
    "small_latent_diffusion": Recipe(
        what="latent diffusion of 64 px, told of an image by EfficientNet-Lite0 and MiniLM",
        kind="latent_diffusion",
        make_config=_small_latent_diffusion,
        options=_OF_LATENTS,
        objective_options={"drop_probability": 0.1, "drop_one": 0.15},
    ),
    "small_vdvae": Recipe(
        what="very deep VAE of nine blocks for photographs of 64 px",
        kind="vdvae",
        make_config=_small_vdvae,
        options=_BRIEF,
        objective_options={"rate_weight": 0.3},
    ),
}


class Loss(NamedTuple):
    """What a kind of prior minimises.

    Attributes:
        module_name: holds `Objective`, a dataclass of the config.
        name: of the held-out loss in a card.
        examples: module whose `make` gives the objective its examples; by default photographs.
        trainer: module whose `train` minimises it.
    """

    module_name: str
    name: str
    examples: str = "fmri_jax.priors.examples"
    trainer: str = "fmri_jax.priors.training"

    def make_examples(self, source: Source) -> Examples:
        """What it is trained on.

        Raises:
            InputError: something that it needs is missing.
        """
        found: Examples = importlib.import_module(self.examples).make(source)
        return found

    def train(self, *given: Any, **more: Any) -> Any:
        """Arguments, result and errors of `training.train`."""
        return importlib.import_module(self.trainer).train(*given, **more)


LOSSES = {  # by kind, and where a kind is trained in several ways, by the way
    "autoencoder": Loss(
        "fmri_jax.priors.autoencoder.objective",
        "squared_error_and_divergence",
        "fmri_jax.priors.autoencoder.examples",
    ),
    "ic_gan": Loss(
        "fmri_jax.priors.ic_gan.objective",
        "instance_error",
        "fmri_jax.priors.ic_gan.examples",
    ),
    "ic_gan_pixels": Loss(
        "fmri_jax.priors.ic_gan.adversarial",
        "instance_error",
        "fmri_jax.priors.ic_gan.examples",
        "fmri_jax.priors.ic_gan.adversarial",
    ),
    "latent_diffusion": Loss(
        "fmri_jax.priors.diffusion.objective",
        "noise_error",
        "fmri_jax.priors.diffusion.examples",
    ),
    "vdvae": Loss("fmri_jax.priors.vdvae.objective", "bits_per_dimension"),
}


def find(name: str) -> Recipe:
    """The recipe of that name.

    Raises:
        InputError: there is none; the closest name is in the message.
    """
    if name not in RECIPES:
        raise InputError(unknown_name(f"{name!r}", name, RECIPES, "prior to train"))
    return RECIPES[name]


def objective(loss: str, config: Any, **options: Any) -> Objective:
    """What priors of that loss minimise; without options, what they are scored by."""
    return importlib.import_module(LOSSES[loss].module_name).Objective(config, **options)
