"""The short version of `python -m tests.torture`."""

from tests import torture


def test_no_kill_and_no_damage_of_a_run_is_silent(capfd):
    arguments = ["--kills=1", "--damages=3", "--methods", "ridge"]
    assert torture.main(arguments) == 0, capfd.readouterr().out
    assert "the same bits" in capfd.readouterr().out
