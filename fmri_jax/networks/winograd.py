"""2 x 2 and 3 x 3 convolutions of stride 1 with 2.25 times fewer multiplications, for CPU.

Winograd's F(2 x 2, 3 x 3) and F(3 x 3, 2 x 2): a tile of 2 x 2 (3 x 3) outputs depends on 4 x 4
inputs. Both the tile's inputs and the kernel are transformed by sums and differences into 16
numbers (`tiles`); these are multiplied, one by one in space and as a matrix product over channels;
sums and differences give the outputs. 16 multiplications replace 36. XLA's own convolutions run as
fast as its matrix products here, so that fewer multiplications are all that is left to gain. The
transforms' numbers are 0, 1 and 1/2: errors are those of the plain convolution (8e-7 of the largest
output). The larger F(4 x 4, 3 x 3) has errors of 1e-5 and is slower on images of 13 and 23 px,
which its tiles do not divide.

The input gradient convolves with the kernel turned by 180 degrees. Its 16 numbers are the kernel's
own in another order (for 2 x 2, some with the other sign), so that no kernel is turned: turning one
and exchanging its channels took as long as the products (56 ms in generator deconv4).

Milliseconds, plain and this one (batch 32, 2 cores): generator conv4_1 48 -> 27, conv5_1 26 -> 15,
conv3_1 54 -> 33, discriminator conv4 56 -> 33, AlexNet conv4 55 -> 30. The kernel gradient gains,
too (conv4_1: 53 -> 34, conv3_1: 55 -> 43).

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

from fmri_jax.networks import tiles

# The transforms touch 4 numbers (2 x 2 kernels: 1.8) for each input and output, the products save
# 5 (2.2) for each pair of channels: with few channels the transforms cost more than that. 2 x 2
# kernels come from doublings (see `doubling`), whose blocks have to be laid out, too.
FEWEST_CHANNELS = {2: 128, 3: 64}

# Images of few tiles do not repay the transform of the kernel, and odd sides fill tiles badly.
SMALLEST_SIDE = 7

# Multiplications of the plain convolution. The 16 products and their transforms compile for about a
# second a layer; a step of the 64 px demo, whose layers have 0.3 G, was no faster for it.
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
    kernels = tiles.of_kernel(kernel_KKCO)

    def product(x_TC: jax.Array, p: int, q: int) -> jax.Array:
        return x_TC @ kernels[p][q]

    return _over_tiles(x_BHWC, kernel_KKCO.shape[0], padding, product)


def convolve_turned(x_BHWO: jax.Array, kernel_KKCO: jax.Array, padding: int) -> jax.Array:
    """The convolution with the kernel turned by 180 degrees, from its channels out to those in.

    The input gradient of `convolve`: with padding K - 1 - p, if that of `convolve` was p.

    Returns:
        (batch, height + 2 padding - K + 1, width + 2 padding - K + 1, C).
    """
    size = kernel_KKCO.shape[0]
    kernels, signs = tiles.of_kernel(kernel_KKCO), _TURNED_SIGNS[size]

    def product(x_TO: jax.Array, p: int, q: int) -> jax.Array:
        kernel_CO = kernels[_TURNED[p]][_TURNED[q]]
        y = lax.dot_general(x_TO, kernel_CO, (((1,), (1,)), ((), ())))
        return y if signs[p] == signs[q] else -y

    return _over_tiles(x_BHWO, size, padding, product)


def kernel_gradient(x_BHWC: jax.Array, g_BHWO: jax.Array, padding: int, size: int) -> jax.Array:
    """The gradient with respect to the kernel (K, K, C, O) of `convolve`: its steps, transposed.

    Args:
        x_BHWC: images.
        g_BHWO: gradient with respect to the output.
        padding: of `convolve`.
        size: K.
    """
    numbers = zip(
        tiles.of_inputs(x_BHWC, size, padding), tiles.of_outputs(g_BHWO, size), strict=True
    )
    products = [
        [lax.dot_general(x, g, (((0,), (0,)), ((), ()))) for x, g in zip(*rows, strict=True)]
        for rows in numbers
    ]
    return tiles.to_kernel(products, size)


def _over_tiles(
    x_BHWC: jax.Array, size: int, padding: int, product: Callable[[jax.Array, int, int], jax.Array]
) -> jax.Array:
    """Cuts images into tiles, multiplies their 4 x 4 numbers, puts the outputs together."""
    h, w = (side + 2 * padding - size + 1 for side in x_BHWC.shape[1:3])
    products = [
        [product(x_TC, p, q) for q, x_TC in enumerate(row)]
        for p, row in enumerate(tiles.of_inputs(x_BHWC, size, padding))
    ]
    return tiles.to_outputs(products, size, len(x_BHWC), (h, w))
