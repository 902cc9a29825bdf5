"""Published weights of IC-GAN, BigGAN and BigGAN-deep, spectral normalisation folded in."""

import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from fmri_jax.errors import InputError
from fmri_jax.networks.biggan import BigGANGenerator
from fmri_jax.networks.biggan_config import BIGGAN_128, IC_GAN, BigGANConfig
from fmri_jax.networks.biggan_deep import BIGGAN_DEEP, BigGANDeepConfig, BigGANDeepGenerator
from fmri_jax.networks.spectral_norm import folded
from fmri_jax.pretrained import kept_shapes, rules
from fmri_jax.pretrained.rules import Rule, Shapes
from fmri_jax.pretrained.sources import Publication, Weights
from fmri_jax.pretrained.unpickle import load_torch

if TYPE_CHECKING:
    import flax.linen as nn

_IC_GAN_URL = "https://dl.fbaipublicfiles.com/ic_gan/"
_HUGGING_FACE_URL = "https://s3.amazonaws.com/models.huggingface.co/biggan/"
_BEFORE = r"(?:module\.)?"  # of networks that were trained on several devices


def fold_power_steps(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Divides each weight that has a stored vector `u0` by sigma, one power step from it.

    `sv0`, beside it, is a log that may be of another step.

    Raises:
        InputError: a vector has no weight, or does not fit it.
    """
    found = {name: array for name, array in arrays.items() if not name.endswith((".u0", ".sv0"))}
    for name, u in arrays.items():
        if name.endswith(".u0"):
            _fold(found, f"{name.removesuffix('u0')}weight", u)
    return found


def _fold(found: dict[str, np.ndarray], name: str, u: np.ndarray) -> None:
    weight = found.get(name)
    if weight is None or weight.ndim < 2 or np.size(u) != len(weight):
        raise InputError(
            f"a vector of spectral normalisation has shape {np.shape(u)}, and {name} "
            f"{'is missing' if weight is None else f'has shape {weight.shape}'}: expected the "
            "published weights; get the file again."
        )
    found[name] = folded(weight, u)


def fold_stored_vectors(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The same of PyTorch's own spectral normalisation, whose two vectors are both stored.

    `weight_orig` is divided by u W v. Files of early versions have no v, but the `weight` that was
    used last.

    Raises:
        InputError: a weight has neither.
    """
    found = {n: a for n, a in arrays.items() if not n.endswith(("_orig", "_u", "_v"))}
    for name, weight in arrays.items():
        if not name.endswith(".weight_orig"):
            continue
        stem = name.removesuffix("_orig")
        if f"{stem}_u" in arrays and f"{stem}_v" in arrays:
            matrix = np.asarray(weight, np.float64).reshape(len(weight), -1)
            sigma = arrays[f"{stem}_u"].reshape(-1) @ matrix @ arrays[f"{stem}_v"].reshape(-1)
            found[stem] = np.asarray(weight / sigma, np.float32)
        elif stem not in arrays:
            raise InputError(
                f"{name} has neither the two vectors of spectral normalisation nor {stem}: "
                "expected the published weights; get the file again."
            )
    return found


def _shapes(network: "nn.Module", *given: Any) -> Shapes:
    """Of all variables of a network, statistics of normalisations among them."""

    def trace() -> Shapes:
        import jax

        variables: Any = jax.eval_shape(network.init, jax.random.key(0), *given)
        return {name: leaf.shape for name, leaf in rules.flatten(variables).items()}

    return kept_shapes.kept(network, given, "variables", trace)


@functools.cache
def generator_shapes(config: BigGANConfig) -> Shapes:
    """Name -> shape of "params/..." and "batch_stats/..."; nothing is computed."""
    import jax
    import jax.numpy as jnp

    noise = jax.ShapeDtypeStruct((1, config.noise_used), jnp.float32)
    features = classes = None
    if config.features:
        features = jax.ShapeDtypeStruct((1, config.features), jnp.float32)
    if config.classes:
        classes = jax.ShapeDtypeStruct((1,), jnp.int32)
    return _shapes(BigGANGenerator(config), noise, features, classes)


@functools.cache
def deep_shapes(config: BigGANDeepConfig) -> Shapes:
    """The same of a BigGAN-deep, with the statistics of all truncations."""
    import jax
    import jax.numpy as jnp

    noise = jax.ShapeDtypeStruct((1, config.noise), jnp.float32)
    classes = jax.ShapeDtypeStruct((1, config.classes), jnp.float32)
    found = _shapes(BigGANDeepGenerator(config), noise, classes)
    return {
        name: (config.statistics, *shape) if name.startswith("batch_stats") else shape
        for name, shape in found.items()
    }


def _gains(theirs: str, ours: str, gain: str, offset: str) -> list[Rule]:
    """Rules for the two linear maps of a conditional normalisation."""
    return [
        Rule(rf"{theirs}\.{gain}\.weight", f"params/{ours}/gain/kernel", rules.dense),
        Rule(rf"{theirs}\.{offset}\.weight", f"params/{ours}/bias/kernel", rules.dense),
    ]


def _statistics(theirs: str, ours: str) -> list[Rule]:
    """Rules for running statistics, of the code's own normalisation or of PyTorch's within it."""
    return [
        Rule(rf"{theirs}\.(?:bn\.)?(?:stored|running)_mean", f"batch_stats/{ours}/norm/mean"),
        Rule(rf"{theirs}\.(?:bn\.)?(?:stored|running)_var", f"batch_stats/{ours}/norm/variance"),
        Rule(rf"{theirs}\.(?:bn\.)?(?:num_batches_tracked|accumulation_counter)", None),
    ]


def generator_rules(config: BigGANConfig) -> tuple[Rule, ...]:
    """From the names of BigGAN-PyTorch, which IC-GAN keeps, after `fold_power_steps`."""
    block, attention = rf"{_BEFORE}blocks\.(\d+)\.0", rf"{_BEFORE}blocks\.(\d+)\.1"
    found = [
        # IC-GAN without classes keeps an embedding that nothing uses.
        Rule(rf"{_BEFORE}shared\.weight", "params/classes" if config.classes else None),
        *rules.for_dense(rf"{_BEFORE}shared_feat", "params/features"),
        *rules.for_dense(rf"{_BEFORE}linear", "params/first"),
        *rules.for_conv(rf"{block}\.(conv[12])", r"params/block\1/\2"),
        *rules.for_dense(rf"{block}\.conv_sc", r"params/block\1/shortcut"),
        *_gains(rf"{block}\.bn(\d)", r"block\1/norm\2", "gain", "bias"),
        *_statistics(rf"{block}\.bn(\d)", r"block\1/norm\2"),
        Rule(
            rf"{attention}\.(theta|phi|g|o)\.weight",
            r"params/attention\1/\2/kernel",
            rules.dense,
        ),
        Rule(rf"{attention}\.gamma", r"params/attention\1/gamma", rules.vector),
        *_statistics(rf"{_BEFORE}output_layer\.0", "norm"),
        Rule(rf"{_BEFORE}output_layer\.0\.(?:gain|bn\.weight)", "params/norm/scale"),
        Rule(rf"{_BEFORE}output_layer\.0\.(?:bn\.)?bias", "params/norm/bias"),
        *rules.for_conv(rf"{_BEFORE}output_layer\.2", "params/pixels"),
    ]
    return tuple(found)


def deep_rules(config: BigGANDeepConfig) -> tuple[Rule, ...]:
    """From the names of Hugging Face's package, after `fold_stored_vectors`.

    The attention is counted among the blocks there.
    """
    found = [
        Rule(r"embeddings\.weight", "params/classes/kernel", rules.dense),
        *rules.for_dense(r"generator\.gen_z", "params/first"),
        *_deep_statistics(r"generator\.bn", "norm"),
        Rule(r"generator\.bn\.weight", "params/norm/scale"),
        Rule(r"generator\.bn\.bias", "params/norm/bias"),
        # As many colours as channels are computed there, of which three are used.
        Rule(r"generator\.conv_to_rgb\.weight", "params/pixels/kernel", _colours),
        Rule(r"generator\.conv_to_rgb\.bias", "params/pixels/bias", _three),
    ]
    place = rf"generator\.layers\.{config.attention}\."
    for theirs, ours in (("theta", "theta"), ("phi", "phi"), ("g", "g"), ("o_conv", "o")):
        name = f"params/attention/{ours}/kernel"
        found.append(Rule(rf"{place}snconv1x1_{theirs}\.weight", name, rules.dense))
    found.append(Rule(rf"{place}gamma", "params/attention/gamma", rules.vector))
    for i in range(len(config.blocks)):
        block = rf"generator\.layers\.{i + (i >= config.attention)}"
        found += _gains(rf"{block}\.bn_(\d)", rf"block{i}/norm\1", "scale", "offset")
        found += _deep_statistics(rf"{block}\.bn_(\d)", rf"block{i}/norm\1")
        found += rules.for_dense(rf"{block}\.conv_([03])", rf"params/block{i}/conv\1")
        found += rules.for_conv(rf"{block}\.conv_([12])", rf"params/block{i}/conv\1")
    return tuple(found)


def _deep_statistics(theirs: str, ours: str) -> list[Rule]:
    return [
        Rule(rf"{theirs}\.running_means", f"batch_stats/{ours}/norm/mean"),
        Rule(rf"{theirs}\.running_vars", f"batch_stats/{ours}/norm/variance"),
    ]


def _colours(kernel: np.ndarray) -> np.ndarray:
    return rules.from_oihw(kernel[:3])


def _three(bias: np.ndarray) -> np.ndarray:
    return bias[:3]


def _ic_gan(name: str, config: BigGANConfig) -> Weights:
    told = "the features and class" if config.classes else "the features"
    return Weights(
        what=f"IC-GAN of {config.image_size} px: images from {told} of an instance",
        shapes=functools.partial(generator_shapes, config),
        publications=(
            Publication(
                origin=f"{_IC_GAN_URL}{name}.tar.gz",
                checksum="",
                read=load_torch,
                prepare=fold_power_steps,
                rules=generator_rules(config),
                member=r"(.*/)?G_ema(_best\d)?\.pth",
            ),
        ),
    )


BIGGANS: dict[str, Weights] = {
    **{name: _ic_gan(name, config) for name, config in IC_GAN.items()},
    "biggan_128": Weights(
        what="BigGAN of 128 px: images from ImageNet's classes",
        shapes=functools.partial(generator_shapes, BIGGAN_128),
        publications=(
            Publication(
                # Google Drive hands files to people alone.
                origin="the file bs256x8 that https://github.com/ajbrock/BigGAN-PyTorch links to",
                checksum="",
                read=load_torch,
                prepare=fold_power_steps,
                rules=generator_rules(BIGGAN_128),
                member=r"(.*/)?G_ema(_\w+)?\.pth",
            ),
        ),
    ),
    **{
        f"biggan_deep_{size}": Weights(
            what=f"BigGAN-deep of {size} px: images from ImageNet's classes",
            shapes=functools.partial(deep_shapes, config),
            publications=(
                Publication(
                    origin=f"{_HUGGING_FACE_URL}biggan-deep-{size}-pytorch_model.bin",
                    checksum="",
                    read=load_torch,
                    prepare=fold_stored_vectors,
                    rules=deep_rules(config),
                ),
            ),
        )
        for size, config in BIGGAN_DEEP.items()
    },
}
