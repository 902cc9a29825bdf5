"""Images of strangers: what their libraries do with them happens in another process."""

import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fmri_jax import apart
from fmri_jax.data import image_files
from fmri_jax.data import images as images_of
from fmri_jax.data.images import list_images, read_images, read_named, sizes_of
from fmri_jax.errors import InputError
from tests.data.builders import PHOTO, encoded, photo, zipped


def png(width: int, height: int, data: bytes = b"") -> bytes:
    """A grey PNG that claims a size, whatever its data fill."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + check

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    packed = zlib.compress(data)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        chunk(*each) for each in [(b"IHDR", header), (b"IDAT", packed), (b"IEND", b"")]
    )


def animated() -> bytes:
    import io

    buffer = io.BytesIO()
    others = [Image.fromarray(255 - PHOTO)]
    photo().save(buffer, "GIF", save_all=True, append_images=others)
    return buffer.getvalue()


def lying(path: Path) -> None:
    """A zip whose directory says that its image has 10 bytes."""
    content = Path(zipped(path, {"a.png": encoded(photo())})).read_bytes()
    place = content.rindex(b"PK\x01\x02") + 24
    path.write_bytes(content[:place] + struct.pack("<I", 10) + content[place + 4 :])


def of_another_kind(path: Path) -> None:
    """A zip of a compression that nobody knows."""
    content = bytearray(Path(zipped(path, {"a.png": encoded(photo())})).read_bytes())
    for start, offset in ((0, 8), (content.rindex(b"PK\x01\x02"), 10)):
        content[start + offset : start + offset + 2] = struct.pack("<H", 77)
    path.write_bytes(bytes(content))


JPEG = encoded(photo(), "JPEG")
REJECTED: dict[str, tuple[bytes, str]] = {
    "claims 100,000 x 100,000 pixels": (png(100_000, 100_000, bytes(10)), "is too large"),
    "claims 9,000 x 9,000, and holds 10": (png(9_000, 9_000, bytes(10)), "cannot be decoded"),
    "is half a JPEG": (JPEG[: len(JPEG) // 2], "cannot be decoded .*truncated"),
    "is no image": (b"<svg onload=alert(1)>", "cannot be decoded .it is no image"),
    "is empty": (b"", "cannot be decoded .it is no image"),
    "has 16 bits": (
        encoded(Image.fromarray(np.arange(12, dtype=np.uint16).reshape(3, 4) * 5000)),
        "has mode I;16 .16-bit or floating point",
    ),
}


@pytest.mark.parametrize("what", REJECTED)
def test_what_cannot_be_used_is_one_message_that_names_the_file(tmp_path: Path, what: str) -> None:
    content, message = REJECTED[what]
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(InputError, match=f"a.png {message}") as raised:
        read_images(str(tmp_path), 8)
    assert str(raised.value).isprintable()


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (lying, "a.png cannot be (unpacked|decoded)"),
        (of_another_kind, "a.png cannot be unpacked .*compression"),
        (lambda path: path.write_bytes(b"PK\x05\x06" + b"\xff" * 18), "is not a zip"),
    ],
)
def test_zips_that_lie_are_one_message(
    tmp_path: Path, made: Callable[[Path], object], message: str
) -> None:
    made(tmp_path / "a.zip")
    with pytest.raises(InputError, match=message):
        read_images(str(tmp_path / "a.zip"), 8)


def test_a_zip_with_paths_outside_or_names_twice_is_rejected(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"../a.png": b""})
    with pytest.raises(InputError, match="a path outside of the zip"):
        list_images(path)
    with zipfile.ZipFile(path, "w") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("a.png", b"")
        archive.writestr("a.png", b"")
    with pytest.raises(InputError, match="holds 'a.png' twice"):
        list_images(path)


def test_of_an_animation_the_first_picture_is_taken(tmp_path: Path) -> None:
    (tmp_path / "a.gif").write_bytes(animated())
    (image,) = read_named(str(tmp_path), ["a.gif"], 60)
    palette = np.asarray(photo().quantize().convert("RGB").resize((60, 60))).astype(int)
    assert abs(image - palette).mean() < 12 < abs(255 - image - palette).mean()


def test_images_are_decoded_in_another_process_and_equal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        (tmp_path / f"{number}.png").write_bytes(encoded(Image.fromarray(PHOTO // (number + 1))))
    names = list_images(str(tmp_path))
    expected = read_named(str(tmp_path), names, 8)
    (tmp_path / "none.png").write_bytes(b"")
    monkeypatch.setenv("FMRI_JAX_READ_APART", "1")
    monkeypatch.setattr(Image, "open", lambda *_: pytest.fail("it was opened in this process"))
    monkeypatch.setattr(images_of, "_MOST_APART", 3 * 8 * 8 * 3)  # bytes: three images
    called: list[list[str]] = []
    call = apart.call
    monkeypatch.setattr(
        apart, "call", lambda *a, **more: called.append(more["names"]) or call(*a, **more)
    )
    np.testing.assert_array_equal(read_named(str(tmp_path), names, 8), expected)
    assert called == [names[:3], names[3:]]
    assert sizes_of(str(tmp_path), ["0.png", "none.png"]) == [(60, 80), None]


def test_the_limits_grow_with_the_files(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(bytes(1000))
    (tmp_path / "b.png").write_bytes(bytes(500))
    assert image_files.bytes_of(str(tmp_path), ["a.png", "b.png", "gone.png"]) == 1500
    path = zipped(tmp_path / "a.zip", {"a.png": bytes(100)})
    assert image_files.bytes_of(path, ["a.png"]) == Path(path).stat().st_size
