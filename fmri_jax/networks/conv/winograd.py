"""2 x 2 and 3 x 3 convolutions of stride 1 with 2.25 times fewer multiplications, for CPU.

Winograd's F(2 x 2, 3 x 3) and F(3 x 3, 2 x 2): a tile of 2 x 2 (3 x 3) outputs depends on 4 x 4
inputs. Both the tile's inputs and the kernel are transformed by sums and differences into 16
numbers; these are multiplied, one by one in space and as a matrix product over channels; sums and
differences give the outputs. 16 multiplications replace 36. XLA's own convolutions run as fast as
its matrix products here, so that fewer multiplications are all that is left to gain. The
transforms' numbers are 0, 1 and 1/2: errors are those of the plain convolution (8e-7 of the
largest output). The larger F(4 x 4, 3 x 3) has errors of 1e-5 and is slower on images of 13 and 23
px, which its tiles do not divide.

The input gradient convolves with the kernel turned by 180 degrees. Its 16 numbers are the kernel's
own in another order (for 2 x 2, some with the other sign), so that no kernel is turned: turning one
and exchanging its channels took as long as the products (56 ms in generator deconv4).

Milliseconds, plain and this one (batch 32, 2 cores): generator conv4_1 48 -> 27, conv5_1 26 -> 15,
conv3_1 54 -> 33, discriminator conv4 56 -> 33, AlexNet conv4 55 -> 30.

Shape suffixes: B batch, H W image, t tile rows, u tile columns, C channels in, O channels out,
K kernel size.

References:
    Lavin & Gray (2016), "Fast algorithms for convolutional neural networks", CVPR, section 4.1.
"""

import math
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from jax import lax

TILE = 4  # inputs a side; TILE + 1 - K of them are new in each tile

# The transforms touch 4 numbers (2 x 2 kernels: 1.8) for each input and output, the products save
# 5 (2.2) for each pair of channels: with few channels the transforms cost more than that. 2 x 2
# kernels come from doublings (see `doubling`), whose blocks have to be laid out, too.
FEWEST_CHANNELS = {2: 128, 3: 64}

# Images of few tiles do not repay the transform of the kernel, and odd sides fill tiles badly.
SMALLEST_SIDE = 7

# Multiplications of the plain convolution. The 16 products and their transforms compile for two
# seconds a layer; a step of the 64 px demo, whose layers have 0.3 G, was no faster for it.
FEWEST_PRODUCTS = 1e9

# Where the 4 numbers of a turned kernel are among those of the kernel, and their signs.
_TURNED = (3, 1, 2, 0)
_TURNED_SIGNS = {2: (1, 1, -1, 1), 3: (1, 1, 1, 1)}


def pays(x: jax.ShapeDtypeStruct | jax.Array, kernel_shape: Sequence[int], stride: int) -> bool:
    """Whether this convolution is faster this way, and as exact.

    Args:
        x: images (batch, height, width, channels in).
        kernel_shape: (K, K, channels in, channels out).
        stride: of the convolution.
    """
    batch, *sides, _ = x.shape
    size, _, *channels = kernel_shape
    if stride != 1 or size not in FEWEST_CHANNELS:
        return False
    large = min(sides) >= SMALLEST_SIDE and min(channels) >= FEWEST_CHANNELS[size]
    products = batch * math.prod(sides) * math.prod(kernel_shape)
    # In half precision the transforms' sums would be rounded before they are multiplied.
    return large and products >= FEWEST_PRODUCTS and x.dtype == jnp.float32


def convolve(x_BHWC: jax.Array, kernel_KKCO: jax.Array, padding: int) -> jax.Array:
    """The convolution, of stride 1.

    Args:
        x_BHWC: images.
        kernel_KKCO: kernel of 2 x 2 or 3 x 3.
        padding: zeros on each side.

    Returns:
        (batch, height + 2 padding - K + 1, width + 2 padding - K + 1, O).
    """
    kernels = _transform_kernel(kernel_KKCO)

    def product(x_BtuC: jax.Array, p: int, q: int) -> jax.Array:
        return x_BtuC.reshape(-1, x_BtuC.shape[-1]) @ kernels[p][q]

    return _over_tiles(x_BHWC, kernel_KKCO.shape[0], padding, product)


def convolve_turned(x_BHWO: jax.Array, kernel_KKCO: jax.Array, padding: int) -> jax.Array:
    """The convolution with the kernel turned by 180 degrees, from its channels out to those in.

    The input gradient of `convolve`: with padding K - 1 - p, if that of `convolve` was p.

    Returns:
        (batch, height + 2 padding - K + 1, width + 2 padding - K + 1, C).
    """
    size = kernel_KKCO.shape[0]
    kernels, signs = _transform_kernel(kernel_KKCO), _TURNED_SIGNS[size]

    def product(x_BtuO: jax.Array, p: int, q: int) -> jax.Array:
        x, kernel_CO = x_BtuO.reshape(-1, x_BtuO.shape[-1]), kernels[_TURNED[p]][_TURNED[q]]
        y = lax.dot_general(x, kernel_CO, (((1,), (1,)), ((), ())))
        return y if signs[p] == signs[q] else -y

    return _over_tiles(x_BHWO, size, padding, product)


def _over_tiles(
    x_BHWC: jax.Array, size: int, padding: int, product: Callable[[jax.Array, int, int], jax.Array]
) -> jax.Array:
    """Cuts images into tiles, multiplies their 4 x 4 numbers, puts the outputs together."""
    batch, *sides, _ = x_BHWC.shape
    new = TILE + 1 - size
    h, w = (side + 2 * padding - size + 1 for side in sides)
    t, u = -(-h // new), -(-w // new)
    edges = [
        (padding, new * n + size - 1 - side - padding, 0)
        for n, side in zip((t, u), sides, strict=True)
    ]
    padded = lax.pad(x_BHWC, jnp.zeros((), x_BHWC.dtype), ((0, 0, 0), *edges, (0, 0, 0)))
    products = [
        [product(x_BtuC, p, q) for q, x_BtuC in enumerate(row)]
        for p, row in enumerate(_transform_tiles(padded, t, u, new))
    ]
    return _outputs(products, (batch, t, u), new)[:, :h, :w]


def _transform_tiles(x_BHWC: jax.Array, t: int, u: int, new: int) -> list[list[jax.Array]]:
    """(batch, new t + K - 1, new u + K - 1, C) -> 4 x 4 arrays (batch, t, u, C)."""
    batch, _, _, channels = x_BHWC.shape

    def pixel(i: int, j: int) -> jax.Array:
        """Pixel (i, j) of every tile."""
        end = (batch, i + new * (t - 1) + 1, j + new * (u - 1) + 1, channels)
        return lax.slice(x_BHWC, (0, i, j, 0), end, (1, new, new, 1))

    columns = [_inputs([pixel(i, j) for i in range(TILE)]) for j in range(TILE)]
    return [_inputs([column[p] for column in columns]) for p in range(TILE)]


def _transform_kernel(kernel_KKCO: jax.Array) -> list[list[jax.Array]]:
    """(K, K, C, O) -> 4 x 4 arrays (C, O). As products with small matrices XLA takes far longer."""
    taps = range(kernel_KKCO.shape[0])
    columns = [_taps([kernel_KKCO[i, j] for i in taps]) for j in taps]
    return [_taps([column[p] for column in columns]) for p in range(TILE)]


def _taps(k: Sequence[jax.Array]) -> list[jax.Array]:
    """The transform of two or three taps along one axis."""
    first, *middle, last = k
    sum_, difference = first + last, first - last
    if middle:
        sum_, difference = sum_ + middle[0], sum_ - middle[0]
    return [first, 0.5 * sum_, 0.5 * difference, last]


def _inputs(d: Sequence[jax.Array]) -> list[jax.Array]:
    """The transform of four inputs along one axis."""
    return [d[0] - d[2], d[1] + d[2], d[2] - d[1], d[1] - d[3]]


def _outputs(products: list[list[jax.Array]], tiles: tuple[int, int, int], new: int) -> jax.Array:
    """4 x 4 arrays (batch * t * u, O) -> (batch, new t, new u, O)."""
    columns = [_sums([products[p][q] for p in range(TILE)], new) for q in range(TILE)]
    image = [_sums([column[i] for column in columns], new) for i in range(new)]
    rows = [jnp.stack([y.reshape(*tiles, -1) for y in row], axis=3) for row in image]
    batch, t, u = tiles
    return jnp.stack(rows, axis=2).reshape(batch, new * t, new * u, -1)


def _sums(m: Sequence[jax.Array], new: int) -> tuple[jax.Array, ...]:
    """Two or three outputs from four products along one axis."""
    if new == 2:
        return m[0] + m[1] + m[2], m[1] - m[2] - m[3]
    return m[0] + m[1] + m[2], m[1] - m[2], m[1] + m[2] - m[3]
