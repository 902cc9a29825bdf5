"""Which priors there are: of the package, published, or trained by a lab."""

import dataclasses
import functools
import importlib
import pathlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from fmri_jax.config import unknown_name
from fmri_jax.errors import InputError
from fmri_jax.files import place
from fmri_jax.priors import files

if TYPE_CHECKING:
    from fmri_jax.priors.diffusion.prior import LatentDiffusionPrior
    from fmri_jax.priors.ic_gan.prior import ICGANPrior
    from fmri_jax.priors.vdvae.prior import VDVAEPrior

PACKAGED = pathlib.Path(__file__).parent / "trained"  # one folder for each


@dataclasses.dataclass(frozen=True)
class Kind:
    """A kind of prior.

    Attributes:
        module_name: holds `restore(content, arrays, folder) -> prior`.
    """

    module_name: str

    def restore(self, about: dict[str, Any], params: Any, folder: pathlib.Path) -> Any:
        """The prior that `files.save` was given."""
        return importlib.import_module(self.module_name).restore(about, params, folder)


KINDS = {
    "autoencoder": Kind("fmri_jax.priors.autoencoder.prior"),
    "ic_gan": Kind("fmri_jax.priors.ic_gan.prior"),
    "latent_diffusion": Kind("fmri_jax.priors.diffusion.prior"),
    "vdvae": Kind("fmri_jax.priors.vdvae.prior"),
}


def _imagenet64(weights: pathlib.Path | None) -> "VDVAEPrior":
    from fmri_jax import pretrained
    from fmri_jax.networks.vdvae import IMAGENET64
    from fmri_jax.priors.vdvae.prior import VDVAEPrior

    return VDVAEPrior(IMAGENET64, pretrained.load("vdvae_imagenet64", weights))


def _versatile(weights: pathlib.Path | None) -> "LatentDiffusionPrior":
    from fmri_jax import pretrained
    from fmri_jax.pretrained.latent_diffusion import load_autoencoder, load_versatile_unet
    from fmri_jax.priors.diffusion.prior import LatentDiffusionPrior
    from fmri_jax.priors.diffusion.published import VERSATILE_DIFFUSION as config

    if weights is None:
        unet = pretrained.load("versatile_diffusion_unet")
        autoencoder = pretrained.load("sd1_autoencoder")
    else:
        unet = load_versatile_unet(weights, config.unet)
        autoencoder = load_autoencoder(weights / "vae", config.autoencoder)
    return LatentDiffusionPrior(config, {"unet": unet, "autoencoder": autoencoder})


def _ic_gan(name: str, weights: pathlib.Path | None) -> "ICGANPrior":
    from fmri_jax import pretrained
    from fmri_jax.priors.ic_gan.config import PUBLISHED as configs
    from fmri_jax.priors.ic_gan.prior import ICGANPrior

    return ICGANPrior(configs[name], pretrained.load(name, weights))


# IC-GAN without classes; under which names `priors.ic_gan.config` has their sizes.
IC_GANS = tuple(
    f"icgan_biggan_{name}"
    for name in (
        "imagenet_res64",
        "imagenet_res128",
        "imagenet_res256",
        "imagenet_res256_halfcap",
        "coco_res128",
        "coco_res256",
    )
)
# Published priors by name: from a file or folder of weights, or None for downloaded ones.
PUBLISHED: dict[str, Callable[[pathlib.Path | None], Any]] = {
    "vdvae_imagenet64": _imagenet64,
    "versatile_diffusion": _versatile,
    **{name: functools.partial(_ic_gan, name) for name in IC_GANS},
}


def names() -> list[str]:
    """What `load` takes beside paths."""
    packaged = [folder.parent.name for folder in PACKAGED.glob(f"*/{files.JSON}")]
    return [*sorted(packaged), *PUBLISHED]


def load(name: str | pathlib.Path, weights: str | pathlib.Path | None = None) -> Any:
    """A prior, ready to encode, decode and sample.

    Args:
        name: of a prior, such as "small_vdvae", or a folder that `fmri-jax prior train` left.
        weights: a file of a published prior's weights, or a folder of `diffusers`; downloaded by
            default.

    Returns:
        An `autoencoder.prior.AutoencoderPrior`, `diffusion.prior.LatentDiffusionPrior`,
        `ic_gan.prior.ICGANPrior` or `vdvae.prior.VDVAEPrior`.

    Raises:
        InputError: there is no such prior, or its weights cannot be had.
    """
    if name in PUBLISHED:
        return PUBLISHED[str(name)](None if weights is None else place(weights))
    folder = _folder(str(name))
    about, params = files.load(folder)
    if about.get("kind") not in KINDS:
        raise InputError(
            f"{folder} holds a prior of kind {about.get('kind')!r}: expected one of "
            f"{', '.join(KINDS)}; install a newer fmri_jax."
        )
    return KINDS[about["kind"]].restore(about, params, folder)


def _folder(name: str) -> pathlib.Path:
    """Where a prior that is not published is kept.

    Raises:
        InputError: there is none of that name, and no folder.
    """
    if name in names():
        return PACKAGED / name
    folder = place(name)
    if not folder.is_dir():
        from fmri_jax.priors.recipes import RECIPES

        if name in RECIPES:
            raise InputError(
                f"prior {name!r} does not come with the package: train it (fmri-jax prior train "
                f"{name} --images FOLDER_OR_ZIP), and name the folder prior/ that this leaves."
            )
        raise InputError(unknown_name(f"{name!r}", name, names(), "prior, and no folder of one"))
    return folder


def trained_through(name: str) -> tuple[str, ...]:
    """The networks that had a say in a prior: what it is told of an image, and in its loss.

    No weights are read.

    Raises:
        InputError: there is no such prior.
    """
    if name == "versatile_diffusion":
        return ("clip_vit_l14",)
    if name in IC_GANS:
        return ("swav_resnet50",)
    about = files.read_about(_folder(name))
    config = about.get("config", {})
    conditions = config.get("conditions", ())
    told = [each["network"] for each in conditions if each.get("kind") == "image"]
    told += [config["network"]] if about.get("kind") == "ic_gan" else []
    return (*map(str, told), *map(str, about.get("card", {}).get("trained_through", ())))
