"""Convolutions of images smaller than their kernel, one matrix product per tap, for CPU.

For such images XLA's own convolution takes far longer than for larger ones. A tap of the kernel by
itself meets a rectangle of pixels, and its products with them are one matrix product over channels;
none is with padding.

Milliseconds, plain and this one (batch 32, 2 cores): 3 x 3 on 2 x 2 pixels, 256 channels, 20.1 ->
0.5, its input gradient 19.5 -> 0.8; 5 x 5 on 4 x 4 pixels, 64 to 192 channels, 22.0 -> 1.6. On 3 x
3 pixels alone 1.9 -> 1.2, but a step of the 64 px demo was no faster and compiled 2 s longer.

Shape suffixes: B batch, H W image, h w output, C channels in, O channels out, K kernel size.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax import lax

# With fewer channels a tap's product is too small to be worth a call of its own.
FEWEST_CHANNELS = 64


def pays(
    x: jax.ShapeDtypeStruct | jax.Array, kernel_shape: Sequence[int], stride: int, padding: int
) -> bool:
    """Whether this convolution is faster this way.

    Args:
        x: images (batch, height, width, channels in).
        kernel_shape: (K, K, channels in, channels out).
        stride: of the convolution.
        padding: zeros on each side.
    """
    size, _, *channels = kernel_shape
    sides = x.shape[1:3]
    small = min(sides) + 2 * padding >= size and max(sides) < size
    # In half precision the sums over taps would be rounded one by one.
    exact = jnp.finfo(x.dtype).bits >= 32
    return stride == 1 and size > 1 and small and exact and min(channels) >= FEWEST_CHANNELS


def convolve(x_BHWC: jax.Array, kernel_KKCO: jax.Array, padding: int) -> jax.Array:
    """The convolution, of stride 1: (B, H + 2 padding - K + 1, W + 2 padding - K + 1, O)."""
    batch, *sides, channels = x_BHWC.shape
    size = kernel_KKCO.shape[0]
    h, w = outputs = [side + 2 * padding - size + 1 for side in sides]
    zero = jnp.zeros((), x_BHWC.dtype)
    y_BhwO = jnp.zeros((batch, h, w, kernel_KKCO.shape[-1]), x_BHWC.dtype)
    for tap in ((i, j) for i in range(size) for j in range(size)):
        moved = [at - padding for at in tap]  # output o meets pixel o + moved
        first = [max(0, -by) for by in moved]
        last = [min(o, side - by) for o, side, by in zip(outputs, sides, moved, strict=True)]
        if first[0] >= last[0] or first[1] >= last[1]:
            continue
        (top, left), (bottom, right) = first, last
        met = x_BHWC[:, top + moved[0] : bottom + moved[0], left + moved[1] : right + moved[1]]
        products = met.reshape(-1, channels) @ kernel_KKCO[tap]
        products = products.reshape(batch, bottom - top, right - left, -1)
        around = ((0, 0, 0), (top, h - bottom, 0), (left, w - right, 0), (0, 0, 0))
        y_BhwO = y_BhwO + lax.pad(products, zero, around)
    return y_BhwO
