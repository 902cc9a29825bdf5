"""What flags say of a run with several processes."""

import pytest
from absl import flags

from fmri_jax.commands import cluster_flags
from fmri_jax.errors import InputError
from fmri_jax.training.cluster import Cluster


def given(*arguments):
    values = flags.FlagValues()
    cluster_flags.define(values)
    values(["fmri_jax", *arguments])
    return cluster_flags.given(values)


def test_flags_name_a_process_or_leave_it_to_the_cluster():
    assert given() is None
    assert given("--distributed") == Cluster()
    named = given("--coordinator=node1:5000", "--n_processes=2", "--process_id=1")
    assert named == Cluster("node1:5000", 2, 1)
    assert given("--distributed", "--coordinator=node1:5000") == Cluster("node1:5000")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--coordinator=node1:5000"], "was left out"),
        (["--coordinator=node1", "--n_processes=2", "--process_id=1"], "expected HOST:PORT"),
        (["--coordinator=a:1", "--n_processes=2", "--process_id=2"], "expected 0 to 1"),
        (["--distributed", "--n_processes=0"], "at least 1"),
    ],
)
def test_flags_that_name_no_process(arguments, message):
    with pytest.raises(InputError, match=message):
        given(*arguments)


def test_the_command_that_resumes_has_none_of_them():
    command = [
        "gan_vc:tiny",
        "--process_id",
        "1",
        "--coordinator=a:1",
        "--distributed",
        "--rescore",
    ]
    assert cluster_flags.without([*command, "--workdir=a"]) == [
        "gan_vc:tiny", "--rescore", "--workdir=a"
    ]  # fmt: skip
