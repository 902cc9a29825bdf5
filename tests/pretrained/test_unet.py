"""The UNet and its porters against `diffusers`, small, with every weight random."""

import dataclasses
import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fmri_jax.errors import InputError
from fmri_jax.networks.unet import SD_1, VERSATILE, UNet, UNetConfig
from fmri_jax.pretrained import latent_diffusion, rules, unet_rules
from tests.networks.peers import from_torch, to_torch
from tests.peers import peer
from tests.pretrained import diffusers_models

torch = peer("torch")

TOKENS = (7, 5)  # of two contexts
STEPS = np.array([3, 981])
SMALL = UNetConfig(
    channels=(8, 16), attention=(True, False), blocks=1, heads=2, contexts=(12,), groups=4
)
# Attention where the way up has its doubling behind it, and two blocks per level.
OTHER = dataclasses.replace(SMALL, attention=(False, True), blocks=2, middle="residual")
BOTTOMLESS = dataclasses.replace(SMALL, attention=(True, True), middle="none")
DUAL = dataclasses.replace(SMALL, contexts=(12, 12))


def inputs(config):
    rng = np.random.default_rng(0)
    latents = rng.normal(size=(2, 4, 6, config.latent_channels)).astype(np.float32)
    contexts = [
        rng.normal(size=(2, tokens, width)).astype(np.float32)
        for tokens, width in zip(TOKENS, config.contexts, strict=False)
    ]
    return latents, contexts


@functools.cache
def compiled(config, dtype=None):
    return jax.jit(UNet(config, dtype).apply)


def ours(config, params, mixture=None, dtype=None):
    latents, contexts = inputs(config)
    apply = compiled(config, dtype)
    return np.asarray(apply({"params": params}, latents, STEPS, contexts, mixture))


def theirs(model, config):
    latents, contexts = inputs(config)
    with torch.no_grad():
        states = torch.tensor(np.concatenate(contexts[::-1], axis=1))  # diffusers has texts first
        noise = model(to_torch(latents), torch.tensor(STEPS), states).sample
    return from_torch(noise)


def assert_same(found, expected, tolerance=1e-5):
    assert expected.std() > 0.1
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * np.abs(expected).max())


@pytest.mark.parametrize(("config", "kind"), [(OTHER, "bin"), (BOTTOMLESS, "safetensors")])
def test_noise_equals_that_of_diffusers(diffusers, tmp_path, config, kind):
    model = diffusers_models.unet(diffusers, config)
    folder = diffusers_models.save(model, tmp_path, kind)
    params = latent_diffusion.load_unet(folder, config)
    assert_same(ours(config, params), theirs(model, config))


def test_bfloat16():
    """Its numbers have 8 bits; the result is float32."""
    config = dataclasses.replace(SMALL, channels=(8,), attention=(True,), middle="none")
    rng, shapes = np.random.default_rng(0), latent_diffusion.unet_shapes(config)
    arrays = {k: rng.normal(size=s).astype(np.float32) / s[0] ** 0.5 for k, s in shapes.items()}
    params = rules.unflatten(arrays)
    found = ours(config, params, dtype=jnp.bfloat16)
    assert found.dtype == np.float32
    assert_same(found, ours(config, params), 0.05)


def test_two_contexts_are_mixed_as_by_diffusers(diffusers, tmp_path):
    model = diffusers_models.unet(diffusers, DUAL)
    diffusers_models.set_mixture(model, 0.4, TOKENS[::-1])
    params = latent_diffusion.load_unet(diffusers_models.save(model, tmp_path), DUAL)
    expected = theirs(model, DUAL)
    assert_same(ours(DUAL, params, (0.6, 0.4)), expected)
    assert np.abs(ours(DUAL, params, (0.5, 0.5)) - expected).max() > 0.01


def test_versatile_diffusions_folder_gives_the_text_flows_transformers(diffusers, tmp_path):
    """Two folders, of which the second's other layers make texts."""
    image, text = (
        diffusers_models.stirred(diffusers_models.unet(diffusers, SMALL), seed) for seed in (1, 2)
    )
    text.conv_in.weight.data = torch.zeros(3, 3)
    diffusers_models.save(image, tmp_path / "image_unet", "bin")
    diffusers_models.save(text, tmp_path / "text_unet", "bin")
    params = latent_diffusion.load_versatile_unet(tmp_path, DUAL)
    state = diffusers_models.unet(diffusers, DUAL).state_dict()
    for i, flow in enumerate((image, text)):
        for name, tensor in flow.state_dict().items():
            if ".attentions." in name:
                place, inside = name.split(".attentions.")
                number, layer = inside.split(".", 1)
                name = f"{place}.attentions.{number}.transformers.{i}.{layer}"
                assert name in state
            elif i:
                continue
            state[name] = tensor
    arrays = {name: tensor.numpy() for name, tensor in state.items()}
    shapes, found = latent_diffusion.unet_shapes(DUAL), unet_rules.diffusers_rules(DUAL)
    expected = rules.port(arrays, found, shapes, "dual")
    jax.tree.map(np.testing.assert_array_equal, params, rules.unflatten(expected))


def original_names(config):
    """Ours -> the original code's, by counting blocks as that code makes them (ldm, openaimodel).

    Written as that code runs: a list of blocks, each a list of parts.
    """
    down, up, last = [[("conv", "conv_in")]], [], len(config.channels) - 1
    for level, attends in enumerate(config.attention):
        for i in range(config.blocks):
            block = [("residual", f"down{level}_residual{i}")]
            block += [("transformer", f"down{level}_transformer{i}")] * attends
            down.append(block)
        if level < last:
            down.append([("op", f"down{level}_half")])
    for level in range(last, -1, -1):
        for i in range(config.blocks + 1):
            block = [("residual", f"up{level}_residual{i}")]
            block += [("transformer", f"up{level}_transformer{i}")] * config.attention[level]
            block += [("up", f"up{level}_double")] * (level > 0 and i == config.blocks)
            up.append(block)
    places = {}
    for side, blocks in (("input_blocks", down), ("output_blocks", up)):
        for number, block in enumerate(blocks):
            for part, (kind, name) in enumerate(block):
                ending = {"op": ".op", "up": ".conv"}.get(kind, "")
                places[name] = f"{side}.{number}.{part}{ending}"
    for i, part in enumerate(("residual0", "transformer0", "residual1")):
        places[f"middle_{part}"] = f"middle_block.{i}"
    return places | {"norm_out": "out.0", "conv_out": "out.2"}


RESIDUAL = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "shortcut": "skip_connection",
}
TRANSFORMER = {
    "norm": "norm",
    "project_in": "proj_in",
    "project_out": "proj_out",
    "block/norm1": "transformer_blocks.0.norm1",
    "block/norm2": "transformer_blocks.0.norm2",
    "block/norm3": "transformer_blocks.0.norm3",
    "block/dense/fc1": "transformer_blocks.0.ff.net.0.proj",
    "block/dense/fc2": "transformer_blocks.0.ff.net.2",
    **{
        f"block/{ours}/{layer}": f"transformer_blocks.0.{theirs}.{name}"
        for ours, theirs in (("self_attention", "attn1"), ("cross_attention", "attn2"))
        for layer, name in (
            ("query", "to_q"),
            ("key", "to_k"),
            ("value", "to_v"),
            ("out", "to_out.0"),
        )
    },
}


def original_checkpoint(arrays, config):
    """Our arrays under the names, and in the layout, of the original checkpoints."""
    places, two = original_names(config), len(config.contexts) > 1
    state = {}
    for name, array in arrays.items():
        part, *inside, kind = name.split("/")
        layer, flow = "/".join(inside), "unet_image." * two
        if part.startswith("time_fc"):
            place, flow = f"time_embed.{2 * (int(part[-1]) - 1)}", ""
        elif "_context" in part:
            part, context = part.split("_context")
            flow = "unet_text." if context == "1" else flow
            place = f"{places[part]}.{TRANSFORMER[layer]}"
        else:
            place = places[part] + (f".{RESIDUAL[layer]}" if layer else "")
        if kind == "kernel":
            array = array.transpose(3, 2, 0, 1) if array.ndim == 4 else array.T
            pointwise = layer in ("shortcut", "project_in", "project_out")
            array = array[:, :, None, None] if pointwise else array
        ending = "bias" if kind == "bias" else "weight"
        state[f"model.diffusion_model.{flow}{place}.{ending}"] = array
    return state


LARGER = dataclasses.replace(DUAL, channels=(8, 8, 16), attention=(True, True, False), blocks=2)


@pytest.mark.parametrize("config", [SMALL, DUAL, LARGER])
def test_original_checkpoints(config):
    """Each array from the place that the original code's own counting gives it."""
    shapes, rng = latent_diffusion.unet_shapes(config), np.random.default_rng(0)
    arrays = {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    state = original_checkpoint(arrays, config)
    assert len(state) == len(arrays)
    state["first_stage_model.quant_conv.bias"] = state["betas"] = np.zeros(2)
    if len(config.contexts) > 1:
        state["model.diffusion_model.unet_text.input_blocks.0.0.weight"] = np.zeros((2, 2))
    found = rules.port(state, unet_rules.original_rules(config), shapes, "checkpoint")
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array, err_msg=name)
    state["model.diffusion_model.more.weight"] = np.zeros(2)
    with pytest.raises(InputError, match="which no rule maps"):
        rules.port(state, unet_rules.original_rules(config), shapes, "checkpoint")


@pytest.mark.parametrize(
    ("config", "published"),
    [
        (SD_1, 859_520_964),
        (VERSATILE, 1_126_760_324),
        (dataclasses.replace(SD_1, blocks=1), 579_384_964),  # small-sd
    ],
)
def test_published_numbers_of_parameters(config, published):
    shapes = latent_diffusion.unet_shapes(config)
    assert sum(map(math.prod, shapes.values())) == published


def test_what_does_not_fit_is_rejected(tmp_path):
    latents, contexts = inputs(SMALL)
    network = UNet(SMALL)

    def shaped(*arguments):
        return jax.eval_shape(network.init, jax.random.key(0), *arguments)

    with pytest.raises(InputError, match=r"expected one each of \(2, tokens, 12\)"):
        shaped(latents, STEPS, contexts + contexts)
    with pytest.raises(InputError, match="mixture has 2 weights"):
        shaped(latents, STEPS, contexts, (0.5, 0.5))
    with pytest.raises(InputError, match="mixture has 0 weights: expected one for each of 2"):
        jax.eval_shape(UNet(DUAL).init, jax.random.key(0), latents, STEPS, inputs(DUAL)[1])
    with pytest.raises(InputError, match="sides divisible by 2"):
        shaped(latents[:, :3], STEPS, contexts)
    with pytest.raises(InputError, match="expected one truth value for each level"):
        UNetConfig(channels=(32, 64))
    with pytest.raises(InputError, match="expected multiples of 32 groups"):
        UNetConfig(channels=(32, 48), attention=(True, True))
    with pytest.raises(InputError, match="holds no weights: expected diffusion_pytorch_model"):
        latent_diffusion.load_unet(tmp_path, SMALL)
