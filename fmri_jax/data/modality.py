"""What was recorded, and what it is called: fMRI has voxels, spikes have neurons.

Texts of this package are written for fMRI. Those of other recordings are put into their words where
they are shown.
"""

import dataclasses
import re
from collections.abc import Callable

from fmri_jax.errors import InputError

FMRI = "fMRI"


@dataclasses.dataclass(frozen=True)
class Modality:
    """A kind of recording.

    Attributes:
        name: of what was measured, as it stands in a sentence.
        channel: what the columns of the responses are, in the singular.
    """

    name: str = FMRI
    channel: str = "voxel"

    def words(self, text: str) -> str:
        """A text that was written for fMRI, in the words of this modality."""
        if self.name == FMRI:
            return text
        text = re.sub(r"(^\W*|[.!?:] )fMRI\b", lambda m: m[1] + _capital(self.name), text)
        text = re.sub(r"\bfMRI\b", self.name, text)
        text = re.sub(r"\bvoxel(s?)\b", rf"{self.channel}\1", text)
        return re.sub(r"\bVoxel(s?)\b", rf"{_capital(self.channel)}\1", text)


# By the name that a recording gives, in lower case.
KNOWN = {
    "fmri": Modality(),
    "spikes": Modality("spiking activity", "neuron"),
    "calcium imaging": Modality("calcium imaging", "neuron"),
    "meg": Modality("MEG", "sensor"),
    "eeg": Modality("EEG", "electrode"),
    "ecog": Modality("ECoG", "electrode"),
    "lfp": Modality("local field potentials", "electrode"),
    "fnirs": Modality("fNIRS", "channel"),
}
NAMES = (FMRI, "spikes", "calcium imaging", "MEG", "EEG", "ECoG", "LFP", "fNIRS")


def find(name: str) -> Modality:
    """The modality of a name, whatever its case; of an unknown one, under its own name."""
    return KNOWN.get(name.casefold()) or Modality(name, "channel")


def words(name: object) -> Callable[[str], str] | None:
    """What puts texts into the words of a modality; None where they are in them already.

    Args:
        name: of the modality; what is empty is fMRI.
    """
    known = find(str(name or FMRI))
    return None if known.name == FMRI else known.words


def canonical(name: str) -> str:
    """A modality as a recording keeps it: one of `NAMES`, or a lab's own word.

    Raises:
        InputError: it is not a short text.
    """
    name = " ".join(name.split())
    if len(name) > 40:
        raise InputError(
            f"modality is {name[:40]!r}...: expected a word or two, such as {', '.join(NAMES)}."
        )
    return next((known for known in NAMES if known.casefold() == name.casefold()), name) or FMRI


def _capital(text: str) -> str:
    """The text at the beginning of a sentence; abbreviations such as fMRI stay as they are."""
    return text if text[1:2].isupper() else text[:1].upper() + text[1:]
