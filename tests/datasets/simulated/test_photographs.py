"""The embedded photographs: what is drawn from them, and that training never sees the test's."""

import subprocess
import sys

import numpy as np
import pytest
from skimage import color

from fmri_jax.datasets.simulated import photographs
from fmri_jax.errors import InputError

SIZE = 32


@pytest.fixture(scope="module")
def training() -> tuple[np.ndarray, list[str]]:
    return photographs.training_crops(120, SIZE, np.random.default_rng(0))


@pytest.fixture(scope="module")
def held_out() -> tuple[np.ndarray, list[str]]:
    return photographs.test_crops(50, SIZE, np.random.default_rng(1))


def test_training_crops_come_from_every_training_photograph(training):
    images, names = training
    assert images.shape == (120, SIZE, SIZE, 3) and images.dtype == np.uint8
    assert len(set(names)) == 120
    sources = {name.rsplit(" ", 1)[0] for name in names}
    assert sources == {photograph.name for photograph in photographs.TRAINING_PHOTOGRAPHS}


def test_test_crops_come_from_other_photographs(training, held_out):
    images, names = held_out
    assert images.shape == (50, SIZE, SIZE, 3) and len(set(names)) == 50
    sources = {name.rsplit(" ", 1)[0] for name in names}
    assert sources == {"coffee", "chelsea", "china", "grace_hopper"}
    assert not sources & {name.rsplit(" ", 1)[0] for name in training[1]}


def test_no_test_crop_resembles_another_or_a_training_crop(training, held_out):
    def thumbnails(images: np.ndarray) -> np.ndarray:
        small = images.reshape(len(images), 8, SIZE // 8, 8, SIZE // 8, 3).mean((2, 4))
        flat = small.reshape(len(images), -1)
        flat -= flat.mean(1, keepdims=True)
        return flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-9)

    test = thumbnails(held_out[0])
    among = test @ test.T - 2 * np.eye(len(test))
    assert among.max() < 0.9  # mirrored crops included; 0.75 before resizing to 8 px differently
    assert (test @ thumbnails(training[0]).T).max() < 0.95


def test_test_crops_are_never_empty(held_out):
    grey = held_out[0].mean(-1) / 255
    assert grey.std((1, 2)).min() > photographs.LOWEST_CONTRAST - 1e-6


def test_crops_repeat_with_the_seed(training):
    again, names = photographs.training_crops(120, SIZE, np.random.default_rng(0))
    other, _ = photographs.training_crops(120, SIZE, np.random.default_rng(5))
    np.testing.assert_array_equal(again, training[0])
    assert names == training[1]
    assert (other != again).any((1, 2, 3)).all()


def test_turning_the_hue_by_a_third_exchanges_the_channels():
    image = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    np.testing.assert_array_equal(photographs.turn_hue(image, 0.0), image)
    turned = photographs.turn_hue(image, 2 * np.pi / 3)
    np.testing.assert_array_equal(turned[..., 1], image[..., 0])  # red became green
    np.testing.assert_array_equal(turned[..., 2], image[..., 1])
    np.testing.assert_array_equal(turned[..., 0], image[..., 2])


def test_paler_colours_keep_their_sum_and_lose_saturation():
    image = np.random.default_rng(0).integers(60, 190, (8, 8, 3), dtype=np.uint8)
    turned = photographs.turn_hue(image, 1.0, saturation=0.5)
    assert abs(turned.sum(-1).astype(int) - image.sum(-1).astype(int)).max() <= 2  # rounding
    assert color.rgb2hsv(turned)[..., 1].mean() < color.rgb2hsv(image)[..., 1].mean()
    grey = photographs.turn_hue(image, 1.0, saturation=0.0)
    assert np.ptp(grey, axis=-1).max() == 0


def test_too_many_test_crops_are_refused():
    with pytest.raises(InputError, match="n_test is 2000: .*well separated.* ask for fewer"):
        photographs.test_crops(2000, 8, np.random.default_rng(0))


def test_a_photograph_that_is_not_installed_is_named():
    missing = photographs.Photograph("skimage", "data/no_such_photograph.png")
    with pytest.raises(InputError, match="no_such_photograph.png was not found .* skimage"):
        missing.read(32)


def test_reading_photographs_does_not_import_the_packages_that_carry_them():
    code = (
        "import sys, numpy as np\n"
        "from fmri_jax.datasets.simulated import photographs as p\n"
        "[photograph.read(8) for photograph in p.TRAINING_PHOTOGRAPHS + p.TEST_PHOTOGRAPHS]\n"
        "heavy = {'skimage', 'sklearn', 'matplotlib'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
