"""Layers of a released generator in Caffe's layout, and its prototxt's arithmetic in PyTorch."""

import numpy as np

from tests.peers import peer

torch = peer("torch")

HIDDEN = 24  # 4,096 hidden units are published
# Name, channels in, channels out, kernel, stride; padding is 1 everywhere.
DECONVOLUTIONS = [
    ("deconv5", 256, 256, 4, 2),
    ("conv5_1", 256, 512, 3, 1),
    ("deconv4", 512, 256, 4, 2),
    ("conv4_1", 256, 256, 3, 1),
    ("deconv3", 256, 128, 4, 2),
    ("conv3_1", 128, 128, 3, 1),
    ("deconv2", 128, 64, 4, 2),
    ("deconv1", 64, 32, 4, 2),
    ("deconv0", 32, 3, 4, 2),
]


def random_layers(inputs):
    """Random weights at He's scale, with biases, so that everything moves the picture."""
    rng = np.random.default_rng(0)

    def pair(shape, units, fan_in):
        weight = rng.normal(size=shape, scale=np.sqrt(2 / fan_in)).astype(np.float32)
        return [weight, rng.normal(size=units, scale=0.1).astype(np.float32)]

    dense = [("defc7", HIDDEN, inputs), ("defc6", HIDDEN, HIDDEN), ("defc5", 4096, HIDDEN)]
    layers = {name: pair((out, given), out, given) for name, out, given in dense}
    for name, given, out, size, stride in DECONVOLUTIONS:
        layers[name] = pair((given, out, size, size), out, given * (size / stride) ** 2)
    layers["deconv0"][0] *= 60  # to the range of pixels
    return layers


def in_pytorch(layers, given, cut):
    """(n, inputs) -> RGB in 0..255 (n, side, side, 3), the rows and columns `cut` of 256.

    The authors' test script keeps 14 to 241.
    """
    return tensor(layers, torch.tensor(given), cut).numpy()


def tensor(layers, x, cut):
    """The same of a tensor, through which gradients flow."""
    for name in ("defc7", "defc6", "defc5"):
        x = torch.nn.functional.linear(x, *map(torch.tensor, layers[name]))
        x = torch.nn.functional.leaky_relu(x, 0.3)
    x = x.reshape(-1, 256, 4, 4)
    for name, _, _, _, stride in DECONVOLUTIONS:
        weight, bias = map(torch.tensor, layers[name])
        x = torch.nn.functional.conv_transpose2d(x, weight, bias, stride, padding=1)
        x = torch.nn.functional.leaky_relu(x, 0.3) if name != "deconv0" else x
    bgr = x[:, :, cut, cut] + torch.tensor([104.0, 117.0, 123.0])[:, None, None]
    return bgr.flip(1).permute(0, 2, 3, 1)
