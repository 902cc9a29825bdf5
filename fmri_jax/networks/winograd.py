"""3 x 3 convolutions of stride 1 with 2.25 times fewer multiplications, for CPU.

Winograd's F(2 x 2, 3 x 3): a tile of 2 x 2 outputs depends on 4 x 4 inputs. Both the tile's inputs
and the kernel are transformed by sums and differences into 16 numbers; these are multiplied, one by
one in space and as a matrix product over channels; sums and differences give the 2 x 2 outputs. 16
multiplications replace 36. XLA's own convolutions run as fast as its matrix products here, so that
fewer multiplications are all that is left to gain. The transforms' numbers are 0, 1 and 1/2: errors
are those of the plain convolution (8e-7 of the largest output). The larger F(4 x 4, 3 x 3) has
errors of 1e-5 and is slower on images of 13 and 23 px, which its tiles do not divide.

Milliseconds, plain and this one (batch 32, 2 cores): generator conv4_1 48 -> 27, conv5_1 26 -> 15,
conv3_1 54 -> 33, discriminator conv4 56 -> 33, AlexNet conv4 55 -> 30.

Shape suffixes: B batch, H W image, t tile rows, u tile columns, C channels in, O channels out.

References:
    Lavin & Gray (2016), "Fast algorithms for convolutional neural networks", CVPR, section 4.1.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax import lax

TILE = 4  # inputs a side; 2 of them are new in each tile

# The transforms touch 4 numbers for each input and output, the products 5 fewer for each pair of
# channels: with few channels the transforms cost more than they save.
FEWEST_CHANNELS = 64

# Images of few tiles do not repay the transform of the kernel, and odd sides fill tiles badly.
SMALLEST_SIDE = 7


def pays(x_BHWC: jax.Array, kernel_KKCO: jax.Array, stride: int) -> bool:
    """Whether this convolution is faster this way, and as exact."""
    size, _, *channels = kernel_KKCO.shape
    # In half precision the transforms' sums would be rounded before they are multiplied.
    exact = kernel_KKCO.dtype == jnp.float32
    large = min(x_BHWC.shape[1:3]) >= SMALLEST_SIDE and min(channels) >= FEWEST_CHANNELS
    return exact and size == 3 and stride == 1 and large


def convolve(x_BHWC: jax.Array, kernel_33CO: jax.Array, padding: int) -> jax.Array:
    """The convolution, of stride 1.

    Args:
        x_BHWC: images.
        kernel_33CO: kernel of 3 x 3.
        padding: zeros on each side.

    Returns:
        (batch, height + 2 padding - 2, width + 2 padding - 2, O).
    """
    batch, height, width, channels = x_BHWC.shape
    h, w = height + 2 * padding - 2, width + 2 * padding - 2
    t, u = -(-h // 2), -(-w // 2)
    edges = [(padding, 2 * n + 2 - side - padding, 0) for n, side in ((t, height), (u, width))]
    padded = lax.pad(x_BHWC, jnp.zeros((), x_BHWC.dtype), ((0, 0, 0), *edges, (0, 0, 0)))
    kernels = _transform_kernel(kernel_33CO)
    products = [
        [x_BtuC.reshape(-1, channels) @ kernel_CO for x_BtuC, kernel_CO in zip(*rows, strict=True)]
        for rows in zip(_transform_tiles(padded, t, u), kernels, strict=True)
    ]
    return _outputs(products, (batch, t, u))[:, :h, :w]


def _transform_tiles(x_BHWC: jax.Array, t: int, u: int) -> list[list[jax.Array]]:
    """(batch, 2 t + 2, 2 u + 2, C) -> 4 x 4 arrays (batch, t, u, C)."""
    batch, _, _, channels = x_BHWC.shape

    def pixel(i: int, j: int) -> jax.Array:
        """Pixel (i, j) of every tile."""
        end = (batch, i + 2 * t - 1, j + 2 * u - 1, channels)
        return lax.slice(x_BHWC, (0, i, j, 0), end, (1, 2, 2, 1))

    columns = [_inputs([pixel(i, j) for i in range(TILE)]) for j in range(TILE)]
    return [_inputs([column[p] for column in columns]) for p in range(TILE)]


def _transform_kernel(kernel_33CO: jax.Array) -> list[list[jax.Array]]:
    """(3, 3, C, O) -> 4 x 4 arrays (C, O). As products with 3 x 4 numbers XLA takes far longer."""
    columns = [_taps([kernel_33CO[i, j] for i in range(3)]) for j in range(3)]
    return [_taps([column[p] for column in columns]) for p in range(TILE)]


def _taps(k: Sequence[jax.Array]) -> list[jax.Array]:
    """The transform of three taps along one axis."""
    ends = k[0] + k[2]
    return [k[0], 0.5 * (ends + k[1]), 0.5 * (ends - k[1]), k[2]]


def _inputs(d: Sequence[jax.Array]) -> list[jax.Array]:
    """The transform of four inputs along one axis."""
    return [d[0] - d[2], d[1] + d[2], d[2] - d[1], d[1] - d[3]]


def _outputs(products: list[list[jax.Array]], tiles: tuple[int, int, int]) -> jax.Array:
    """4 x 4 arrays (batch * t * u, O) -> (batch, 2 t, 2 u, O)."""
    columns = [_pair([products[p][q] for p in range(TILE)]) for q in range(TILE)]
    image = [_pair([column[i] for column in columns]) for i in range(2)]
    rows = [jnp.stack([y.reshape(*tiles, -1) for y in row], axis=3) for row in image]
    batch, t, u = tiles
    return jnp.stack(rows, axis=2).reshape(batch, 2 * t, 2 * u, -1)


def _pair(m: Sequence[jax.Array]) -> tuple[jax.Array, jax.Array]:
    """Two outputs from four products along one axis."""
    return m[0] + m[1] + m[2], m[1] - m[2] - m[3]
