"""The records of a prepared recording: two TFDS builders over ArrayRecord, without TensorFlow.

`trials` holds one record a trial and `stimuli` one record an image, so an image that is shown
twenty times is stored once. What belongs to no single trial (ROI masks, description) is their
metadata. Arrays are stored as raw bytes; a record is a protocol buffer, never a pickle.

Importing this module imports `tensorflow_datasets`: only `store` does, and only when it must.
"""

import base64
import contextlib
import io
import pathlib
import shutil
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from fmri_jax.data.modality import FMRI
from fmri_jax.data.recording import Recording

VERSION = "1.0.0"  # of the layout: another one is prepared anew

_READ_AT_ONCE = 512  # records; bounds the memory beside the arrays that they fill


class _Records(tfds.core.GeneratorBasedBuilder, skip_registration=True):  # type: ignore[call-arg]
    """What both builders share: features that follow from a recording, records in its order."""

    VERSION = tfds.core.Version(VERSION)

    def __init__(self, recording: Recording, data_dir: pathlib.Path):
        self.recording = recording
        super().__init__(data_dir=data_dir, file_format="array_record")

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            features=tfds.features.FeaturesDict(self.record_features()),
            metadata=tfds.core.MetadataDict(_metadata(self.recording)),
            description=self.recording.description or "A recording.",
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
        return {"records": self._generate_examples()}

    def _generate_examples(self) -> Iterator[tuple[int, dict[str, Any]]]:
        return enumerate(self.records())


class Trials(_Records):
    """One record a trial."""

    name = "trials"

    def record_features(self) -> dict[str, Any]:
        """The response pattern, which image was shown, and where the trial belongs."""
        voxels = self.recording.fmri.shape[1]
        return {
            "fmri": tfds.features.Tensor(shape=(voxels,), dtype=np.float32, encoding="bytes"),
            "stimulus": tfds.features.Scalar(np.int32),
            "run": tfds.features.Scalar(np.int32),
            "split": tfds.features.Text(),
        }

    def records(self) -> Iterator[dict[str, Any]]:
        """The trials in the order of the recording."""
        recording = self.recording
        rows = zip(recording.fmri, recording.stimulus, recording.run, recording.split, strict=True)
        for fmri, stimulus, run, split in rows:
            yield {"fmri": fmri, "stimulus": stimulus, "run": run, "split": str(split)}


class Stimuli(_Records):
    """One record an image."""

    name = "stimuli"

    def record_features(self) -> dict[str, Any]:
        """The pixels and the name."""
        shape = self.recording.images.shape[1:]
        return {
            "image": tfds.features.Tensor(shape=shape, dtype=np.uint8, encoding="bytes"),
            "name": tfds.features.Text(),
        }

    def records(self) -> Iterator[dict[str, Any]]:
        """The images in the order of their index."""
        for image, name in zip(self.recording.images, self.recording.stimulus_names, strict=True):
            yield {"image": image, "name": name}


def write(recording: Recording, folder: pathlib.Path) -> None:
    """Writes a recording's records under `folder`."""
    tfds.disable_progress_bar()
    for builder in (Stimuli(recording, folder), Trials(recording, folder)):
        with contextlib.redirect_stdout(io.StringIO()):  # it announces itself as a download
            builder.download_and_prepare()
    shutil.rmtree(folder / "downloads")  # made by TFDS, and empty: nothing was downloaded


def read(folder: pathlib.Path) -> Recording:
    """Reads the recording that `write` left under `folder`."""
    stimuli, trials = (
        tfds.builder_from_directory(folder / builder.name / VERSION)
        for builder in (Stimuli, Trials)
    )
    metadata = trials.info.metadata
    arrays = _columns(trials)
    pictures = _columns(stimuli)
    return Recording(
        fmri=arrays["fmri"],
        stimulus=arrays["stimulus"],
        images=pictures["image"],
        run=arrays["run"],
        rois=_unpacked(metadata["rois"], arrays["fmri"].shape[1]),
        stimulus_names=tuple(pictures["name"]),
        split=np.asarray(arrays["split"], np.str_),
        simulated=metadata["simulated"],
        description=metadata["description"],
        subject=metadata.get("subject", ""),
        captions=tuple(map(tuple, metadata.get("captions", ()))),
        groups=tuple(metadata.get("groups", ())),
        categories=tuple(metadata.get("categories", ())),
        modality=metadata.get("modality", FMRI),
    )


def _columns(builder: Any) -> dict[str, Any]:
    """Feature name -> what all records hold under it, an array or a list of texts."""
    source = builder.as_data_source(split="records")
    columns: dict[str, Any] = {
        name: []
        if isinstance(feature, tfds.features.Text)
        else np.empty((len(source), *feature.shape), feature.np_dtype)
        for name, feature in builder.info.features.items()
    }
    for start in range(0, len(source), _READ_AT_ONCE):
        rows = range(start, min(start + _READ_AT_ONCE, len(source)))
        for row, record in zip(rows, source.__getitems__(list(rows)), strict=True):
            for name, value in record.items():
                if isinstance(value, bytes):
                    columns[name].append(value.decode())
                else:
                    columns[name][row] = value
    return columns


def _metadata(recording: Recording) -> dict[str, Any]:
    """What belongs to the whole recording, as JSON: masks are packed to bits."""
    return {
        "rois": {
            name: base64.b64encode(np.packbits(mask).tobytes()).decode()
            for name, mask in recording.rois.items()
        },
        "simulated": recording.simulated,
        "description": recording.description,
        "subject": recording.subject,
        "captions": recording.captions,
        "groups": recording.groups,
        "categories": recording.categories,
        "modality": recording.modality,
    }


def _unpacked(rois: dict[str, str], voxels: int) -> dict[str, np.ndarray]:
    packed = {name: np.frombuffer(base64.b64decode(m), np.uint8) for name, m in rois.items()}
    return {name: np.unpackbits(m, count=voxels).astype(bool) for name, m in packed.items()}
