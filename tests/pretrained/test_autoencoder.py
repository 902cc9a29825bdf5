"""The autoencoder of latent diffusion and its porters against `diffusers`, with random weights."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fmri_jax.errors import InputError
from fmri_jax.networks.autoencoder_kl import KL_F8, AutoencoderKL, AutoencoderKLConfig
from fmri_jax.pretrained import autoencoder_rules, latent_diffusion, rules
from tests.networks.peers import from_torch, to_torch
from tests.peers import peer
from tests.pretrained import diffusers_models

torch = peer("torch")

SMALL = AutoencoderKLConfig(channels=(8, 16), blocks=1, groups=4)
PLAIN = AutoencoderKLConfig(
    channels=(8, 8, 12), blocks=2, attention=False, latent_channels=3, colours=1, groups=4
)


def peer_model(diffusers, config):
    n = len(config.channels)
    return diffusers_models.stirred(
        diffusers.AutoencoderKL(
            in_channels=config.colours,
            out_channels=config.colours,
            down_block_types=["DownEncoderBlock2D"] * n,
            up_block_types=["UpDecoderBlock2D"] * n,
            block_out_channels=config.channels,
            layers_per_block=config.blocks,
            latent_channels=config.latent_channels,
            norm_num_groups=config.groups,
            mid_block_add_attention=config.attention,
        )
    )


def close(found, expected):
    expected = from_torch(expected)
    assert expected.std() > 0.1
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("config", [SMALL, PLAIN])
def test_latents_and_images_equal_those_of_diffusers(diffusers, tmp_path, config):
    model = peer_model(diffusers, config)
    params = latent_diffusion.load_autoencoder(diffusers_models.save(model, tmp_path), config)
    rng = np.random.default_rng(0)
    sides = np.array([3, 2]) * config.reduction
    images = rng.uniform(-1, 1, (2, *sides, config.colours)).astype(np.float32)
    latents = rng.normal(size=(2, 3, 2, config.latent_channels)).astype(np.float32)

    @jax.jit
    def both(params, images, latents):
        network, variables = AutoencoderKL(config), {"params": params}
        encoded = network.apply(variables, images, method="encode")
        return *encoded, network.apply(variables, latents, method="decode")

    mean, log_variance, decoded = both(params, images, latents)
    with torch.no_grad():
        posterior = model.encode(to_torch(images)).latent_dist
        expected = model.decode(to_torch(latents)).sample
    close(mean, posterior.mean)
    close(log_variance, posterior.logvar)
    close(decoded, expected)


def test_published_numbers_of_parameters():
    shapes = latent_diffusion.autoencoder_shapes(KL_F8)
    quantisation = ("encoder/moments", "decoder/latents")
    sizes = {
        part: sum(math.prod(s) for name, s in shapes.items() if name.startswith(part))
        for part in ("encoder", "decoder", *quantisation)
    }
    assert sum(sizes[part] for part in quantisation) == 92
    assert sizes["encoder"] - sizes["encoder/moments"] == 34_163_592
    assert sizes["decoder"] - sizes["decoder/latents"] == 49_490_179


def in_original_names(state, config):
    """A state of diffusers under the names of the original code, with 1 x 1 convolutions there."""
    last, found = len(config.channels) - 1, {}
    attention = {
        "group_norm": "norm",
        "to_q": "q",
        "to_k": "k",
        "to_v": "v",
        "to_out.0": "proj_out",
    }
    for name, tensor in state.items():
        name = name.replace("conv_norm_out", "norm_out").replace("conv_shortcut", "nin_shortcut")
        name = name.replace("down_blocks.", "down.").replace(".resnets.", ".block.")
        for i in range(last + 1):
            name = name.replace(f"up_blocks.{i}.", f"up.{last - i}.")
        name = name.replace("downsamplers.0.", "downsample.").replace("upsamplers.0.", "upsample.")
        for i in (0, 1):
            name = name.replace(f"mid_block.block.{i}.", f"mid.block_{i + 1}.")
        if ".attentions.0." in name:
            place, layer = name.split("_block.attentions.0.")
            layer, kind = layer.rsplit(".", 1)
            name = f"{place}.attn_1.{attention[layer]}.{kind}"
            tensor = tensor[:, :, None, None] if tensor.ndim == 2 else tensor
        found[name] = tensor.numpy()
    return found


@pytest.mark.parametrize("prefix", ["", "first_stage_model."])
def test_original_files(diffusers, prefix):
    state = peer_model(diffusers, SMALL).state_dict()
    shapes = latent_diffusion.autoencoder_shapes(SMALL)
    arrays = {name: tensor.numpy() for name, tensor in state.items()}
    expected = rules.port(arrays, autoencoder_rules.diffusers_rules(SMALL), shapes, "folder")
    original = {f"{prefix}{k}": v for k, v in in_original_names(state, SMALL).items()}
    original[f"{prefix}loss.logvar"] = np.zeros(())
    if prefix:
        original["model.diffusion_model.out.0.bias"] = np.zeros(3)
    found = rules.port(original, autoencoder_rules.original_rules(prefix), shapes, "file")
    jax.tree.map(np.testing.assert_array_equal, found, expected)
    original[f"{prefix}encoder.more"] = np.zeros(())
    with pytest.raises(InputError, match="which no rule maps"):
        rules.port(original, autoencoder_rules.original_rules(prefix), shapes, "file")


def test_former_names_of_diffusers(diffusers):
    """Of the middle attention, as in most published folders."""
    former = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    state = peer_model(diffusers, SMALL).state_dict()
    arrays = {name: tensor.numpy() for name, tensor in state.items()}
    shapes, found = latent_diffusion.autoencoder_shapes(SMALL), {}
    for name, array in arrays.items():
        for now, then in former.items():
            name = name.replace(f".{now}.", f".{then}.")
        found[name] = array
    diffusers_rules = autoencoder_rules.diffusers_rules(SMALL)
    assert set(found) != set(arrays)
    jax.tree.map(
        np.testing.assert_array_equal,
        rules.port(found, diffusers_rules, shapes, "former"),
        rules.port(arrays, diffusers_rules, shapes, "present"),
    )


def test_the_log_variance_is_clipped():
    config = AutoencoderKLConfig(channels=(4,), blocks=1, attention=False, groups=4)
    shapes = latent_diffusion.autoencoder_shapes(config)
    arrays = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
    arrays["encoder/moments/bias"][4:] = -99, 1, 99, 3
    encode = jax.jit(functools.partial(AutoencoderKL(config).apply, method="encode"))
    _, log_variance = encode({"params": rules.unflatten(arrays)}, np.zeros((1, 1, 1, 3)))
    np.testing.assert_array_equal(log_variance[0, 0, 0], [-30, 1, 20, 3])


def test_what_does_not_fit_is_rejected():
    with pytest.raises(InputError, match=r"expected \(n, h, w, 1\) with sides divisible by 4"):
        jax.eval_shape(AutoencoderKL(PLAIN).init, jax.random.key(0), jnp.zeros((1, 6, 8, 1)))
    with pytest.raises(InputError, match="expected multiples of 32 groups"):
        AutoencoderKLConfig(channels=(32, 48))
