from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fmri_jax.data.images import centre_crop, read_images, resize
from fmri_jax.errors import InputError
from tests.data.builders import PHOTO, encoded, photo, zipped


def test_shrinking_does_not_alias() -> None:
    checkers = (np.indices((64, 64)).sum(axis=0) % 2 * 255).astype(np.uint8)[None, ..., None]
    shrunk = resize(checkers, 8)
    assert shrunk.shape == (1, 8, 8, 1)
    assert abs(shrunk.astype(int) - 127).max() <= 1  # grey, where a subsample would be 0 or 255


def test_resizing_ignores_the_aspect_and_keeps_what_fits() -> None:
    stack = np.stack([PHOTO, 255 - PHOTO])
    assert resize(stack, 20).shape == (2, 20, 20, 3)
    grown = resize(stack, 100)
    assert abs(grown.mean(axis=(1, 2)) - stack.mean(axis=(1, 2))).max() < 1
    square = stack[:, :60, :60]
    assert resize(square, 60) is square
    with pytest.raises(InputError, match="image size is 0 px: expected at least 1"):
        resize(stack, 0)


def test_folder_and_zip_give_the_same_images_in_the_order_of_names(tmp_path: Path) -> None:
    files = {
        f"klasse {i % 3}/bild_ü{i}.png": encoded(Image.fromarray(np.roll(PHOTO, i, 0)))
        for i in range(7)
    }
    folder = tmp_path / "bilder"
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    (folder / "notes.txt").write_text("no image")
    junk = {"__MACOSX/klasse 0/._bild.png": b"", ".hidden.png": b"", "readme.md": b"no image"}
    path = zipped(tmp_path / "bilder.zip", dict(reversed(files.items())) | junk)
    images, names = read_images(str(folder), 60)
    assert list(names) == sorted(files) and images.shape == (7, 60, 60, 3)
    from_zip, zip_names = read_images(path, 60)
    assert zip_names == names
    np.testing.assert_array_equal(images, from_zip)
    np.testing.assert_array_equal(images[0], resize(PHOTO[None], 60)[0])


def test_a_limit_draws_by_seed(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {f"{i:02}.png": encoded(photo()) for i in range(30)})
    _, first = read_images(path, 4, limit=10, seed=1)
    _, again = read_images(path, 4, limit=10, seed=1)
    _, other = read_images(path, 4, limit=10, seed=2)
    assert first == again != other
    assert list(first) == sorted(set(first)) and len(first) == 10
    with pytest.raises(InputError, match=r"holds 30 images .*: expected 31"):
        read_images(path, 4, limit=31)


@pytest.mark.parametrize(
    ("picture", "expected"),
    [
        (lambda: photo().convert("L"), lambda: photo().convert("L").convert("RGB")),
        (lambda: photo().convert("1"), lambda: photo().convert("1").convert("RGB")),
        (lambda: photo().quantize(16), lambda: photo().quantize(16).convert("RGB")),
        (lambda: photo().convert("RGBA"), photo),  # opaque everywhere
    ],
)
def test_eight_bit_kinds_become_rgb(
    tmp_path: Path, picture: Callable[[], Image.Image], expected: Callable[[], Image.Image]
) -> None:
    (tmp_path / "a.png").write_bytes(encoded(picture()))
    (image,), _ = read_images(str(tmp_path), 60)
    np.testing.assert_array_equal(image, resize(np.asarray(expected())[None], 60)[0])


def test_cmyk_jpeg_keeps_its_colours(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(encoded(photo().convert("CMYK"), "JPEG"))
    (image,), _ = read_images(str(tmp_path), 60)
    assert abs(image.astype(int) - resize(PHOTO[None], 60)[0]).mean() < 6  # JPEG's loss


def test_real_photographs(recordings: Path) -> None:
    images, names = read_images(str(recordings / "photos_caltech101_128px.zip"), 64, limit=50)
    assert images.shape == (50, 64, 64, 3) and len(set(names)) == 50
    assert images.std(axis=(1, 2, 3)).min() > 5


def test_the_middle_is_cropped_and_small_images_are_rejected() -> None:
    images = np.arange(2 * 6 * 9 * 3).reshape(2, 6, 9, 3)
    np.testing.assert_array_equal(centre_crop(images, 4, 3), images[:, 1:5, 3:6])
    np.testing.assert_array_equal(centre_crop(images, 6, 9), images)
    with pytest.raises(InputError, match="6 x 9 px cannot be cropped to 7 x 3"):
        centre_crop(images, 7, 3)
