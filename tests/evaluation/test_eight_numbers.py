"""The eight numbers against the papers' scripts, written again in PyTorch, NumPy and scikit-image.

The networks themselves are compared with torchvision's in tests/pretrained; here AlexNet has its
real weights, and the other four are small stand-ins in the same places.
"""

import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.spatial import distance
from skimage.color import rgb2gray
from skimage.metrics import structural_similarity

from fmri_jax import pretrained
from fmri_jax.errors import InputError
from fmri_jax.evaluation.eight_numbers import COMPARISONS, NUMBERS, eight_numbers
from fmri_jax.evaluation.scores import EvaluationConfig, score_images
from fmri_jax.features.registry import NETWORKS
from tests.peers import peer

torch = peer("torch")

MEAN, DEVIATION = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])


@pytest.fixture(scope="module")
def pictures():
    """Seven smooth coloured images and noisy copies, not square."""
    rng = np.random.default_rng(0)
    coarse = torch.tensor(rng.uniform(size=(7, 3, 6, 6)))
    smooth = torch.nn.functional.interpolate(coarse, (40, 48), mode="bicubic").clamp(0, 1)
    targets = smooth.permute(0, 2, 3, 1).numpy().astype(np.float32)
    mixed = 0.25 * targets + 0.3 * targets[::-1] + 0.45 * rng.uniform(size=targets.shape)
    return targets, mixed.astype(np.float32)


def resize(images, size):
    """torchvision 0.15's Resize of arrays, from the 256 px that all start from."""
    x = torch.tensor(images).permute(0, 3, 1, 2)
    for side in (256, size):
        x = torch.nn.functional.interpolate(x, (side, side), mode="bilinear", align_corners=False)
    return x


def two_way(reals, predictions):
    """How often another image correlates less, as the scripts count it."""
    n = len(reals)
    r = np.corrcoef(reals.reshape(n, -1), predictions.reshape(n, -1))[:n, n:]
    return (r < np.diag(r)).sum(axis=0) / (n - 1)


def test_pixcorr_and_ssim_equal_the_scripts(pictures):
    found = eight_numbers(*pictures, {}, block=4)
    assert list(found) == ["pixcorr", "ssim", "ssim_columns"]
    seen, made = (resize(images, 425).permute(0, 2, 3, 1).numpy() for images in pictures)
    correlation = [np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(seen, made, strict=True)]
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    grey = [(rgb2gray(b), rgb2gray(a)) for a, b in zip(seen, made, strict=True)]
    np.testing.assert_allclose(found["pixcorr"], correlation, atol=2e-5)
    for number, channels in (("ssim", None), ("ssim_columns", -1)):
        expected = [
            structural_similarity(b, a, data_range=1.0, channel_axis=channels, **options)
            for b, a in grey
        ]
        np.testing.assert_allclose(found[number], expected, atol=2e-5)


def test_both_kinds_of_ssim_are_metrics_by_name(pictures):
    names = {"ssim_425": "ssim", "ssim_425_columns": "ssim_columns"}
    config = EvaluationConfig(metrics=tuple(names))
    four = [images[:4] for images in pictures]
    found = score_images(*four, config=config).values
    expected = eight_numbers(*four, {}, block=4)
    assert set(found) == set(names)
    for metric, number in names.items():
        np.testing.assert_allclose(found[metric], expected[number], atol=1e-6)


def alexnet_in_pytorch(params, x):
    """torchvision's features.4 and features.11."""
    places, kept = {"conv1": (4, 2), "conv2": (1, 2), "conv3": (1, 1), "conv4": (1, 1)}, {}
    places["conv5"] = (1, 1)
    for name, (stride, padding) in places.items():
        kernel = torch.tensor(np.asarray(params[name]["kernel"])).permute(3, 2, 0, 1)
        bias = torch.tensor(np.asarray(params[name]["bias"]))
        x = kept[name] = torch.relu(torch.nn.functional.conv2d(x, kernel, bias, stride, padding))
        if name in ("conv1", "conv2"):
            x = torch.nn.functional.max_pool2d(x, 3, 2)
    return kept["conv2"].numpy(), kept["conv5"].numpy()


def test_alexnet_numbers_equal_the_scripts_with_real_weights(pictures):
    params = pretrained.load("alexnet")
    found = eight_numbers(*pictures, {"alexnet": params}, block=4)
    activations = [
        alexnet_in_pytorch(
            params, (resize(x, 256) - MEAN[:, None, None]) / DEVIATION[:, None, None]
        )
        for x in pictures
    ]
    for name, reals, predictions in zip(("alexnet2", "alexnet5"), *activations, strict=True):
        expected = two_way(reals, predictions)
        assert 0 < expected.mean() < 1  # a comparison in which something can go wrong
        np.testing.assert_allclose(found[name], expected, atol=1e-12)


class Patches(nn.Module):
    """Sums of patches by a random kernel: as simple as a network can be."""

    @nn.compact
    def __call__(self, x):
        return nn.Conv(5, (32, 32), (32, 32), "VALID", use_bias=False)(x).reshape(len(x), -1)


@dataclasses.dataclass(frozen=True)
class StandIn:
    """In place of an entry of the registry."""

    layer: str

    def activations(self, params, images):
        return {self.layer: Patches().apply({"params": params}, images)}


@pytest.mark.parametrize("name", [name for name in COMPARISONS if name != "alexnet"])
def test_each_network_sees_its_size_and_is_compared_as_published(pictures, name, monkeypatch):
    size, kind = {
        "inception_v3": (342, "two-way"),
        "clip_vit_l14": (224, "two-way"),
        "efficientnet_b1": (255, "distance"),
        "swav_resnet50": (224, "distance"),
    }[name]
    monkeypatch.setitem(NETWORKS, name, StandIn(tuple(COMPARISONS[name].numbers.values())[0]))
    params = Patches().init(jax.random.key(0), jnp.zeros((1, size, size, 3)))["params"]
    found = eight_numbers(*pictures, {name: params}, block=4)
    assert list(found)[3:] == list(COMPARISONS[name].numbers)
    kernel = torch.tensor(np.asarray(params["Conv_0"]["kernel"])).permute(3, 2, 0, 1)
    reals, predictions = (
        torch.nn.functional.conv2d(resize(x, size), kernel, stride=32).numpy() for x in pictures
    )
    if kind == "two-way":
        expected = two_way(reals, predictions)
    else:
        rows = zip(reals, predictions, strict=True)
        expected = [distance.correlation(a.ravel(), b.ravel()) for a, b in rows]
    np.testing.assert_allclose(list(found.values())[3], expected, atol=2e-5)


def test_repeated_images_are_no_distractors_and_ties_do_not_count(pictures):
    targets = np.repeat(pictures[0][:3], 2, axis=0)
    params = pretrained.load("alexnet")
    found = eight_numbers(targets, targets, {"alexnet": params}, block=4)
    np.testing.assert_array_equal(found["alexnet2"], np.ones(6))
    constant = np.full_like(targets, 0.5)
    found = eight_numbers(constant, targets, {"alexnet": params}, block=4)
    assert "alexnet2" not in found  # one image: nothing to tell apart


def test_grey_images_count_as_rgb(pictures):
    grey = [images[..., :1] for images in pictures]
    rgb = [np.repeat(images, 3, axis=-1) for images in grey]
    expected = eight_numbers(*rgb, {}, block=4)
    for number, values in eight_numbers(*grey, {}, block=4).items():
        np.testing.assert_allclose(values, expected[number], atol=1e-6)


def test_there_are_eight_and_one_more_reading_of_ssim():
    assert len(set(NUMBERS) - {"ssim_columns"}) == 8


def test_unknown_networks_and_channels_are_rejected(pictures):
    with pytest.raises(InputError, match="expected some of alexnet, inception_v3"):
        eight_numbers(*pictures, {"vgg": {}})
    with pytest.raises(InputError, match="2 channels: the eight numbers expect"):
        eight_numbers(*(images[..., :2] for images in pictures), {})
