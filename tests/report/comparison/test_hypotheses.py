"""Hypotheses: as far as the runs reach and no further, and none is lost."""

import dataclasses
import re

from experiments import table2
from fmri_jax import report
from fmri_jax.report.comparison.hypotheses import Hypothesis, findings, seeds_remark
from fmri_jax.report.comparison.variants import Variant, read_variants
from tests.report.test_page import Page


def test_a_claim_on_networks_of_one_seed_is_about_these_networks(workdirs, tmp_path):
    hypotheses = [Hypothesis("whole cortex", "noise", "pixel_correlation")]
    compared = report.compare(workdirs, tmp_path, hypotheses=hypotheses)
    page = Page(compared.page)
    assert "holds for these networks (one seed) whole cortex above noise" in page.text
    assert "One seed each: every variant." in page.text and "another seed may rev" in page.text
    assert "One seed each" in compared.markdown
    assert "one test in twenty still comes out" not in page.text
    read = read_variants(workdirs)
    hypotheses = [Hypothesis("whole cortex", "noise", "ssim")]
    solved = [Variant(v.name, (dataclasses.replace(v.first, curves={}),)) for v in read]
    assert findings(hypotheses, solved)[0].label == "holds" and not seeds_remark(solved)
    for seeds, label in ((2, "holds for these networks (two seeds)"), (3, "holds")):
        several = [Variant(v.name, v.runs * seeds) for v in read]
        assert findings(hypotheses, several)[0].label == label
        assert bool(seeds_remark(several)) is (seeds < 3)


def test_a_claim_on_a_variant_that_failed_is_listed(workdirs, tmp_path):
    hypotheses = [
        Hypothesis("whole cortex", "HVC", "ssim"),
        Hypothesis("whole cortex", "noise", "ssim"),
    ]
    compared = report.compare(workdirs, tmp_path, hypotheses=hypotheses, failed=("HVC",))
    text = Page(compared.page).text
    assert "untested whole cortex above HVC HVC failed" in text
    assert "whole cortex above noise" in text


def test_no_shipped_hypothesis_is_a_tie_in_its_own_source():
    for argument in ("", "object2vec"):
        for hypothesis in table2.get_config(argument).sweep.hypotheses:
            if hypothesis[-1].startswith("The report:"):
                better, worse = map(float, re.findall(r"\.\d+", hypothesis[-1]))
                assert better > worse
