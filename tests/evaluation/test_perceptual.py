"""AlexNet(2), AlexNet(5) and LPIPS against PyTorch with the same weights."""

import zipfile

import jax
import numpy as np
import pytest
import skimage.data

from fmri_jax import evaluation, pretrained
from fmri_jax.errors import InputError
from fmri_jax.evaluation import network_identification, perceptual
from fmri_jax.evaluation.perceptual import PerceptualWeights

torch = pytest.importorskip("torch")
functional = torch.nn.functional

# torchvision's AlexNet: stride and padding of each convolution.
CONVOLUTIONS = {"conv1": (4, 2), "conv2": (1, 2), "conv3": (1, 1), "conv4": (1, 1), "conv5": (1, 1)}


@pytest.fixture(scope="module")
def weights() -> PerceptualWeights:
    return PerceptualWeights(pretrained.load("alexnet"), pretrained.load("lpips_alexnet"))


@pytest.fixture(scope="module")
def crops() -> np.ndarray:
    """(5, 64, 64, 3) crops of a photograph that scikit-image bundles."""
    astronaut = skimage.data.astronaut().astype(np.float32) / 255
    return np.stack([astronaut[i : i + 64, 2 * i : 2 * i + 64] for i in range(0, 200, 40)])


def distort(images: np.ndarray, amount: float, seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).uniform(-amount, amount, images.shape)
    return np.clip(images + noise, 0, 1).astype(np.float32)


def torch_activations(params, images: np.ndarray) -> dict[str, "torch.Tensor"]:
    """relu1..relu5 in PyTorch; the input is scaled as the LPIPS package does, from [-1, 1]."""
    x = 2 * torch.tensor(np.asarray(images)).permute(0, 3, 1, 2) - 1
    shift = torch.tensor([-0.030, -0.088, -0.188])[None, :, None, None]
    scale = torch.tensor([0.458, 0.448, 0.450])[None, :, None, None]
    x = (x - shift) / scale
    activations = {}
    for name, (stride, padding) in CONVOLUTIONS.items():
        if name in ("conv2", "conv3"):
            x = functional.max_pool2d(x, 3, 2)
        kernel = torch.tensor(np.asarray(params[name]["kernel"])).permute(3, 2, 0, 1)
        bias = torch.tensor(np.asarray(params[name]["bias"]))
        x = functional.relu(functional.conv2d(x, kernel, bias, stride=stride, padding=padding))
        activations[f"relu{name[-1]}"] = x
    return activations


def torch_lpips(weights: PerceptualWeights, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    total = torch.zeros(len(a))
    first, second = (torch_activations(weights.alexnet, x) for x in (a, b))
    for name, head in zip(perceptual.LPIPS_LAYERS, weights.lpips_heads, strict=True):
        u, v = (
            x[name] / (torch.sqrt((x[name] ** 2).sum(1, keepdim=True)) + 1e-10)
            for x in (first, second)
        )
        kernel = torch.tensor(np.array(head)).reshape(1, -1, 1, 1)
        total = total + functional.conv2d((u - v) ** 2, kernel).mean((2, 3))[:, 0]
    return total.numpy()


def test_lpips_is_pytorchs(weights, crops):
    decoded = distort(crops, 0.3)
    found = perceptual.perceptual_values(crops, decoded, weights, block=2)["lpips"]
    np.testing.assert_allclose(found, torch_lpips(weights, crops, decoded), rtol=1e-3)
    same = perceptual.perceptual_values(crops, crops, weights, block=2)["lpips"]
    np.testing.assert_allclose(same, 0, atol=1e-7)


def test_lpips_input_scaling_is_imagenets():
    """(2x - 1 - shift) / scale = (x - mean) / deviation, exactly."""
    shift, scale = np.array([-0.030, -0.088, -0.188]), np.array([0.458, 0.448, 0.450])
    np.testing.assert_allclose((1 + shift) / 2, [0.485, 0.456, 0.406])
    np.testing.assert_allclose(scale / 2, [0.229, 0.224, 0.225])


def test_small_images_are_enlarged_and_grey_ones_coloured_as_pytorch_would(weights):
    rng = np.random.default_rng(0)
    targets = (rng.uniform(size=(3, 10, 12, 1)) < 0.4).astype(np.float32)
    prepare = jax.jit(perceptual.prepare)
    prepared = np.asarray(prepare(targets))
    assert prepared.shape == (3, 64, 77, 3)
    large = functional.interpolate(
        torch.tensor(targets).permute(0, 3, 1, 2), (64, 77), mode="bilinear", align_corners=False
    )
    expected = large.permute(0, 2, 3, 1).expand(-1, -1, -1, 3).numpy()
    np.testing.assert_allclose(prepared, expected, atol=1e-5)
    decoded = distort(targets, 0.5)
    found = perceptual.perceptual_values(targets, decoded, weights)["lpips"]
    np.testing.assert_allclose(
        found,
        torch_lpips(weights, prepared, np.asarray(prepare(decoded))),
        rtol=1e-3,
    )


def test_size_is_the_shorter_side():
    image = np.zeros((1, 80, 100, 3), np.float32)
    assert perceptual.prepare(image).shape == (1, 80, 100, 3)
    assert perceptual.prepare(image, size=256).shape == (1, 256, 320, 3)
    with pytest.raises(InputError, match="images have 2 channels"):
        perceptual.prepare(image[..., :2])


def pairwise_loop(targets: np.ndarray, decoded: np.ndarray) -> list[float]:
    n = len(targets)
    r = np.corrcoef(decoded.reshape(n, -1), targets.reshape(n, -1))[:n, n:]
    return [np.mean([r[i, i] > r[i, j] for j in range(n) if j != i]) for i in range(n)]


def test_identification_on_activations_is_pytorchs(weights, crops):
    decoded = distort(0.2 * crops + 0.4, 0.4)
    values = perceptual.perceptual_values(crops, decoded, weights, block=3)
    seen, made = (torch_activations(weights.alexnet, x) for x in (crops, decoded))
    for name, layer in (("alexnet2", "relu2"), ("alexnet5", "relu5")):
        expected = pairwise_loop(seen[layer].numpy(), made[layer].numpy())
        np.testing.assert_allclose(values[name], expected)


def test_one_image_leaves_nothing_to_identify(weights, crops):
    values = perceptual.perceptual_values(crops[[0, 0]], crops[:2], weights)
    assert set(values) == {"lpips"} and values["lpips"][0] == pytest.approx(0, abs=1e-7)


def test_photographs_are_identified_until_they_drown_in_noise(weights, recordings):
    from PIL import Image

    with zipfile.ZipFile(recordings / "photos_caltech101_128px.zip") as archive:
        names = sorted(archive.namelist())[::650][:10]
        photos = [Image.open(archive.open(name)).convert("RGB") for name in names]
    targets = np.stack([np.asarray(photo.resize((64, 64))) for photo in photos]) / np.float32(255)
    clear = perceptual.perceptual_values(targets, distort(targets, 0.1), weights)
    drowned = perceptual.perceptual_values(targets, distort(targets * 0.05, 0.9), weights)
    for name in ("alexnet2", "alexnet5"):
        assert clear[name].mean() > 0.95 > drowned[name].mean()
    assert clear["lpips"].mean() < drowned["lpips"].mean()


def test_the_one_entry_scores_perception_where_weights_are_given(weights, crops):
    decoded = distort(crops, 0.2)
    found = evaluation.score(crops, decoded, weights=weights)
    parts = perceptual.perceptual_values(crops, decoded, weights)
    for name in ("alexnet2", "alexnet5", "lpips"):
        assert found[name] == pytest.approx(parts[name].mean())
    off = evaluation.EvaluationConfig(perceptual=False)
    assert not set(parts) & set(evaluation.score(crops, decoded, weights=weights, config=off))


@pytest.mark.parametrize("program", ["perceptual._activations", "network_identification._features"])
def test_networks_run_in_float32_also_where_jax_has_float64(monkeypatch, program):
    """In float64 their convolutions are slow on CPU; images that users bring often have it."""

    class Reached(Exception):
        pass

    def reached(params, images, *given, **options):
        assert images.dtype == np.float32
        raise Reached

    monkeypatch.setattr(f"fmri_jax.evaluation.{program}", reached)
    images = np.random.default_rng(0).random((3, 8, 8, 3))
    assert images.dtype == np.float64
    with pytest.raises(Reached):
        if program.startswith("perceptual"):
            perceptual.perceptual_values(images, images, PerceptualWeights({}, ()))
        else:
            network_identification.identification("efficientnet_lite0", {}, images, images)
