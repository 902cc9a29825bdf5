"""The very deep VAE in PyTorch, its parameters named as the released ones."""

import math

from tests.peers import peer
from tests.pretrained.diffusers_models import stirred

torch = peer("torch")
nn = torch.nn
F = torch.nn.functional


class Block(nn.Module):
    def __init__(self, width, middle, out, side, add=False, reduction=0):
        super().__init__()
        size = 3 if side > 2 else 1
        self.c1 = nn.Conv2d(width, middle, 1)
        self.c2 = nn.Conv2d(middle, middle, size, padding=size // 2)
        self.c3 = nn.Conv2d(middle, middle, size, padding=size // 2)
        self.c4 = nn.Conv2d(middle, out, 1)
        self.add, self.reduction = add, reduction

    def forward(self, x):
        y = x
        for conv in (self.c1, self.c2, self.c3, self.c4):
            y = conv(y * 0.5 * (1 + torch.erf(y / math.sqrt(2))))
        y = x + y if self.add else y
        return F.avg_pool2d(y, self.reduction) if self.reduction else y


class Encoder(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        w, b = config.width_at, config.bottleneck
        self.in_conv = nn.Conv2d(3, w(config.resolution), 3, padding=1)
        self.enc_blocks = nn.ModuleList(
            Block(w(r), int(w(r) * b), w(r), r, add=True, reduction=d)
            for r, d in config.encoder_blocks
        )

    def forward(self, x):
        x = self.in_conv(x)
        found = {x.shape[-1]: x}
        for block in self.enc_blocks:
            x = block(x)
            wanted = self.config.width_at(x.shape[-1])
            x = F.pad(x, (0, 0, 0, 0, 0, wanted - x.shape[1]))
            found[x.shape[-1]] = x
        return found


class DecBlock(nn.Module):
    def __init__(self, config, side, lower):
        super().__init__()
        width, z = config.width_at(side), config.latent_channels
        middle = int(width * config.bottleneck)
        self.side, self.lower, self.z = side, lower, z
        self.enc = Block(2 * width, middle, 2 * z, side)
        self.prior = Block(width, middle, 2 * z + width, side)
        self.z_proj = nn.Conv2d(z, width, 1)
        self.resnet = Block(width, middle, width, side, add=True)

    def forward(self, images, activations, z):
        """Goes on with the given latents; returns the posterior (or None) and the prior."""
        x = images[self.side]
        if self.lower:
            below = images[self.lower][:, : x.shape[1]]
            x = x + F.interpolate(below, scale_factor=self.side // self.lower)
        posterior = None
        if activations is not None:
            posterior = self.enc(torch.cat([x, activations[self.side]], dim=1)).chunk(2, dim=1)
        prior = self.prior(x)
        images[self.side] = self.resnet(x + prior[:, 2 * self.z :] + self.z_proj(z))
        return posterior, (prior[:, : self.z], prior[:, self.z : 2 * self.z])


class Decoder(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        sides = sorted({r for r, _ in config.decoder_blocks})
        self.bias_xs = nn.ParameterList(
            nn.Parameter(torch.zeros(1, config.width_at(r), r, r)) for r in sides
        )
        self.dec_blocks = nn.ModuleList(DecBlock(config, r, m) for r, m in config.decoder_blocks)
        top = config.width_at(config.resolution)
        self.gain = nn.Parameter(torch.ones(1, top, 1, 1))
        self.bias = nn.Parameter(torch.zeros(1, top, 1, 1))
        self.out_net = nn.Module()
        self.out_net.out_conv = nn.Conv2d(top, config.pixel_parameters(), 1)

    def forward(self, latents, activations=None):
        images = {b.shape[-1]: b.expand(len(latents[0]), -1, -1, -1) for b in self.bias_xs}
        found = [
            block(images, activations, z) for block, z in zip(self.dec_blocks, latents, strict=True)
        ]
        x = images[self.config.resolution] * self.gain + self.bias
        return self.out_net.out_conv(x), found


class VDVAE(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.encoder, self.decoder = Encoder(config), Decoder(config)


def random_vdvae(config):
    """With every parameter random: those that start at 0 or 1 too."""
    model = stirred(VDVAE(config))
    with torch.no_grad():
        for name, tensor in model.named_parameters():
            if "bias_xs" in name or name in ("decoder.gain", "decoder.bias"):
                tensor.copy_(0.5 * torch.randn_like(tensor))
    return model
