"""Convolutions, transposed convolutions and max-pooling in the form that suits the platform.

Each layer has three forms that compute the same numbers and the same gradients:

* `"cpu"` works around what XLA's CPU backend is slow at (see `cpu`, `max_pool`);
* `"gpu"` works around what cuDNN is slow at (see `gpu`, `max_pool`);
* `"reference"` is the plain `jax.lax` operation.

`"auto"` takes `"cpu"` where JAX's default backend is the CPU, and else `"gpu"`.
"""

import functools
from typing import Literal

import jax
import jax.numpy as jnp

from fmri_jax.networks.conv import cpu, gpu, reference
from fmri_jax.networks.conv import max_pool as pooling

Form = Literal["auto", "cpu", "gpu", "reference"]


def _chosen(form: Form) -> Form:
    if form != "auto":
        return form
    return "cpu" if jax.default_backend() == "cpu" else "gpu"


def conv(
    x_BHWC: jax.Array,
    kernel_KKCO: jax.Array,
    stride: int = 1,
    padding: int = 0,
    form: Form = "auto",
) -> jax.Array:
    """Cross-correlation with a square kernel, as in `nn.Conv` and `torch.nn.Conv2d`.

    Args:
        x_BHWC: images (batch, height, width, channels in).
        kernel_KKCO: kernel (size, size, channels in, channels out).
        stride: step in pixels along both axes.
        padding: zeros added on each side.
        form: which implementation to run.

    Returns:
        (batch, h, w, channels out) with h = (height + 2 padding - size) // stride + 1.
    """
    if (form := _chosen(form)) == "cpu":
        return _conv(x_BHWC, kernel_KKCO, stride, padding)
    run = gpu.conv if form == "gpu" else reference.conv
    return run(x_BHWC, kernel_KKCO, stride, padding)


def conv_transpose(
    x_BHWC: jax.Array,
    kernel_KKCO: jax.Array,
    stride: int = 2,
    padding: int = 1,
    form: Form = "auto",
) -> jax.Array:
    """Transposed convolution: sizes as in `torch.nn.ConvTranspose2d`, kernel as in Flax.

    PyTorch and Caffe store the kernel flipped along both axes (`kernel[::-1, ::-1]` converts either
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
    if (form := _chosen(form)) == "cpu":
        # The kernel of the convolution whose input gradient this is.
        return _conv_transpose(x_BHWC, jnp.swapaxes(kernel_KKCO[::-1, ::-1], 2, 3), stride, padding)
    run = gpu.conv_transpose if form == "gpu" else reference.conv_transpose
    return run(x_BHWC, kernel_KKCO, stride, padding)


def max_pool(x_BHWC: jax.Array, size: int, stride: int, form: Form = "auto") -> jax.Array:
    """Maximum of each window, without padding, as `torch.nn.MaxPool2d(size, stride)`."""
    run = reference.max_pool if form == "reference" else pooling.max_pool
    return run(x_BHWC, size, stride)


@functools.partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def _conv(x: jax.Array, kernel: jax.Array, stride: int, padding: int) -> jax.Array:
    return cpu.forward(x, kernel, stride, padding)


def _conv_backward(
    stride: int, padding: int, saved: tuple[jax.Array, jax.Array], gradient: jax.Array
) -> tuple[jax.Array, jax.Array]:
    x, kernel = saved
    height, width = x.shape[1:3]
    return (
        cpu.input_gradient(gradient, kernel, stride, padding, (height, width)),
        cpu.kernel_gradient(x, gradient, stride, padding, len(kernel)),
    )


_conv.defvjp(lambda x, kernel, *static: (_conv(x, kernel, *static), (x, kernel)), _conv_backward)


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
