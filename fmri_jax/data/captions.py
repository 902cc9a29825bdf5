"""Words for images: the captions of a recording or, where there are none, its images' names."""

import pathlib
import re
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import numpy as np

from fmri_jax.errors import InputError

Captions = tuple[tuple[str, ...], ...]

_SYNSET = re.compile(r"n\d{8}")  # a number of WordNet, as ImageNet names its classes
_SUFFIX = re.compile(r"\.(png|jpe?g|bmp|tiff?|gif|webp)$", re.IGNORECASE)
# Parts of names that files and trials have whatever they show: left out beside other words.
_OF_FILES = frozenset("image img im pic photo stimulus stim jpg jpeg png coco imagenet".split())
_NO_CONTENT = frozenset("images picture pictures photos stimuli figure trial item".split())


class Described(Protocol):
    """What images are described in: a recording, or trials that were prepared from one."""

    @property
    def stimulus_names(self) -> tuple[str, ...]:
        """One name per image."""

    @property
    def captions(self) -> Captions:
        """The captions of each image; empty where there are none of any."""


def captions_of(recording: Described, stimuli: Iterable[int]) -> list[tuple[str, ...]]:
    """Captions of images; the words of an image's name where it has no caption.

    Args:
        recording: a `Recording` or `Trials`.
        stimuli: indices into its images.

    Returns:
        For each of them its captions, one or more.

    Raises:
        InputError: an image has no caption, and its name says nothing of what it shows.
    """
    return captions_or_words(recording.captions, recording.stimulus_names, stimuli)


def captions_or_words(
    captions: Captions, names: Sequence[str], stimuli: Iterable[int]
) -> list[tuple[str, ...]]:
    """`captions_of`, from the captions and the names of all images."""
    return [(captions[i] if captions else ()) or (words_of(names[i]),) for i in stimuli]


def words_of(name: str) -> str:
    """The words in the name of an image or of its class.

    "motorcycle_left 012.png" becomes "motorcycle left", "photos/bears/3.png" becomes "bears".
    Parts with digits are left out, and so is what comes before the last folder but for its name.

    Raises:
        InputError: there are none, as in "n02084071_1234", "image 3" or "nsd00012".
    """
    folder, _, file = _SUFFIX.sub("", name.strip()).replace("\\", "/").rpartition("/")
    parts = f"{pathlib.PurePosixPath(folder).name} {file}".replace("_", " ").split()
    if synset := next((part for part in parts if _SYNSET.fullmatch(part)), ""):
        raise _without_words(name, f"has {synset}, a number of WordNet, for a name")
    words = [p for p in parts if not re.search(r"\d", p) and p.casefold() not in _OF_FILES]
    if not any(re.search(r"[^\W\d_]{2}", w) and w.casefold() not in _NO_CONTENT for w in words):
        raise _without_words(name, "has a name without words")
    return " ".join(words)


def _without_words(name: str, what: str) -> InputError:
    return InputError(
        f"image {name!r} {what}, and no caption: expected a description of what it shows; add "
        "captions to the recording, or name its images by words, such as 'motorcycle 012'."
    )


def check(captions: Any, images: int) -> None:
    """Checks the captions of a recording.

    Args:
        captions: one tuple of texts per image, or none at all.
        images: how many there are.

    Raises:
        InputError: there are fewer or more of them, or one is no text.
    """
    if not isinstance(captions, tuple):
        raise InputError(f"captions is a {type(captions).__name__}: expected a tuple of tuples.")
    if captions and len(captions) != images:
        raise InputError(
            f"captions holds {len(captions)} entries for {images} images: expected the captions of "
            "each image, in the order of images, or none at all."
        )
    for i, texts in enumerate(captions):
        wrong = not isinstance(texts, tuple)
        if wrong or any(not isinstance(text, str) or not text.strip() for text in texts):
            raise InputError(
                f"captions of image {i} are {texts!r}: expected a tuple of texts, none of them "
                "empty; () where it has none."
            )


def from_array(texts: np.ndarray) -> Captions:
    """Captions from an array of texts, (images,) or (images, captions), filled up with "".

    Nothing where no image has a caption.
    """
    rows = texts.reshape(len(texts), -1).tolist()
    found = tuple(tuple(t for text in row if (t := " ".join(text.split()))) for row in rows)
    return found if any(found) else ()


def to_array(captions: Captions) -> np.ndarray:
    """The inverse of `from_array`: (images, captions) text."""
    most = max(map(len, captions))
    return np.asarray([(*texts, *[""] * (most - len(texts))) for texts in captions], np.str_)
