"""The table of malformed inputs: each ends with one message that says what to do.

What needs a process or a server of its own is tested elsewhere: interrupted preparation and full
disks in `datasets/test_store.py`, downloads in `datasets/test_download.py`, files that do not
belong together in the tests of their data set, ROI expressions in `test_roi.py`.
"""

from pathlib import Path

import pytest

from fmri_jax.errors import InputError
from tests.data.readers.bad_input import arrays, bdata, nifti, pictures, prepared
from tests.data.readers.bad_input.case import Case

TABLE = [*arrays.CASES, *bdata.CASES, *nifti.CASES, *pictures.CASES, *prepared.CASES]


def test_every_row_is_another_mistake() -> None:
    assert len({case.what for case in TABLE}) == len(TABLE) >= 60


@pytest.mark.parametrize("case", TABLE, ids=lambda case: case.what)
def test_bad_input_ends_with_a_sentence(case: Case, tmp_path: Path) -> None:
    folder = tmp_path / "Daten für später"  # no path is ASCII everywhere
    folder.mkdir()
    with pytest.raises(InputError, match=case.message) as error:
        case.open(folder)
    message = str(error.value)
    assert "\n" not in message and message.endswith(".")
    assert "expected" in message or ";" in message or ":" in message  # what to do about it
