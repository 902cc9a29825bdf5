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


def fully_connected(params, x: torch.Tensor) -> dict[str, torch.Tensor]:
    """fc6 to fc8 of pool5 (n, c, h, w), with as many layers as `params` has; features (n, f)."""
    activations, x = {}, x.flatten(1)
    for i in (6, 7, 8):
        if (layer := params.get(f"fc{i}")) is None:
            break
        weight, bias = (torch.tensor(np.asarray(layer[name])) for name in ("kernel", "bias"))
        x = activations[f"fc{i}"] = torch.nn.functional.linear(x, weight.T, bias)
        if i < 8:
            x = activations[f"relu{i}"] = torch.relu(x)
    return activations


def all_close(ours, theirs: dict[str, torch.Tensor], tolerance: float = 2e-5) -> None:
    """The same activations by name, each within `tolerance` of its largest value."""
    assert set(ours) == set(theirs)  # `jit` sorts them
    for name, value in theirs.items():
        expected = from_torch(value) if value.ndim == 4 else value.detach().numpy()
        scale = np.abs(expected).max()
        assert scale > 0
        np.testing.assert_allclose(ours[name], expected, atol=tolerance * scale, err_msg=name)


def conv_transpose(
    x: torch.Tensor, kernel: torch.Tensor, stride: int, padding: int
) -> torch.Tensor:
    flipped_iohw = kernel.flip(0, 1).permute(2, 3, 0, 1)
    return torch.nn.functional.conv_transpose2d(x, flipped_iohw, stride=stride, padding=padding)
