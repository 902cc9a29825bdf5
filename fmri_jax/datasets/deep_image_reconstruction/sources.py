"""Where the files of Deep Image Reconstruction are published, and how they become a recording."""

import dataclasses
import pathlib
from typing import Any

from fmri_jax import download
from fmri_jax.config import unknown_name
from fmri_jax.data.readers import bdata_recording
from fmri_jax.data.readers.bdata_recording import Source
from fmri_jax.data.recording import Recording
from fmri_jax.datasets import manual_download
from fmri_jax.errors import InputError

LAYOUT = 1  # version of the conversion: another one is prepared anew
AUTHORS = (
    "Deep Image Reconstruction (Shen et al. 2019), on request from its authors through "
    "https://github.com/KamitaniLab/DeepImageReconstruction"
)

# Release -> subject -> part -> (number of the file at figshare, its MD5 where one is published).
FILES: dict[str, dict[str, dict[str, tuple[int, str]]]] = {
    "whole_brain": {  # figshare article 21564384
        "sub-01": {
            "training": (37838826, "f0aba2065e03a518681ceec65674026b"),
            "test": (37838595, "7ab3fd8900a766a79e3f266ff223302a"),
        },
        "sub-02": {
            "training": (37848333, "8a66fcc107cbef220eb7f94b0737e0cb"),
            "test": (37848300, "3524e5cae596160115b48ce0b9c25be7"),
        },
        "sub-03": {
            "training": (37850397, "889a3afe44c33182d1ec02d0debe2371"),
            "test": (37849986, "b7ee993435fc9b27ca507d988bdc98e9"),
        },
    },
    "original_VC": {  # figshare article 7033577
        "sub-01": {"training": (14830643, ""), "test": (14830631, "")},
        "sub-02": {"training": (14830712, ""), "test": (14830697, "")},
        "sub-03": {"training": (14830862, ""), "test": (14830856, "")},
    },
}
PHOTOGRAPHS = {"training": 1200, "test": 50}
ARTIFICIAL = ("shapes", "letters")  # test sets whose files a user may place by hand


@dataclasses.dataclass(frozen=True)
class PublishedSubject:
    """One subject of one release.

    Attributes:
        subject: "sub-01" to "sub-03".
        release: a key of `FILES`.
        folder: of downloads and images.

    Raises:
        InputError: the subject or the release does not exist.
    """

    subject: str
    release: str
    folder: pathlib.Path

    def __post_init__(self) -> None:
        """Refuses what was never published."""
        subjects = FILES.get(self.release, {})
        for option, value, known in (
            ("release", self.release, FILES),
            ("subject", self.subject, subjects),
        ):
            if value not in known:
                raise InputError(unknown_name(f"{option}={value!r}", value, known, option))

    def described(self) -> dict[str, Any]:
        """Everything that the recording's content depends on, but for the reader's options."""
        parts = [*FILES[self.release][self.subject], *self._artificial()]
        return {
            "layout": LAYOUT,
            "published": FILES[self.release][self.subject],
            "images": manual_download.described(self.folder / "images"),
            "responses": [manual_download.described(self._file(part)) for part in parts],
        }

    def fetch(self) -> None:
        """Downloads the responses that are missing, once the images are there.

        Raises:
            InputError: a download fails, or images are missing.
        """
        self._images()
        for part, (number, md5) in FILES[self.release][self.subject].items():
            if not self._file(part).exists():
                download.fetch(f"{download.FIGSHARE}{number}", self._file(part), f"md5:{md5}")

    def places(self) -> list[pathlib.Path]:
        """The files and folders that `convert` reads."""
        parts = [*FILES[self.release][self.subject], *self._artificial()]
        return [self.folder / "images", *map(self._file, parts)]

    def convert(self, roi: str, image_size: int) -> Recording:
        """Checks what `fetch` has brought and joins it into a recording.

        Raises:
            InputError: images are missing, or a file is not the published one or cannot be used.
        """
        images = self._images()
        for part, (number, md5) in FILES[self.release][self.subject].items():
            download.fetch(f"{download.FIGSHARE}{number}", self._file(part), f"md5:{md5}")
        sources = [
            Source(str(self._file("training")), images["training"]),
            Source(str(self._file("test")), images["test"], "test"),
        ]
        for part in self._artificial():
            sources.append(Source(str(self._file(part)), str(self.folder / "images" / part), part))
        description = (
            f"Subject {self.subject[-2:]} of Deep Image Reconstruction (Shen et al. 2019), "
            f"release {self.release}: responses to photographs of ImageNet."
        )
        return bdata_recording.read(sources, roi, image_size, description)

    def _images(self) -> dict[str, str]:
        return {
            part: manual_download.images(self.folder / "images" / part, number, AUTHORS)
            for part, number in PHOTOGRAPHS.items()
        }

    def _file(self, part: str) -> pathlib.Path:
        return self.folder / f"{self.subject}_{self.release}_{part}.h5"

    def _artificial(self) -> list[str]:
        return [part for part in ARTIFICIAL if self._file(part).exists()]


def converted(subject: str, release: str, folder: str, roi: str, image_size: int) -> Recording:
    """One subject's recording, for a process of its own (`data.recordings_apart`)."""
    published = PublishedSubject(subject, release, pathlib.Path(folder))
    return published.convert(roi, image_size)
