"""The same layers in PyTorch: images as (n, h, w, c) arrays, kernels as (k, k, in, out)."""

import numpy as np

from tests.peers import peer

torch = peer("torch")


def to_torch(x_BHWC: np.ndarray, gradient: bool = False) -> torch.Tensor:
    return torch.tensor(np.moveaxis(np.asarray(x_BHWC), 3, 1).copy(), requires_grad=gradient)


def from_torch(x: torch.Tensor) -> np.ndarray:
    return np.moveaxis(x.detach().numpy(), 1, 3)


def conv(x: torch.Tensor, kernel: torch.Tensor, stride: int, padding: int) -> torch.Tensor:
    oihw = kernel.permute(3, 2, 0, 1)
    return torch.nn.functional.conv2d(x, oihw, stride=stride, padding=padding)


def conv_transpose(
    x: torch.Tensor, kernel: torch.Tensor, stride: int, padding: int
) -> torch.Tensor:
    flipped_iohw = kernel.flip(0, 1).permute(2, 3, 0, 1)
    return torch.nn.functional.conv_transpose2d(x, flipped_iohw, stride=stride, padding=padding)
