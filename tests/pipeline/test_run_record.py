"""`run.json` over interruptions."""

import json

import pytest

from fmri_jax.pipeline.run_record import RunRecord


def test_times_add_up_over_starts_but_for_those_of_scores_that_are_replaced(tmp_path):
    record = RunRecord(tmp_path, {"title": "A run"}, {"all": {"alpha": 1.0}})
    record.baselines = {"all": {"ridge": {"penalty": 2.0}}}
    for name in ("fit", "fit", "score"):
        with record.measure(name):
            sum(range(1000))
    assert [phase["name"] for phase in record.phases] == ["fit", "score"]
    record.save()
    again = RunRecord.read(tmp_path)
    assert [phase["name"] for phase in again.phases] == ["fit"]
    assert again.phases[0] == record.phases[0]
    assert again.about == {"title": "A run"} and again.learned == {"all": {"alpha": 1.0}}
    assert again.baselines == record.baselines
    with again.measure("fit"):
        pass
    assert again.phases[0]["wall_s"] >= record.phases[0]["wall_s"] >= 0


def test_the_record_of_scores_that_are_there_stays(tmp_path):
    RunRecord(tmp_path, {"title": "Scored"}).save()
    (tmp_path / "scores.json").touch()
    RunRecord(tmp_path, {"title": "Other"}).save()
    assert json.loads((tmp_path / "run.json").read_text())["title"] == "Scored"


@pytest.mark.parametrize(
    "damage",
    ["{", "[]", '{"data": 3}', '{"learned": []}', '{"phases": [3]}', b"\xff\xfe{", "[" * 100_000],
)
def test_a_damaged_record_is_begun_anew(tmp_path, damage):
    content = damage if isinstance(damage, bytes) else damage.encode()
    (tmp_path / "run.json").write_bytes(content)
    assert RunRecord.read(tmp_path) == RunRecord(tmp_path)


def test_one_changed_digit_of_a_record_is_noticed_but_not_one_of_an_earlier_version(tmp_path):
    path = tmp_path / "run.json"
    RunRecord(tmp_path, learned={"all": {"alpha": 1.5}}).save()
    path.write_text(path.read_text().replace("1.5", "1.7"))
    assert RunRecord.read(tmp_path).learned == {}
    path.write_text('{"learned": {"all": {"alpha": 1.7}}}')
    assert RunRecord.read(tmp_path).learned == {"all": {"alpha": 1.7}}


def test_a_folder_without_a_record_has_an_empty_one(tmp_path):
    assert RunRecord.read(tmp_path) == RunRecord(tmp_path)
