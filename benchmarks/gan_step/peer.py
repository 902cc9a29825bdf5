"""The GAN of Shen et al. (2019) in PyTorch, written from the paper's tables and not from our code.

Images are (n, c, h, w), as PyTorch has them; with `channels_last` they lie in memory as ours do.
"""

import torch
from torch import nn
from torch.nn import functional

SLOPE = 0.3


class Generator(nn.Module):
    """Three dense layers, doublings from 4 x 4, and the centre of the last one.

    Args:
        voxels: length of a response.
        image_size: px, the side.
        stages: (channels of the doubling, channels of the convolution after it or None), deepest
            first, at this width.
        hidden: units of the dense layers.
    """

    def __init__(self, voxels: int, image_size: int, stages: tuple, hidden: int, features: int):
        super().__init__()
        self.image_size, self.features = image_size, features
        units = (voxels, hidden, hidden, 16 * features)
        self.dense = nn.ModuleList(nn.Linear(a, b) for a, b in zip(units, units[1:], strict=False))
        self.convs = nn.ModuleList()
        channels = features
        for doubled, refined in stages:
            self.convs.append(nn.ConvTranspose2d(channels, doubled, 4, 2, 1))
            channels = doubled
            if refined:
                self.convs.append(nn.Conv2d(doubled, refined, 3, 1, 1))
                channels = refined
        self.convs.append(nn.ConvTranspose2d(channels, 3, 4, 2, 1))
        for conv in self.convs:  # the published biases stay fixed
            conv.bias.requires_grad_(False)

    def forward(self, fmri: torch.Tensor) -> torch.Tensor:
        """(n, voxels) -> (n, 3, image_size, image_size)."""
        x = fmri
        for dense in self.dense:
            x = functional.leaky_relu(dense(x), SLOPE, inplace=True)
        x = x.view(-1, 4, 4, self.features).permute(0, 3, 1, 2)
        for conv in self.convs[:-1]:
            x = functional.leaky_relu(conv(x), SLOPE, inplace=True)
        x = self.convs[-1](x)
        margin = (x.shape[-1] - self.image_size) // 2
        end = margin + self.image_size
        return x[:, :, margin:end, margin:end]


class Discriminator(nn.Module):
    """Unpadded convolutions (channels, kernel, stride), the mean over positions, two layers."""

    def __init__(self, layers: tuple, units: int, dropout: float):
        super().__init__()
        channels = (3, *(features for features, _, _ in layers))
        self.convs = nn.ModuleList(
            nn.Conv2d(before, features, size, stride)
            for before, (features, size, stride) in zip(channels, layers, strict=False)
        )
        self.fc1, self.fc2 = nn.Linear(channels[-1], units), nn.Linear(units, 2)
        self.dropout = nn.Dropout(dropout)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(n, 3, h, w) -> logits (n, 2)."""
        x = images
        for conv in self.convs:
            x = functional.relu(conv(x), inplace=True)
        x = functional.relu(self.fc1(self.dropout(x.mean((2, 3)))))
        return self.fc2(self.dropout(x))


class Comparator(nn.Module):
    """torchvision's AlexNet up to `relu5` or `pool5`, frozen."""

    def __init__(self, layer: str):
        super().__init__()
        self.layer = layer
        self.convs = nn.ModuleList(
            [
                nn.Conv2d(3, 64, 11, 4, 2),
                nn.Conv2d(64, 192, 5, 1, 2),
                nn.Conv2d(192, 384, 3, 1, 1),
                nn.Conv2d(384, 256, 3, 1, 1),
                nn.Conv2d(256, 256, 3, 1, 1),
            ]
        )
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1))
        self.register_buffer("deviation", torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1))
        self.requires_grad_(False)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """RGB in [0, 1] -> activations."""
        x = (images - self.mean) / self.deviation
        for i, conv in enumerate(self.convs, start=1):
            x = functional.relu(conv(x), inplace=True)
            if i in (1, 2) or (i == 5 and self.layer == "pool5"):
                x = functional.max_pool2d(x, 3, 2)
        return x
