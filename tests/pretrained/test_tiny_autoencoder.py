"""Tiny autoencoders against their layers in PyTorch, and TAEF2's own weights on photographs."""

import io
import math
import zipfile

import jax
import numpy as np
import pytest

from fmri_jax import pretrained
from fmri_jax.evaluation.metrics import ssim
from fmri_jax.networks.tiny_autoencoder import TAEF2, TAESD, TinyAutoencoder
from fmri_jax.pretrained.catalogue import CATALOGUE
from tests.networks.peers import from_torch, to_torch
from tests.peers import peer
from tests.pretrained.diffusers_models import stirred

torch = peer("torch")
nn = torch.nn


class Block(nn.Module):
    """A block as the published names have it."""

    def __init__(self, normalised):
        super().__init__()
        convs = [nn.Conv2d(64, 64, 3, padding=1) for _ in range(3)]
        self.conv = nn.Sequential(convs[0], nn.ReLU(), convs[1], nn.ReLU(), convs[2])
        if normalised:
            one, two = nn.Conv2d(64, 256, 1, bias=False), nn.Conv2d(256, 64, 1, bias=False)
            self.pool = nn.Sequential(one, nn.GroupNorm(4, 256), nn.ReLU(), two)

    def forward(self, x):
        x = x + self.pool(x) if hasattr(self, "pool") else x
        return torch.relu(x + self.conv(x))


class Limit(nn.Module):
    def forward(self, x):
        return 3 * torch.tanh(x / 3)


def in_pytorch(config):
    """Encoder and decoder, whose layers' numbers are those of the published files."""

    def level(normalised=False):
        return [Block(normalised and config.normalised) for _ in range(3)]

    def plain(**options):
        return nn.Conv2d(64, 64, 3, padding=1, bias=False, **options)

    encoder = [nn.Conv2d(3, 64, 3, padding=1), Block(False)]
    decoder = [Limit(), nn.Conv2d(config.latent_channels, 64, 3, padding=1), nn.ReLU()]
    for normalised in (False, False, True):
        encoder += [plain(stride=2), *level(normalised)]
    for normalised in (True, False, False):
        decoder += [*level(normalised), nn.Upsample(scale_factor=2), plain()]
    encoder += [nn.Conv2d(64, config.latent_channels, 3, padding=1)]
    decoder += [Block(False), nn.Conv2d(64, 3, 3, padding=1)]
    return stirred(nn.Sequential(*encoder)), stirred(nn.Sequential(*decoder))


def halves(network):
    encode = jax.jit(lambda p, x: network.apply({"params": p}, x, method="encode"))
    decode = jax.jit(lambda p, z: network.apply({"params": p}, z, method="decode"))
    return encode, decode


def close(found, expected):
    assert expected.std() > 0
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


def test_latents_and_images_equal_pytorchs(tmp_path):
    params, models = {}, in_pytorch(TAESD)
    for half, model in zip(("encoder", "decoder"), models, strict=True):
        torch.save(model.state_dict(), tmp_path / "half.pth")
        params[half] = pretrained.load(f"taesd_{half}", tmp_path / "half.pth")
    rng = np.random.default_rng(0)
    images = rng.uniform(size=(2, 16, 24, 3)).astype(np.float32)
    latents = rng.normal(0, 4, size=(2, 2, 3, 4)).astype(np.float32)
    encode, decode = halves(TinyAutoencoder(TAESD))
    with torch.no_grad():
        expected = [model(to_torch(x)) for model, x in zip(models, (images, latents), strict=True)]
    close(encode(params, images), from_torch(expected[0]))
    close(decode(params, latents), from_torch(expected[1]))


@pytest.mark.parametrize(
    ("name", "published"),
    [
        ("taesd_encoder", 1_222_532),
        ("taesd_decoder", 1_222_531),
        ("taef2_encoder", 1_338_528),
        ("taef2_decoder", 1_338_499),
    ],
)
def test_published_numbers_of_parameters(name, published):
    assert sum(map(math.prod, CATALOGUE[name].shapes().values())) == published


def photographs(path, size, number):
    """Evenly from the archive, (number, size, size, 3) in [0, 1]."""
    from PIL import Image

    found = []
    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if name.endswith(".jpg")]
        for name in names[:: len(names) // number][:number]:
            image = Image.open(io.BytesIO(archive.read(name))).convert("RGB")
            found.append(np.asarray(image.resize((size, size)), np.float32) / 255)
    return np.stack(found)


@pytest.mark.real_data
def test_taef2_on_photographs(recordings):
    """Its own weights; on many photographs 24.1 dB and SSIM .865 are reached at 64 px."""
    from safetensors.torch import load_file

    params, models = {}, in_pytorch(TAEF2)
    for half, model in zip(("encoder", "decoder"), models, strict=True):
        path = recordings / f"taef2_{half}.safetensors"
        params[half] = pretrained.load(f"taef2_{half}", path)
        model.load_state_dict(load_file(path))
    images = photographs(recordings / "photos_caltech101_128px.zip", 64, 6)
    encode, decode = halves(TinyAutoencoder(TAEF2))
    latents = encode(params, images)
    decoded = decode(params, latents)
    with torch.no_grad():
        theirs = models[0](to_torch(images))
        close(latents, from_torch(theirs))
        close(decoded, from_torch(models[1](theirs)))
    decoded = np.clip(decoded, 0, 1)
    decibels = -10 * np.log10(((decoded - images) ** 2).mean())
    assert 22 < decibels < 28
    assert 0.8 < float(ssim(images, decoded).mean()) < 0.92
