"""The embedded stimuli: crops of real photographs that installed packages carry inside themselves.

scikit-image, scikit-learn and matplotlib ship a few photographs with their code, so a machine with
nothing but these packages has natural images to show. Crops for training and crops for testing come
from different photographs:

* training: astronaut, motorcycle (left eye's view), rocket, immunohistochemistry (ihc), retina,
  Hubble deep field, cameraman, coins, moon, brick, grass and gravel of scikit-image, and the dahlia
  (flower) of scikit-learn;
* test: coffee and chelsea the cat of scikit-image, the summer palace (china) of scikit-learn and
  Grace Hopper of matplotlib.

A dozen photographs hold few colours, so every third training crop has its hue turned by a random
angle, and is a little paler; test crops are shown as they are. Test crops are chosen to be well
separated: two crops of one photograph overlap little and do not look alike.
"""

import dataclasses
import importlib.util
import pathlib

import numpy as np
from PIL import Image

from fmri_jax.errors import InputError

SKIMAGE, SKLEARN, MATPLOTLIB = "skimage", "sklearn", "matplotlib"


@dataclasses.dataclass(frozen=True)
class Photograph:
    """A photograph inside an installed package, and its share of the crops."""

    package: str
    file: str  # path below the package's folder
    share: float = 1.0  # how often crops are taken from it, beside the others

    @property
    def name(self) -> str:
        """The photograph's name, as it appears in stimulus names."""
        return pathlib.PurePosixPath(self.file).stem

    def read(self, size: int) -> Image.Image:
        """The photograph in RGB, no larger than crops of `size` pixels can use.

        Raises:
            InputError: the installed package does not carry the file.
        """
        # find_spec locates a package without importing it, which takes seconds for these three.
        spec = importlib.util.find_spec(self.package)
        folders = [] if spec is None else list(spec.submodule_search_locations or [])
        for folder in folders:
            path = pathlib.Path(folder) / self.file
            if path.is_file():
                return _shrunk(Image.open(path).convert("RGB"), size)
        raise InputError(
            f"The photograph {self.file} was not found in the installed package {self.package}: "
            "set images= to a folder or zip of photographs instead of 'embedded'."
        )


TRAINING_PHOTOGRAPHS = (
    Photograph(SKIMAGE, "data/astronaut.png", 3.0),
    Photograph(SKIMAGE, "data/motorcycle_left.png", 3.0),
    Photograph(SKIMAGE, "data/rocket.jpg", 1.5),
    Photograph(SKLEARN, "datasets/images/flower.jpg", 2.5),
    Photograph(SKIMAGE, "data/ihc.png", 1.0),
    Photograph(SKIMAGE, "data/retina.jpg", 1.0),
    Photograph(SKIMAGE, "data/hubble_deep_field.jpg", 0.5),
    Photograph(SKIMAGE, "data/camera.png", 1.5),
    Photograph(SKIMAGE, "data/coins.png", 1.0),
    Photograph(SKIMAGE, "data/moon.png", 0.5),
    Photograph(SKIMAGE, "data/brick.png", 0.5),
    Photograph(SKIMAGE, "data/grass.png", 0.3),
    Photograph(SKIMAGE, "data/gravel.png", 0.3),
)
TEST_PHOTOGRAPHS = (
    Photograph(SKIMAGE, "data/coffee.png"),
    Photograph(SKIMAGE, "data/chelsea.png"),
    Photograph(SKLEARN, "datasets/images/china.jpg"),
    Photograph(MATPLOTLIB, "mpl-data/sample_data/grace_hopper.jpg"),
)
SMALLEST_SIDE = 0.28  # of the photograph's shorter side
LOWEST_CONTRAST = 0.12  # standard deviation of the grey values, in [0, 1]: refuses empty sky
MOST_OVERLAP = 0.25  # of two test crops: intersection over union
MOST_ALIKE = 0.75  # of two test crops: correlation of their thumbnails
PALER = 0.7  # saturation of a training crop of turned hue
TRIES = 4000  # candidates for the well separated crops of one photograph, before giving up


def training_crops(n: int, size: int, rng: np.random.Generator) -> tuple[np.ndarray, list[str]]:
    """Draws `n` training crops (position, scale, mirroring; hue of every third one).

    Args:
        n: number of crops.
        size: side of each crop, in pixels.
        rng: where chance comes from.

    Returns:
        Images (n, size, size, 3) uint8 and a name for each, such as 'astronaut 017'.
    """
    images = []
    for photograph, count in zip(TRAINING_PHOTOGRAPHS, _deal(n, TRAINING_PHOTOGRAPHS), strict=True):
        source = photograph.read(size)
        for i in range(count):
            crop = _take(source, _random_box(source, rng), size, mirror=rng.random() < 0.5)
            if i % 3 == 2:
                crop = turn_hue(crop, rng.uniform(0, 2 * np.pi), PALER)
            images.append((f"{photograph.name} {i:03d}", crop))
    return np.stack([crop for _, crop in images]), [name for name, _ in images]


def test_crops(n: int, size: int, rng: np.random.Generator) -> tuple[np.ndarray, list[str]]:
    """Draws `n` well separated crops from the photographs that training never shows.

    Args:
        n: number of crops.
        size: side of each crop, in pixels.
        rng: where chance comes from.

    Returns:
        Images (n, size, size, 3) uint8 and a name for each, such as 'coffee 003'.

    Raises:
        InputError: so many crops cannot be kept apart in these photographs.
    """
    images = []
    for photograph, count in zip(TEST_PHOTOGRAPHS, _deal(n, TEST_PHOTOGRAPHS), strict=True):
        crops = _separated(photograph.read(size), count, size, rng)
        if len(crops) < count:
            raise InputError(
                f"n_test is {n}: the embedded photographs hold fewer well separated crops "
                f"({photograph.name} gave {len(crops)} of {count}); ask for fewer, or set images= "
                "to a folder or zip of photographs."
            )
        images += [(f"{photograph.name} {i:03d}", crop) for i, crop in enumerate(crops)]
    return np.stack([crop for _, crop in images]), [name for name, _ in images]


def parents(names: list[str]) -> list[str]:
    """The photograph that each crop is of, from the names of crops: 'coffee 003' is of 'coffee'."""
    return [name.rsplit(" ", 1)[0] for name in names]


def turn_hue(image: np.ndarray, angle: float, saturation: float = 1.0) -> np.ndarray:
    """Turns the colours of an image about the grey axis, keeping the sum of red, green and blue.

    Args:
        image: (h, w, 3) uint8.
        angle: in radians; 2 pi / 3 turns red into green.
        saturation: factor on the distance from the grey axis.

    Returns:
        The image in its new colours, (h, w, 3) uint8.
    """
    cos, sin = saturation * np.cos(angle), saturation * np.sin(angle) / np.sqrt(3)
    red, green, blue = (1 + 2 * cos) / 3, (1 - cos) / 3 + sin, (1 - cos) / 3 - sin
    rotation = np.array([[red, green, blue], [blue, red, green], [green, blue, red]])
    turned = image.reshape(-1, 3).astype(np.float32) @ rotation.astype(np.float32)
    return np.clip(np.rint(turned), 0, 255).astype(np.uint8).reshape(image.shape)


def _shrunk(source: Image.Image, size: int) -> Image.Image:
    """The photograph at the scale where its smallest crops are `size` pixels wide, or smaller."""
    scale = size / SMALLEST_SIDE / min(source.size)
    if scale >= 1:
        return source
    width, height = (round(length * scale) for length in source.size)
    return source.resize((width, height), Image.Resampling.BICUBIC)


def _deal(n: int, photographs: tuple[Photograph, ...]) -> list[int]:
    """Deals `n` crops among photographs by their shares (largest remainder)."""
    shares = np.array([photograph.share for photograph in photographs])
    exact = n * shares / shares.sum()
    counts = np.floor(exact).astype(int)
    most_left = np.argsort(counts - exact, kind="stable")[: n - counts.sum()]
    counts[most_left] += 1
    return counts.tolist()


Box = tuple[float, float, float, float]  # left, upper, right, lower, in pixels


def _random_box(source: Image.Image, rng: np.random.Generator) -> Box:
    """A random square inside the photograph, its scale uniform on a logarithmic axis."""
    shorter = min(source.size)
    side = shorter * np.exp(rng.uniform(np.log(SMALLEST_SIDE), 0.0))
    left, upper = (rng.uniform(0, length - side) for length in source.size)
    return left, upper, left + side, upper + side


def _take(source: Image.Image, box: Box, size: int, mirror: bool) -> np.ndarray:
    """The content of `box`, resized to (size, size, 3), left and right exchanged if `mirror`."""
    crop = np.asarray(source.resize((size, size), Image.Resampling.BICUBIC, box=box))
    return crop[:, ::-1] if mirror else crop


def _contrast(crop: np.ndarray) -> float:
    return float(crop.mean(axis=-1).std() / 255)


def _separated(
    source: Image.Image, count: int, size: int, rng: np.random.Generator
) -> list[np.ndarray]:
    """Up to `count` crops that overlap little and do not look alike, mirrored or not."""
    crops: list[np.ndarray] = []
    boxes: list[Box] = []
    thumbnails: list[np.ndarray] = []
    for _ in range(TRIES):
        if len(crops) == count:
            break
        box = _random_box(source, rng)
        if any(_overlap(box, other) > MOST_OVERLAP for other in boxes):
            continue
        thumbnail = _take(source, box, 8, mirror=False).astype(np.float64).ravel()
        if any(np.corrcoef(thumbnail, other)[0, 1] > MOST_ALIKE for other in thumbnails):
            continue
        crop = _take(source, box, size, mirror=rng.random() < 0.5)
        if _contrast(crop) >= LOWEST_CONTRAST:
            crops.append(crop)
            boxes.append(box)
            thumbnails.append(thumbnail)
    return crops


def _overlap(one: Box, other: Box) -> float:
    """Intersection over union of two boxes."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    common = max(width, 0.0) * max(height, 0.0)
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    return common / (areas - common)
