"""`run.json` over interruptions."""

import json

from fmri_jax.pipeline.run_record import RunRecord


def test_times_add_up_over_starts_but_for_those_of_scores_that_are_replaced(tmp_path):
    record = RunRecord(tmp_path, {"title": "A run"}, {"all": {"alpha": 1.0}})
    for name in ("fit", "fit", "score"):
        with record.measure(name):
            sum(range(1000))
    assert [phase["name"] for phase in record.phases] == ["fit", "score"]
    record.save()
    again = RunRecord.read(tmp_path)
    assert [phase["name"] for phase in again.phases] == ["fit"]
    assert again.phases[0] == record.phases[0]
    assert again.about == {"title": "A run"} and again.learned == {"all": {"alpha": 1.0}}
    with again.measure("fit"):
        pass
    assert again.phases[0]["wall_s"] >= record.phases[0]["wall_s"] >= 0


def test_the_record_of_scores_that_are_there_stays(tmp_path):
    RunRecord(tmp_path, {"title": "Scored"}).save()
    (tmp_path / "scores.json").touch()
    RunRecord(tmp_path, {"title": "Other"}).save()
    assert json.loads((tmp_path / "run.json").read_text())["title"] == "Scored"


def test_a_folder_without_a_record_has_an_empty_one(tmp_path):
    assert RunRecord.read(tmp_path) == RunRecord(tmp_path)
