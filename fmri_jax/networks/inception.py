"""Inception-v3 (Szegedy et al. 2016) as torchvision has it, with Google's weights in mind."""

import functools
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from fmri_jax.networks.conv_norm import ConvNorm, max_pool, spatial_mean

SQUARE, ROW, COLUMN = (3, 3), (1, 7), (7, 1)


class Unit(nn.Module):
    """Convolution, normalisation and ReLU; by default padded to keep the size.

    Attributes:
        features: channels out.
        size: height and width of the kernel.
        stride: step in pixels; a stride above 1 is never padded.
        padded: whether the size is kept.
    """

    features: int
    size: tuple[int, int] = (1, 1)
    stride: int = 1
    padded: bool = True

    @nn.compact
    def __call__(self, x_BHWC: jax.Array) -> jax.Array:
        """(n, h, w, in) -> (n, h', w', features)."""
        keep = self.padded and self.stride == 1
        padding = (self.size[0] // 2, self.size[1] // 2) if keep else (0, 0)
        conv = ConvNorm(self.features, self.size, self.stride, padding, epsilon=1e-3, name="conv")
        return nn.relu(conv(x_BHWC))


def _mean_pool(x_BHWC: jax.Array) -> jax.Array:
    """The mean of 3 x 3 windows; the zeros beyond the border count."""
    return nn.avg_pool(x_BHWC, (3, 3), padding="SAME")


def _chain(
    x: jax.Array, name: str, *units: tuple[int, tuple[int, int]], last: int = 1
) -> jax.Array:
    """Units one after another, called name_1, name_2, ...; the last one of stride `last`."""
    for i, (features, size) in enumerate(units, start=1):
        stride = last if i == len(units) else 1
        x = Unit(features, size, stride, name=f"{name}_{i}")(x)
    return x


class MixedA(nn.Module):
    """Three scales and a pooled branch.

    Attributes:
        pooled: channels of the pooled branch.
    """

    pooled: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """(n, h, w, in) -> (n, h, w, 224 + pooled)."""
        branches = [
            Unit(64, name="branch1x1")(x),
            _chain(x, "branch5x5", (48, (1, 1)), (64, (5, 5))),
            _chain(x, "branch3x3dbl", (64, (1, 1)), (96, SQUARE), (96, SQUARE)),
            Unit(self.pooled, name="branch_pool")(_mean_pool(x)),
        ]
        return jnp.concatenate(branches, axis=-1)


class ReduceA(nn.Module):
    """Halves the size."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """(n, h, w, in) -> (n, h', w', 480 + in)."""
        branches = [
            Unit(384, SQUARE, 2, name="branch3x3")(x),
            _chain(x, "branch3x3dbl", (64, (1, 1)), (96, SQUARE), (96, SQUARE), last=2),
            max_pool(x),
        ]
        return jnp.concatenate(branches, axis=-1)


class MixedB(nn.Module):
    """Large kernels as rows and columns.

    Attributes:
        width: channels between them.
    """

    width: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """(n, h, w, in) -> (n, h, w, 768)."""
        w = self.width
        double = ((w, (1, 1)), (w, COLUMN), (w, ROW), (w, COLUMN), (192, ROW))
        branches = [
            Unit(192, name="branch1x1")(x),
            _chain(x, "branch7x7", (w, (1, 1)), (w, ROW), (192, COLUMN)),
            _chain(x, "branch7x7dbl", *double),
            Unit(192, name="branch_pool")(_mean_pool(x)),
        ]
        return jnp.concatenate(branches, axis=-1)


class ReduceB(nn.Module):
    """Halves the size again."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """(n, h, w, in) -> (n, h', w', 512 + in)."""
        rows = ((192, (1, 1)), (192, ROW), (192, COLUMN), (192, SQUARE))
        branches = [
            _chain(x, "branch3x3", (192, (1, 1)), (320, SQUARE), last=2),
            _chain(x, "branch7x7x3", *rows, last=2),
            max_pool(x),
        ]
        return jnp.concatenate(branches, axis=-1)


class MixedC(nn.Module):
    """Branches that fan out into a row and a column."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """(n, h, w, in) -> (n, h, w, 2048)."""

        def fan(y: jax.Array, name: str) -> list[jax.Array]:
            return [Unit(384, (1, 3), name=f"{name}a")(y), Unit(384, (3, 1), name=f"{name}b")(y)]

        branches = [
            Unit(320, name="branch1x1")(x),
            *fan(Unit(384, name="branch3x3_1")(x), "branch3x3_2"),
            *fan(_chain(x, "branch3x3dbl", (448, (1, 1)), (384, SQUARE)), "branch3x3dbl_3"),
            Unit(192, name="branch_pool")(_mean_pool(x)),
        ]
        return jnp.concatenate(branches, axis=-1)


MIXED: tuple[Any, ...] = (
    *(("5b", MixedA, 32), ("5c", MixedA, 64), ("5d", MixedA, 64), ("6a", ReduceA)),
    *(("6b", MixedB, 128), ("6c", MixedB, 160), ("6d", MixedB, 160), ("6e", MixedB, 192)),
    *(("7a", ReduceB), ("7b", MixedC), ("7c", MixedC)),
)


class InceptionV3(nn.Module):
    """The mean over positions of the last activations: 2,048 features per image.

    References:
        Szegedy, Vanhoucke, Ioffe, Shlens & Wojna (2016), "Rethinking the inception architecture for
        computer vision", CVPR.
    """

    @nn.compact
    def __call__(self, x_BHWC: jax.Array) -> jax.Array:
        """RGB images (n, h, w, 3) in [0, 1], at least 75 px -> (n, 2048)."""
        unpadded = functools.partial(Unit, padded=False)
        # Google's weights expect [-1, 1]. torchvision undoes ImageNet's normalisation to get there.
        x = 2 * x_BHWC - 1
        x = Unit(32, SQUARE, 2, name="Conv2d_1a_3x3")(x)
        x = unpadded(32, SQUARE, name="Conv2d_2a_3x3")(x)
        x = max_pool(Unit(64, SQUARE, name="Conv2d_2b_3x3")(x))
        x = Unit(80, name="Conv2d_3b_1x1")(x)
        x = max_pool(unpadded(192, SQUARE, name="Conv2d_4a_3x3")(x))
        for name, block, *options in MIXED:
            x = block(*options, name=f"Mixed_{name}")(x)
        return spatial_mean(x)
