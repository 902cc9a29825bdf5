"""Convolutions, transposed convolutions and max-pooling in the form that suits the platform.

Each layer has three forms that compute the same numbers and the same gradients:

* `"xla"`: the plain `jax.lax` operation;
* `"blocks"`: routes round what XLA's CPU backend is slow at (see `blocks`, `doubling`, `pooling`);
* `"library"`: round what the convolutions of a GPU's library are slow at (see `library`).

`"auto"` takes `"blocks"` where JAX's default backend is the CPU, and else `"library"`.
"""

import functools
from typing import Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from fmri_jax.networks.conv import cpu, doubling, gpu
from fmri_jax.networks.conv import max_pool as pooling

Form = Literal["auto", "blocks", "library", "xla"]


def _chosen(form: Form) -> Form:
    if form != "auto":
        return form
    return "blocks" if jax.default_backend() == "cpu" else "library"


def conv(
    x_BHWC: jax.Array,
    kernel_KKCO: jax.Array,
    stride: int = 1,
    padding: int = 0,
    form: Form = "auto",
    turned_KKOC: jax.Array | None = None,
) -> jax.Array:
    """Cross-correlation with a square kernel, as in `nn.Conv` and `torch.nn.Conv2d`.

    Args:
        x_BHWC: images (batch, height, width, channels in).
        kernel_KKCO: kernel (size, size, channels in, channels out).
        stride: step in pixels along both axes.
        padding: zeros added on each side.
        form: which implementation to run.
        turned_KKOC: of a frozen kernel, what `frozen.turned` makes of it: spares "blocks" to do so.

    Returns:
        (batch, h, w, channels out) with h = (height + 2 padding - size) // stride + 1.
    """
    if (form := _chosen(form)) == "blocks":
        turned_KKOC = turned_KKOC if stride == 1 else None
        return _conv(x_BHWC, kernel_KKCO, turned_KKOC, stride, padding)
    if form == "library":
        return gpu.conv(x_BHWC, kernel_KKCO, stride, padding)
    return gpu.forward(x_BHWC, kernel_KKCO, stride, padding)


def conv_transpose(
    x_BHWC: jax.Array,
    kernel_KKCO: jax.Array,
    stride: int = 2,
    padding: int = 1,
    form: Form = "auto",
) -> jax.Array:
    """Transposed convolution: sizes as in `torch.nn.ConvTranspose2d`, kernel as in Flax.

    PyTorch and Caffe store the kernel turned by 180 degrees (`kernel[::-1, ::-1]` converts either
    way); Flax counts padding from the other end (its `padding` is `size - 1 - padding` here).

    Args:
        x_BHWC: images (batch, height, width, channels in).
        kernel_KKCO: kernel (size, size, channels in, channels out).
        stride: enlargement along both axes.
        padding: pixels cut off each side of the enlarged image.
        form: which implementation to run.

    Returns:
        (batch, H, W, channels out) with H = (height - 1) stride + size - 2 padding.
    """
    if (form := _chosen(form)) == "library":
        return gpu.conv_transpose(x_BHWC, kernel_KKCO, stride, padding)
    if form == "blocks":
        if doubling.pays(x_BHWC, kernel_KKCO, stride):
            return doubling.enlarge(x_BHWC, kernel_KKCO, padding)
        # The kernel of the convolution whose input gradient this is.
        return _conv_transpose(x_BHWC, jnp.swapaxes(kernel_KKCO[::-1, ::-1], 2, 3), stride, padding)
    margin = kernel_KKCO.shape[0] - 1 - padding
    return lax.conv_transpose(
        x_BHWC,
        kernel_KKCO,
        (stride, stride),
        ((margin, margin),) * 2,
        dimension_numbers=cpu.DIMENSIONS,
    )


def max_pool(x_BHWC: jax.Array, size: int, stride: int, form: Form = "auto") -> jax.Array:
    """Maximum of each window, without padding, as `torch.nn.MaxPool2d(size, stride)`."""
    if _chosen(form) == "xla":
        return nn.max_pool(x_BHWC, (size, size), (stride, stride))
    return pooling.max_pool(x_BHWC, size, stride)


@functools.partial(jax.custom_vjp, nondiff_argnums=(3, 4))
def _conv(
    x: jax.Array, kernel: jax.Array, turned_KKOC: jax.Array | None, stride: int, padding: int
) -> jax.Array:
    """With a turned kernel the stride is 1, and the input gradient a convolution by that kernel."""
    return cpu.forward(x, kernel, stride, padding)


def _conv_backward(
    stride: int,
    padding: int,
    saved: tuple[jax.Array, jax.Array, jax.Array | None],
    gradient: jax.Array,
) -> tuple[jax.Array, jax.Array, jax.Array | None]:
    x, kernel, turned_KKOC = saved
    size = kernel.shape[0]
    if turned_KKOC is None:
        height, width = x.shape[1:3]
        at_x = cpu.input_gradient(gradient, kernel, stride, padding, (height, width))
    else:
        at_x = cpu.forward(gradient, turned_KKOC, 1, size - 1 - padding)
    at_kernel = cpu.kernel_gradient(x, gradient, stride, padding, size)
    return at_x, at_kernel, jax.tree.map(jnp.zeros_like, turned_KKOC)  # the kernel has it all


_conv.defvjp(
    lambda x, kernel, turned, *static: (_conv(x, kernel, turned, *static), (x, kernel, turned)),
    _conv_backward,
)


@functools.partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def _conv_transpose(x: jax.Array, kernel: jax.Array, stride: int, padding: int) -> jax.Array:
    """The input gradient of `_conv`, used forwards: the roles of its two passes swap."""
    height, width = ((n - 1) * stride + kernel.shape[0] - 2 * padding for n in x.shape[1:3])
    return cpu.input_gradient(x, kernel, stride, padding, (height, width))


def _conv_transpose_backward(
    stride: int, padding: int, saved: tuple[jax.Array, jax.Array], gradient: jax.Array
) -> tuple[jax.Array, jax.Array]:
    x, kernel = saved
    return (
        cpu.forward(gradient, kernel, stride, padding),
        cpu.kernel_gradient(gradient, x, stride, padding, kernel.shape[0]),
    )


_conv_transpose.defvjp(
    lambda x, kernel, *static: (_conv_transpose(x, kernel, *static), (x, kernel)),
    _conv_transpose_backward,
)
