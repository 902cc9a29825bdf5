"""The form for GPUs is the plain layer, in blocks and in pairs of pixels."""

import jax
import pytest

from fmri_jax.networks.conv import dispatch, gpu
from tests.networks.conv.layer_checks import close, output_and_gradients, random

FEW = (1, 2, 4, 5)  # channels on the side of the image; up to four go into blocks


@pytest.mark.parametrize("channels", FEW)
def test_few_channels_in_blocks_equal_the_plain_layers(channels):
    x, kernel = random(0, 2, 13, 11, channels), random(1, 7, 7, channels, 6)
    small, taps = random(2, 2, 5, 4, 6), random(3, 4, 4, 6, channels)

    def strided(form):
        return lambda x, k: dispatch.conv(x, k, 4, 2, form)

    def doubled(form):
        return lambda x, k: dispatch.conv_transpose(x, k, 2, 1, form)

    for function, *arguments in ((strided, x, kernel), (doubled, small, taps)):
        ours, theirs = (output_and_gradients(function(f), *arguments) for f in ("gpu", "reference"))
        for found, expected in zip(ours, theirs, strict=True):
            close(found, expected)
    one_by_one = "window_strides=(1, 1)", "lhs_dilation=(1, 1)"
    for function, *arguments in ((strided, x, kernel), (doubled, small, taps)):
        jaxpr = str(jax.make_jaxpr(function("gpu"))(*arguments))
        assert all(mark in jaxpr for mark in one_by_one) == (channels <= gpu.FEW)


@pytest.mark.parametrize(
    ("width", "channels", "size", "padding"),
    [
        (12, 32, 5, 0),
        (13, 32, 5, 0),
        (7, 63, 3, 1),
        (8, 1, 3, 1),
        (5, 5, 2, 0),
        (6, 2, 4, 3),
        (3, 3, 1, 0),
    ],
)
def test_pairs_of_pixels_equal_the_plain_convolution(width, channels, size, padding):
    x, kernel = random(0, 2, 6, width, channels), random(1, size, size, channels, 5)

    def function(form):
        return lambda x, k: dispatch.conv(x, k, 1, padding, form)

    ours, theirs = (output_and_gradients(function(f), x, kernel) for f in ("gpu", "reference"))
    for found, expected in zip(ours, theirs, strict=True):
        close(found, expected)
    assert f"{2 * channels},10]" in str(jax.make_jaxpr(function("gpu"))(x, kernel))


def test_pairs_end_where_channels_fill_the_matrix_units():
    x, kernel = random(0, 1, 6, 6, gpu.ENOUGH), random(1, 3, 3, gpu.ENOUGH, 2)

    def program(form):
        return str(jax.make_jaxpr(lambda x, k: dispatch.conv(x, k, 1, 1, form))(x, kernel))

    assert program("gpu") == program("reference")


@pytest.mark.parametrize("layer", ["conv", "conv_transpose"])
def test_a_gpu_takes_its_form_by_itself(layer, monkeypatch):
    x, kernel = random(0, 1, 9, 9, 3), random(1, 4, 4, 3, 2)
    run = getattr(dispatch, layer)
    expected = str(jax.make_jaxpr(lambda x, k: run(x, k, 2, 1, "gpu"))(x, kernel))
    assert expected != str(jax.make_jaxpr(lambda x, k: run(x, k, 2, 1, "reference"))(x, kernel))
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert expected == str(jax.make_jaxpr(lambda x, k: run(x, k, 2, 1))(x, kernel))
