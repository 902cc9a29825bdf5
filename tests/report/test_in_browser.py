"""Pages of runs as a browser shows them: no error, no request, nothing wider than a phone."""

import shutil

import pytest

from fmri_jax import report
from tests.browser import faults

pytestmark = pytest.mark.draws


@pytest.mark.parametrize("run", ["photographs", "binary"])
def test_report_of_a_run(browser, tmp_path, request, run):
    """Written here, as figures are drawn here; tests in other files leave blank ones."""
    folder = shutil.copytree(request.getfixturevalue(run), tmp_path / "run")
    page = report.write(folder)
    assert faults(browser, page.as_uri(), tmp_path) == []


def test_page_that_compares_runs(browser, workdirs, tmp_path):
    page = report.compare(workdirs, tmp_path / "compared").page
    assert faults(browser, page.as_uri(), tmp_path) == []
