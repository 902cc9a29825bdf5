"""Which column of labels names the images of a BData file, against bdpy where it is right."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fmri_jax.data import load
from fmri_jax.data.readers.bdata import BData
from fmri_jax.errors import InputError
from tests.peers import peer

bdpy = peer("bdpy")


# Two images of a synset whose numbers have 4 and 5 digits: 5958 < 10042, but "10042" < "5958".
LABELS = [1518878.005958, 1518878.010042, 1639765.052902, 2071294.021716]
NAMES = ["n01518878_5958", "n01518878_10042", "n01639765_52902", "n02071294_21716"]
Columns = dict[str, list[list[float]]]


def labelled(
    folder: Path, columns: Columns, vmaps: dict[str, dict[float, str]] | None = None
) -> dict[str, str]:
    """Eight trials, 6 voxels and these columns of labels of the first four; options to load it."""
    table = bdpy.BData()
    table.add(np.random.default_rng(0).normal(size=(8, 6)), "VoxelData")
    table.add(np.repeat([1.0, 2.0], 4)[:, None], "Run")
    for key, values in columns.items():
        table.add(np.column_stack([np.tile(column, 2) for column in values]).astype(float), key)
    for key, vmap in (vmaps or {}).items():
        table.add_vmap(key, vmap)
    table.add_metadata("ROI_VC", np.ones(6), where="VoxelData")
    table.save(str(folder / "sub-01.h5"))
    (folder / "images").mkdir()
    for i, name in enumerate(NAMES):
        Image.new("RGB", (8, 8), (40 * i + 10,) * 3).save(folder / "images" / f"{name}.JPEG")
    return {"name_or_path": str(folder / "sub-01.h5"), "images": str(folder / "images")}


def shown(options: dict[str, str], **more: str) -> list[str]:
    recording = load(**options, image_size=8, **more)
    return [recording.stimulus_names[i] for i in recording.stimulus[:4]]


TEXTS = dict(enumerate(NAMES, start=1))
COUNTS, OTHER = [1, 2, 3, 4], [2, 1, 4, 3]


@pytest.mark.parametrize(
    ("columns", "vmaps", "label"),
    [
        ({"Label": [COUNTS, LABELS]}, {}, ""),
        ({"Label": [OTHER, LABELS]}, {}, "Label"),
        ({"Label": [LABELS, COUNTS]}, {}, "Label"),
        ({"Label": [COUNTS, LABELS]}, {}, "Label:2"),
        ({"image_index": [OTHER], "Label": [OTHER, LABELS]}, {}, ""),
        ({"image_index": [OTHER], "stimulus_id": [LABELS]}, {}, ""),
        (
            {"stimulus_name": [[7, 8, 7, 8]], "stimulus_id": [LABELS]},
            {"stimulus_name": "kinds"},
            "",
        ),
        ({"stimulus_name": [COUNTS], "Label": [LABELS]}, {"stimulus_name": "names"}, ""),
        (
            {"stimulus_name": [COUNTS], "Label": [OTHER, LABELS]},
            {"stimulus_name": "names"},
            "Label",
        ),
        ({"Label": [LABELS, [np.nan] * 4]}, {}, ""),
        ({"Label": [[np.nan] * 4, LABELS]}, {}, "Label"),
        ({"Label": [LABELS, LABELS]}, {}, ""),
        ({"stimulus_id": [LABELS], "Label": [[1, np.nan, 3, 4]]}, {}, ""),
        ({"image_index": [COUNTS]}, {"image_index": "files"}, ""),
        ({"image_index": [COUNTS]}, {"image_index": "padded"}, ""),
    ],
)
def test_of_several_labels_those_that_name_images_count(
    tmp_path: Path, columns: Columns, vmaps: dict[str, str], label: str
) -> None:
    texts = {
        "names": TEXTS,
        "files": {i: f"{name}.JPEG" for i, name in TEXTS.items()},
        "padded": {i: f" {name} " for i, name in TEXTS.items()},
        "kinds": {7: "crane", 8: "newt"},
    }
    chosen = {key: texts[vmap] for key, vmap in vmaps.items()}
    assert shown(labelled(tmp_path, columns, chosen), label=label) == NAMES


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (
            {"Label": [LABELS, LABELS[::-1]]},
            r"\(one of 2 columns\) and Label .* name different ima",
        ),
        (
            {"stimulus_id": [LABELS], "Label": [LABELS[::-1]]},
            "stimulus_id and Label name different",
        ),
        ({"Label": [[1, 2, 3, 4], [2, 1, 4, 3]]}, "Label .*columns"),
        ({"Label": [[101, 2, 3, 4], LABELS[:3] + [2071294.5]]}, "lacks 1 of 4 images"),
    ],
)
def test_labels_that_contradict_each_other_are_rejected_with_both(
    tmp_path: Path, columns: Columns, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        shown(labelled(tmp_path, columns))


def test_a_text_that_contradicts_a_synset_number_is_rejected(tmp_path: Path) -> None:
    texts = {"stimulus_name": {**TEXTS, 2: "n01518878_10043"}}
    options = labelled(tmp_path, {"stimulus_name": [COUNTS], "Label": [LABELS]}, texts)
    message = "stimulus_name and Label name different images, n01518878_10043 and n01518878_10042"
    with pytest.raises(InputError, match=message):
        shown(options)
    assert shown(options, label="Label") == NAMES


def test_columns_of_runs_that_differ_are_rejected(tmp_path: Path) -> None:
    options = labelled(tmp_path, {"Label": [LABELS], "Session": [[1, 1, 2, 2], [1, 2, 1, 2]]})
    with pytest.raises(
        InputError, match=r"Session marks 2 columns, which differ: .* Session:1 to S"
    ):
        load(**options)


def test_labels_and_their_texts_equal_bdpys(tmp_path: Path) -> None:
    vmap = {1.0: "horse", 2.0: "bus", 3.0: "owl", 4.5: "grey é"}
    options = labelled(
        tmp_path, {"Label": [COUNTS, LABELS], "what": [[3, 1, 4.5, 2]]}, {"what": vmap}
    )
    ours, theirs = BData(options["name_or_path"]), bdpy.BData(options["name_or_path"])
    np.testing.assert_array_equal(ours.label_columns("Label"), theirs.get("Label"))
    np.testing.assert_array_equal(ours.label("Label:1"), theirs.get("Label")[:, 0])
    np.testing.assert_array_equal(ours.label("what"), theirs.get("what").ravel())
    assert ours.texts("what", ours.label("what")) == theirs.get_labels("what")
    assert ours.texts("Label", ours.label("Label:2")) is None
    with pytest.raises(InputError, match="no column 'Label:3'"):
        ours.label("Label:3")


def test_accents_agree_in_either_form(tmp_path: Path) -> None:
    composed, decomposed = "\u00e9t\u00e9", "e\u0301te\u0301"
    for file, text, folder in ((composed, decomposed, "a"), (decomposed, composed, "b")):
        (tmp_path / folder).mkdir()
        texts = {"image_index": {1: text, **{i: TEXTS[i] for i in (2, 3, 4)}}}
        options = labelled(tmp_path / folder, {"image_index": [COUNTS]}, texts)
        images = tmp_path / folder / "images"
        (images / f"{NAMES[0]}.JPEG").rename(images / f"{file}.JPEG")
        assert shown(options)[1:] == NAMES[1:]
