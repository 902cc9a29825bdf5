"""Images, folders and zips of them that cannot be trusted."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from fmri_jax.data.images import read_images
from tests.data.builders import PHOTO, encoded, photo, zipped
from tests.data.readers.bad_input.case import Case


def picture(what: str, name: str, content: Callable[[], bytes], message: str) -> Case:
    """The same image in a folder and in a zip."""

    def open_it(folder: Path) -> object:
        path = zipped(folder / "a.zip", {name: content()})
        (folder / "loose").mkdir()
        (folder / "loose" / name).write_bytes(content())
        try:
            read_images(path, 16)
        except ValueError:
            return read_images(str(folder / "loose"), 16)
        return None

    return Case(f"image: {what}", open_it, message)


def escaping(name: str) -> Case:
    def open_it(folder: Path) -> object:
        path = zipped(folder / "a.zip", {"good.png": encoded(photo()), name: encoded(photo())})
        try:
            return read_images(path, 16)
        finally:
            assert [file.name for file in folder.iterdir()] == ["a.zip"]

    return Case(f"zip: holds {name}", open_it, "a path outside of the zip")


def place(what: str, make: Callable[[Path], object], message: str) -> Case:
    def open_it(folder: Path) -> object:
        make(folder / "a.zip")
        return read_images(str(folder / "a.zip"), 16)

    return Case(f"zip: {what}", open_it, message)


def transparent() -> bytes:
    image = photo().convert("RGBA")
    image.putpixel((3, 3), (0, 0, 0, 100))
    return encoded(image)


def half_a_jpeg() -> bytes:
    content = encoded(photo(), "JPEG")
    return content[: len(content) // 2]


def damaged(path: Path) -> None:
    zipped(path, {"a.png": encoded(photo())})
    content = bytearray(path.read_bytes())
    content[100:200] = bytes(100)
    path.write_bytes(content)


def bomb() -> bytes:
    return encoded(Image.new("1", (20000, 20000)))


GREY16 = Image.fromarray(PHOTO[..., 0].astype(np.uint16))
REAL = Image.fromarray(PHOTO[..., 0] / np.float32(9))

CASES = [
    picture("transparent", "a.png", transparent, "a.png is partly transparent: expected an opaque"),
    picture("16-bit", "a.png", lambda: encoded(GREY16), "16-bit or floating point"),
    picture("real numbers", "a.tif", lambda: encoded(REAL, "TIFF"), "has mode F"),
    picture(
        "half a JPEG", "a.jpg", half_a_jpeg, "a.jpg cannot be decoded .*; replace or remove it"
    ),
    picture("empty", "a.jpg", lambda: b"", "a.jpg cannot be decoded .it is no image"),
    picture("cut PNG", "a.png", lambda: encoded(photo())[:-30], "a.png cannot be decoded"),
    picture("text", "a.png", lambda: b"not an image", "it is no image"),
    picture("a bomb", "huge.png", bomb, "huge.png is too large"),
    *map(
        escaping,
        ["../evil.png", "a/../../evil.png", "/evil.png", "C:/evil.png", "..\\evil.png"],
    ),
    place("is missing", lambda p: None, "does not exist: expected a folder or a zip of images"),
    place("is text", lambda p: p.write_text("no zip"), "is not a zip"),
    place("is an empty folder", lambda p: p.mkdir(), "holds 0 images .*: expected at least one"),
    place("is damaged", damaged, "a.png cannot be unpacked"),
]
