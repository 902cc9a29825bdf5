"""Visual areas: how many voxels, where they look, how large a part of the image each one sees.

The numbers in `TABLE` are round ones in the range of what the studies below report; they make no
claim beyond the orderings: receptive fields grow with eccentricity and from V1 to V4, magnification
favours the fovea, summation is more compressive in later areas, faces are looked at with the fovea
and places with the periphery.

References:
    Horton & Hoyt (1991). The representation of the visual field in human striate cortex.
        Archives of Ophthalmology 109:816-824. (Magnification 17.3 mm / (eccentricity + 0.75 deg).)
    Duncan & Boynton (2003). Cortical magnification within human primary visual cortex correlates
        with acuity thresholds. Neuron 38:659-671.
    Levy, Hasson, Avidan, Hendler & Malach (2001). Center-periphery organization of human object
        areas. Nature Neuroscience 4:533-539.
    Dumoulin & Wandell (2008). Population receptive field estimates in human visual cortex.
        NeuroImage 39:647-660.
    Amano, Wandell & Dumoulin (2009). Visual field maps, population receptive field sizes, and
        visual field coverage in the human MT+ complex. Journal of Neurophysiology 102:2704-2718.
    Kay, Winawer, Mezer & Wandell (2013). Compressive spatial summation in human visual cortex.
        Journal of Neurophysiology 110:481-494.
"""

import dataclasses

import numpy as np

FIELD = 12.0  # deg, side of the square that an image fills, fixated at its centre


@dataclasses.dataclass(frozen=True)
class Area:
    """One visual area.

    Attributes:
        share: of the voxels of all areas.
        size: deg, standard deviation of a population receptive field at the fovea.
        growth: deg of that size per deg of eccentricity.
        half: deg, eccentricity at which linear magnification has halved; larger is less foveal.
        exponent: of the compressive summation of Gabor energy (early areas).
        period: preferred period of gratings, relative to V1 (early areas).
        luminance, colour: weight of signed contrasts beside a weight 1 of Gabor energy (early).
        relu4: share of voxels that mix AlexNet's fourth layer; the others mix the fifth (higher).
    """

    share: float
    size: float
    growth: float
    half: float = 0.75
    exponent: float = 1.0
    period: float = 1.0
    luminance: float = 0.0
    colour: float = 0.0
    relu4: float | None = None

    @property
    def higher(self) -> bool:
        """Whether voxels mix deep features rather than filter the image."""
        return self.relu4 is not None


TABLE = {
    "V1": Area(0.23, 0.35, 0.10, exponent=0.7, period=1.0, luminance=0.8, colour=0.6),
    "V2": Area(0.23, 0.45, 0.15, exponent=0.6, period=1.2, luminance=0.7, colour=0.6),
    "V3": Area(0.17, 0.60, 0.22, exponent=0.5, period=1.5, luminance=0.6, colour=0.4),
    "V4": Area(0.15, 0.90, 0.35, exponent=0.4, period=2.0, luminance=0.4, colour=0.8),
    "LOC": Area(0.09, 2.0, 0.50, relu4=0.6),
    "FFA": Area(0.06, 2.5, 0.50, half=0.4, relu4=0.3),
    "PPA": Area(0.07, 3.0, 0.50, half=4.0, relu4=0.3),
}
NAMES = tuple(TABLE)
EARLY = tuple(name for name, area in TABLE.items() if not area.higher)
# LVC and HVC as Horikawa & Kamitani (2017, Nature Communications 8:15037) define them.
UNIONS = {
    "V1V2": ("V1", "V2"),
    "LVC": ("V1", "V2", "V3"),
    "HVC": ("LOC", "FFA", "PPA"),
    "VC": NAMES,
}


@dataclasses.dataclass(frozen=True)
class ReceptiveFields:
    """Gaussian population receptive fields; all arrays are (voxels,), in degrees of visual angle.

    Attributes:
        x: centre, rightward from fixation.
        y: centre, upward from fixation.
        size: standard deviation.
    """

    x: np.ndarray
    y: np.ndarray
    size: np.ndarray

    @property
    def eccentricity(self) -> np.ndarray:
        """Distance of the centre from fixation, in degrees."""
        return np.hypot(self.x, self.y)

    def __getitem__(self, voxels: np.ndarray) -> "ReceptiveFields":
        return ReceptiveFields(self.x[voxels], self.y[voxels], self.size[voxels])

    def weights(self, cells: int) -> np.ndarray:
        """Each receptive field on a grid over the image.

        Args:
            cells: the grid has (cells, cells) cells, first row on top.

        Returns:
            (voxels, cells * cells) float32. A receptive field that lies inside the image sums to
            about 1; what reaches beyond the image sees a grey screen, which drives nothing.
        """
        centres = (np.arange(cells) + 0.5) * FIELD / cells - FIELD / 2
        across = _bell(centres - self.x[:, None], self.size[:, None])
        down = _bell(-centres - self.y[:, None], self.size[:, None])
        grid = down[:, :, None] * across[:, None, :] * (FIELD / cells) ** 2
        return grid.reshape(len(self.x), cells * cells).astype(np.float32)


def deal_voxels(n_voxels: int, names: tuple[str, ...]) -> np.ndarray:
    """The area of each voxel, (n_voxels,) str, in the areas' natural proportions."""
    shares = np.cumsum([TABLE[name].share for name in names])
    # One voxel an area is set aside, so that no area is empty in a small subject.
    ends = np.rint(shares / shares[-1] * (n_voxels - len(names))).astype(int)
    counts = np.diff(ends, prepend=0) + 1
    return np.repeat(names, counts)


def draw_receptive_fields(area_of: np.ndarray, rng: np.random.Generator) -> ReceptiveFields:
    """Draws receptive fields that tile the image as the areas' voxels do.

    Voxels are spread evenly over cortex, so that their density in the visual field is the squared
    linear magnification, 1 / (eccentricity + half)^2.

    Args:
        area_of: (voxels,) str, the area of each voxel.
        rng: where chance comes from.

    Returns:
        One receptive field a voxel, its centre on the image.
    """
    x, y, size = (np.empty(len(area_of)) for _ in range(3))
    for name in dict.fromkeys(area_of.tolist()):
        area, voxels = TABLE[name], np.flatnonzero(area_of == name)
        x[voxels], y[voxels] = _draw_centres(len(voxels), area.half, rng)
        spread = rng.lognormal(0.0, 0.15, len(voxels))
        size[voxels] = (area.size + area.growth * np.hypot(x[voxels], y[voxels])) * spread
    return ReceptiveFields(x, y, size)


def _draw_centres(n: int, half: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """`n` points on the image, with density 1 / (eccentricity + half)^2."""
    eccentricities = np.linspace(0, FIELD / np.sqrt(2), 2048)
    mass = np.cumsum(eccentricities / (eccentricities + half) ** 2)
    # The corners of the image reach farther than its sides: points beyond the sides are dropped.
    draws = 4 * n + 32
    eccentricity = np.interp(rng.random(draws) * mass[-1], mass, eccentricities)
    angle = rng.uniform(0, 2 * np.pi, draws)
    x, y = eccentricity * np.cos(angle), eccentricity * np.sin(angle)
    inside = np.flatnonzero(np.maximum(abs(x), abs(y)) < FIELD / 2)[:n]
    return x[inside], y[inside]


def _bell(distance: np.ndarray, deviation: np.ndarray) -> np.ndarray:
    return np.exp(-0.5 * (distance / deviation) ** 2) / (deviation * np.sqrt(2 * np.pi))
