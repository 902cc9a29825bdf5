"""Artificial shapes and letters."""

import numpy as np

from fmri_jax.datasets.simulated import artificial_images

SIZE = 64
CENTRE = SIZE // 2


def named(draw):
    images, names = draw(SIZE)
    assert images.shape == (len(names), SIZE, SIZE, 3) and images.dtype == np.uint8
    return dict(zip(names, images, strict=True))


def test_forty_shapes_and_ten_letters_all_different():
    for draw, count in ((artificial_images.shapes, 40), (artificial_images.letters, 10)):
        images = named(draw)
        assert len(images) == count
        assert len({image.tobytes() for image in images.values()}) == count


def test_everything_lies_on_an_untouched_grey_border():
    for draw in (artificial_images.shapes, artificial_images.letters):
        for image in named(draw).values():
            border = np.concatenate([image[:4], image[-4:], image[:, :4].swapaxes(0, 1)])
            assert (border == 128).all()
            assert (image[:, -4:] == 128).all()
            assert (image != 128).any()


def test_shapes_have_their_colour_and_form():
    images = named(artificial_images.shapes)
    for colour, rgb in artificial_images.COLOURS.items():
        for filled in ("square", "plus", "cross", "disc", "triangle"):
            assert tuple(images[f"{colour} {filled}"][CENTRE, CENTRE]) == rgb
        for hollow in ("small frame", "large frame", "ring"):
            assert tuple(images[f"{colour} {hollow}"][CENTRE, CENTRE]) == artificial_images.GREY

    def area(name: str) -> float:
        return (images[f"red {name}"] != 128).any(-1).mean()

    assert area("large frame") > area("small frame")
    assert abs(area("disc") - np.pi * 0.3**2) < 0.02
    plus, cross = images["red plus"], images["red cross"]
    assert tuple(plus[CENTRE, 12]) == artificial_images.COLOURS["red"]
    assert tuple(cross[CENTRE, 12]) == artificial_images.GREY
    for symmetric in ("square", "plus", "cross", "disc", "ring", "large frame"):
        image = images[f"blue {symmetric}"].astype(int)
        assert abs(image - image[::-1]).max() < 40  # up to the smoothing of edges
        assert abs(image - image.swapaxes(0, 1)).max() < 40


def test_letters_are_dark_and_large():
    for image in named(artificial_images.letters).values():
        ink = image[..., 0] < 64
        rows = np.flatnonzero(ink.any(1))
        assert np.ptp(rows) > 0.45 * SIZE
        assert abs(rows.mean() - CENTRE) < 5
