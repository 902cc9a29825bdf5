"""Messages between the processes of a run, and what a lost one looks like, over real sockets."""

import contextlib
import queue
import socket
import threading

import pytest

from fmri_jax.training import group
from fmri_jax.training.group import ALONE, Group

PATIENCE = 20  # s for another thread to notice something


@pytest.fixture
def ended(monkeypatch):
    """Ends of this process, (message, code), instead of ending it."""
    ends = queue.Queue()
    monkeypatch.setattr(group, "end", lambda message, code: ends.put((message, code)))
    return ends


@pytest.fixture
def of_three(ended):
    """Process 0 with 1 and 2, and the sockets, each by its process."""
    pairs = {peer: socket.socketpair() for peer in (1, 2)}
    first = Group(0, {peer: pair[0] for peer, pair in pairs.items()})
    others = {peer: Group(peer, {0: pair[1]}) for peer, pair in pairs.items()}
    yield {0: first, **others}, pairs
    for member in (first, *others.values()):
        member._closing.set()
    for end in (end for pair in pairs.values() for end in pair):
        with contextlib.suppress(OSError):  # shut down before
            end.shutdown(socket.SHUT_RDWR)
        end.close()


def test_orders_reach_all_and_answers_stand_by_process(of_three, ended):
    first, *others = of_three[0].values()
    assert first.decides and first.n_others == 2
    assert not others[0].decides and others[0].n_others == 0
    orders = [{"fit": 3}, "train", {"parts": [[0, "relu1"]], "processes": 3}]

    def followed(member):
        for number, order in enumerate(member.orders()):
            assert order == orders[number]
            member.answer(f"{member.index} of {number}")
        member.close()

    threads = [threading.Thread(target=followed, args=(member,)) for member in others]
    for thread in reversed(threads):
        thread.start()
    for number, order in enumerate(orders):
        first.tell(order)
        assert first.answers() == [f"1 of {number}", f"2 of {number}"]
    first.close()
    for thread in threads:
        thread.join(PATIENCE)
        assert not thread.is_alive()
    assert ended.empty()  # nobody who has finished counts as lost


def test_who_has_finished_may_go_before_the_others(of_three, ended):
    members, pairs = of_three
    members[1].close()
    members[0]._listeners[0].join(PATIENCE)
    pairs[1][1].shutdown(socket.SHUT_RDWR)
    pairs[1][1].close()
    members[0].tell("train")
    assert next(members[2].orders()) == "train" and ended.empty()


def test_a_process_that_is_alone_tells_nobody():
    ALONE.tell("train")
    assert ALONE.decides and ALONE.n_others == 0 and ALONE.answers() == []


@pytest.mark.parametrize("last_words", [b"", b'{"fit": ', b"no JSON\n"])
def test_a_closed_connection_ends_the_others_with_one_message(of_three, ended, last_words):
    _, pairs = of_three
    pairs[2][1].sendall(last_words)
    pairs[2][1].shutdown(socket.SHUT_RDWR)
    told = {ended.get(timeout=PATIENCE) for _ in range(2)}  # seen from both ends
    assert {code for _, code in told} == {1}
    messages = sorted(message for message, _ in told)
    assert [message.split(" of this run")[0] for message in messages] == ["process 0", "process 2"]
    assert "so that process 0 ends, too" in messages[1] and "resumes" in messages[1]


def test_silence_counts_as_a_loss(ended, monkeypatch):
    """A process whose host is gone says nothing, and its connection stays open."""
    monkeypatch.setattr(group, "SILENCE", 0.05)
    here, there = socket.socketpair()
    with here, there:
        first = Group(0, {1: here})
        message, _ = ended.get(timeout=PATIENCE)
        first._closing.set()
    assert message.startswith("process 1 of this run has ended or cannot be reached")


def test_signs_of_life_are_sent_and_are_no_orders(ended, monkeypatch):
    monkeypatch.setattr(group, "BEAT", 0.01)
    here, there = socket.socketpair()
    with here, there, there.makefile("rb") as lines:
        other = Group(1, {0: here})
        assert [lines.readline() for _ in range(3)] == 3 * [b"null\n"]
        there.sendall(b'null\n"train"\nnull\n"done"\n')
        assert list(other.orders()) == ["train"]
        other.close()
    assert ended.empty()


def test_who_drops_the_others_is_not_ended_by_it(of_three, ended, monkeypatch):
    members, _ = of_three
    monkeypatch.setattr(group.time, "sleep", lambda seconds: None)
    members[1].drop()
    for member in (members[0], members[1]):
        member._listeners[0].join(PATIENCE)
        assert not member._listeners[0].is_alive()
    assert ended.get(timeout=PATIENCE)[0].startswith("process 1 of this run has ended")
    assert ended.empty()


def test_the_end_is_one_line_and_a_code(monkeypatch):
    done = []
    monkeypatch.setattr(group.os, "write", lambda stream, text: done.append((stream, text)))
    monkeypatch.setattr(group.os, "_exit", done.append)
    group.end("one process of this run has failed.", code=1)
    assert done == [(2, b"fmri_jax: one process of this run has failed.\n"), 1]
