"""A fitted decoder: a method's reconstructor together with all that it takes to use it again.

Responses go in as they were recorded. Which voxels are used, and the mean and standard deviation
that each had over the training trials, belong to the decoder.
"""

import dataclasses
import hashlib
import pathlib
from typing import TYPE_CHECKING, Any

import numpy as np

from fmri_jax.data.preparation import run_centring
from fmri_jax.data.preparation.standardise import VoxelScale
from fmri_jax.data.preparation.transform import transformed
from fmri_jax.data.recording import Recording
from fmri_jax.errors import InputError
from fmri_jax.files import place
from fmri_jax.linear.recodings import Recoding

if TYPE_CHECKING:
    from fmri_jax.methods import Reconstructor


@dataclasses.dataclass(frozen=True)
class About:
    """Where a decoder comes from; plain JSON values.

    Attributes:
        method: name of the method's package.
        config: the options it was fitted with.
        recording: `identity` of its recording; empty for an estimator that was given arrays.
        fold: name of the fold whose training trials it saw.
        roi: ROI expression of its voxels.
        preparation: how trials were prepared.
    """

    method: str
    config: dict[str, Any]
    recording: dict[str, Any] = dataclasses.field(default_factory=dict)
    fold: str = "all"
    roi: str = "all"
    preparation: dict[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, eq=False)
class Decoder:
    """A fitted method that can be kept and applied to new responses of the same person.

    Attributes:
        reconstructor: what the method has learned.
        scale: mean and standard deviation of each voxel that is used, from the training trials.
        about: where it comes from.
        voxels: (voxels of the recording,) bool, those that are used; None where the decoder was
            given no others.
        training_repeats: recorded trials that a training row averages, their harmonic mean.
        noise_scaling: whether averages of more trials than that are enlarged to the noise level of
            training.
        recoding: standardised responses -> the numbers, of a bottleneck or a kernel, that the
            reconstructor takes; None: it takes responses.
        seen: (images, 16) uint8, `digests` of the images that training showed; None where they were
            not kept.
    """

    reconstructor: "Reconstructor"
    scale: VoxelScale
    about: About
    voxels: np.ndarray | None = None
    training_repeats: float = 1.0
    noise_scaling: bool = True
    seen: np.ndarray | None = None
    recoding: Recoding | None = None

    @property
    def n_voxels(self) -> int:
        """How many voxels are used."""
        return len(self.scale.mean)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of the images."""
        return self.reconstructor.image_shape

    @property
    def simulated(self) -> bool:
        """Whether it was trained on simulated responses."""
        return bool(self.about.recording.get("simulated", False))

    def predict(self, fmri: Any, repeats: Any = None) -> np.ndarray:
        """Reconstructs images from responses as they were recorded.

        Args:
            fmri: (n, voxels), all voxels of the recording or exactly those of the decoder's ROI, in
                the order of the recording; or a `Recording`. Where training's runs were centred
                (`preparation.run_centring`), arrays have to be, after the transform of
                `preparation.transform`; a `Recording` is.
            repeats: how many trials each row is the average of, one number or (n,): rows are scaled
                as preparation scales averaged test trials. None takes them as they are, for rows
                that are as noisy as those of training.

        Returns:
            (n, height, width, channels) float32 in [0, 1].

        Raises:
            InputError: the voxels are not those of the decoder, or the recording is of another
                subject.
        """
        if isinstance(fmri, Recording):
            fmri = self.responses_of(fmri)
        return self.reconstruct(self.standardise(fmri, repeats))

    def responses_of(self, recording: Recording) -> np.ndarray:
        """(trials, voxels) responses of a recording, its runs centred where training's were.

        Of centred ones those of the decoder's voxels alone: others may have no mean to centre by.

        Raises:
            InputError: the recording is of another subject.
        """
        check_subject(self.about.recording, recording)
        how = self.about.preparation.get("run_centring")
        if not how:
            return recording.fmri  # `standardise` transforms them
        fmri = self._selected(recording.fmri)
        fmri = transformed(fmri, self.about.preparation.get("transform"))
        everything, none = np.arange(len(fmri)), np.arange(0)
        return run_centring.centred(fmri, recording.run, none, everything, how)[0]

    def reconstruct(self, prepared: np.ndarray) -> np.ndarray:
        """Prepared (standardised) responses (n, n_voxels) -> images, as `predict` returns them."""
        import jax.numpy as jnp

        if not len(prepared):
            return np.empty((0, *self.image_shape), np.float32)
        given = prepared if self.recoding is None else self.recoding(prepared)
        return np.asarray(self.reconstructor.reconstruct(jnp.asarray(given)), np.float32)

    def standardise(self, fmri: Any, repeats: Any = None) -> np.ndarray:
        """Responses as `predict` takes them -> (n, n_voxels) float32, as the method takes them."""
        rows = self._own_voxels(fmri)
        gain = np.ones(len(rows))
        if repeats is not None:
            averaged = np.asarray(repeats, np.float64)
            if averaged.shape not in ((), (len(rows),)) or not np.all(averaged > 0):
                raise InputError(
                    f"repeats is {repeats!r} for {len(rows)} rows: expected the number of trials "
                    "that each row averages, one number or one per row, above 0."
                )
            if self.noise_scaling:
                gain = gain * np.sqrt(averaged / self.training_repeats)
        return self.scale.apply(rows, gain)

    def _own_voxels(self, fmri: Any) -> np.ndarray:
        rows = np.asarray(fmri)
        if rows.ndim != 2 or rows.dtype.kind not in "fiub":
            raise InputError(
                f"responses have shape {rows.shape} and type {rows.dtype}: expected numbers "
                "(n, voxels), one row per trial; reshape a single one to (1, -1)."
            )
        rows = self._selected(rows.astype(np.float32))
        if not np.isfinite(rows).all():
            raise InputError(
                f"{int((~np.isfinite(rows)).sum())} responses are not finite: expected numbers; "
                "leave those trials out."
            )
        if self.about.preparation.get("run_centring"):
            return rows  # transformed before their runs were centred
        return transformed(rows, self.about.preparation.get("transform"))

    def _selected(self, rows: np.ndarray) -> np.ndarray:
        """Responses (n, voxels) of the decoder's voxels, or of the whole recording -> the former.

        Raises:
            InputError: they are of neither.
        """
        if rows.shape[1] == self.n_voxels:
            return rows
        if self.voxels is None or rows.shape[1] != len(self.voxels):
            raise InputError(self._wrong_voxels(rows.shape[1]))
        return rows[:, self.voxels]

    def _wrong_voxels(self, found: int) -> str:
        expected = f"{self.n_voxels}"
        if self.voxels is not None and len(self.voxels) != self.n_voxels:
            expected += f" (ROI {self.about.roi!r}) or {len(self.voxels)} (the whole recording)"
        return (
            f"these responses have {found} voxels and the decoder was trained on {expected}: give "
            "responses of the same person, with the same voxels in the same order."
        )

    def summary(self) -> dict[str, str | float]:
        """What the method has chosen by itself, names with numbers or texts."""
        summarise = getattr(self.reconstructor, "summary", None)
        return summarise() if summarise else {}

    def save(self, folder: str | pathlib.Path) -> pathlib.Path:
        """Writes the decoder into a folder, complete or not at all; `load_decoder` reads it.

        Args:
            folder: a new folder, or one that holds a decoder, which is replaced.

        Returns:
            The folder.

        Raises:
            InputError: the folder holds something else, or cannot be written.
        """
        from fmri_jax.methods.decoder_files import save

        return save(self, place(folder))


def digests(images: np.ndarray) -> np.ndarray:
    """(n, 16) uint8, for each image (n, h, w, c) uint8 what tells it from others (BLAKE2b)."""
    found = [hashlib.blake2b(image.tobytes(), digest_size=16).digest() for image in images]
    return np.frombuffer(b"".join(found), np.uint8).reshape(-1, 16)


def identity(recording: Recording, name: str = "") -> dict[str, Any]:
    """What tells a recording, and its subject's voxels, from others.

    Args:
        recording: the recording.
        name: of its reader or file, for people.
    """
    return {
        "name": name,
        "fingerprint": recording.fingerprint(),
        "subject": recording.subject,
        "simulated": recording.simulated,
        "description": recording.description,
        "n_voxels": recording.fmri.shape[1],
        "rois": recording.roi_fingerprints(),
    }


def check_subject(known: dict[str, Any], recording: Recording) -> str:
    """Compares a recording with the one that a decoder was trained on.

    Every session of a person is another recording, so that fingerprints of whole recordings differ
    where decoders may be used. What must agree is the space of voxels: their number, the subject's
    name where both recordings state one, and every region of interest that both name.

    Args:
        known: `identity` of the decoder's recording.
        recording: what the decoder is to be applied to.

    Returns:
        What cannot be known, for a warning; "" if nothing speaks against the same subject and
        something for it.

    Raises:
        InputError: the recording is of another subject.
    """
    remedy = "give a recording of the same person, in the same voxels"
    voxels = recording.fmri.shape[1]
    if known and known["n_voxels"] != voxels:
        raise InputError(
            f"the recording has {voxels} voxels and that of the decoder {known['n_voxels']}: "
            f"{remedy}."
        )
    if not known:
        return "The decoder does not know which recording it was trained on."
    if known["fingerprint"] == recording.fingerprint():
        return ""
    if known["subject"] and recording.subject and known["subject"] != recording.subject:
        raise InputError(
            f"the recording is of subject {recording.subject!r} and the decoder of "
            f"{known['subject']!r} (fingerprint {known['fingerprint'][:12]}): {remedy}."
        )
    masks = recording.roi_fingerprints()
    shared = [name for name in masks if name in known["rois"]]
    if differing := [name for name in shared if masks[name] != known["rois"][name]]:
        raise InputError(
            f"region {differing[0]!r} holds other voxels in this recording than in the decoder's "
            f"(fingerprint {known['fingerprint'][:12]}), which is of another subject or was "
            f"aligned otherwise: {remedy}."
        )
    if shared or (known["subject"] and known["subject"] == recording.subject):
        return ""
    return (
        "Neither a subject's name nor a region of interest shows that these responses and the "
        "decoder are of the same person: only the number of voxels agrees."
    )
