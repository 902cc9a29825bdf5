"""Processes that find each other over JAX's store of keys, and in which order they leave."""

import contextlib
import queue
import socket
import threading
import types

import jax
import pytest

from fmri_jax import stopping
from fmri_jax.errors import InputError
from fmri_jax.training import cluster
from fmri_jax.training.cluster import Cluster, joined
from fmri_jax.training.group import ALONE

PATIENCE = 20  # s


class Store:
    """JAX's client: what one process sets, the others wait for."""

    def __init__(self):
        self.found = queue.Queue()

    def key_value_set(self, key, value):
        self.found.put((key, value))

    def blocking_key_value_get(self, key, milliseconds):
        found = self.found.get(timeout=PATIENCE)
        self.found.put(found)  # for the others
        assert found[0] == key and milliseconds > 1000
        return found[1]


def state(store, process, n=3):
    """As JAX's `distributed.global_state`; process 0 is named by an address of IPv6."""
    return types.SimpleNamespace(
        client=store,
        num_processes=n,
        process_id=process,
        coordinator_address="[::1]:5557" if socket.has_dualstack_ipv6() else "127.0.0.1:5557",
    )


def test_each_process_is_connected_with_process_0_and_strangers_with_nobody():
    store, found = Store(), {}

    def connect(process):
        found[process] = cluster._connected(state(store, process))

    threads = [threading.Thread(target=connect, args=(process,)) for process in (0, 2, 1)]
    threads[0].start()
    _, value = store.found.get(timeout=PATIENCE)
    port, token = value.split()
    for greeting in ("0" * len(token) + " 1\n", f"{token}\n", f"{token} one\n", "x" * 200, ""):
        with socket.create_connection(("localhost", int(port)), timeout=PATIENCE) as stranger:
            stranger.sendall(greeting.encode())
            with contextlib.suppress(OSError):
                stranger.shutdown(socket.SHUT_WR)
    store.key_value_set("fmri_jax/group", value)
    for thread in threads[1:]:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert sorted(found) == [0, 1, 2] and sorted(found[0]) == [1, 2]
    with contextlib.ExitStack() as stack:
        for end in (*found[0].values(), found[1][0], found[2][0]):
            stack.enter_context(end)
        for process in (1, 2):
            found[process][0].sendall(b"%d" % process)
            found[0][process].settimeout(PATIENCE)
            assert found[0][process].recv(10) == b"%d" % process


@pytest.fixture
def before_jax(monkeypatch):
    """`joined` finds JAX as yet unused; returns where its start can be replaced."""
    monkeypatch.setattr(cluster, "run_in_caller", lambda: None)
    monkeypatch.setattr(jax.config, "update", lambda name, value: None)
    return lambda start: monkeypatch.setattr(jax.distributed, "initialize", start)


@pytest.mark.parametrize("error", [RuntimeError, ValueError, TypeError, OSError])
def test_processes_that_do_not_find_each_other_are_one_message(before_jax, error):
    given = []

    def start(*found, **options):
        given.append(found)
        raise error("DEADLINE_EXCEEDED:\n  no answer")

    before_jax(start)
    with pytest.raises(InputError, match="did not find each other") as raised:
        with joined(Cluster("node1:5000", 2, 1)):
            pytest.fail("entered")
    assert given == [("node1:5000", 2, 1)]
    text = str(raised.value)
    assert "DEADLINE_EXCEEDED: no answer" in text and "--coordinator" in text and "\n" not in text


def test_messages_of_its_own_are_not_wrapped(before_jax, monkeypatch):
    def no_device():
        raise InputError("JAX finds no device.")

    before_jax(lambda *given, **options: None)
    monkeypatch.setattr(cluster, "make_mesh", no_device)
    with pytest.raises(InputError, match="^JAX finds no device"), joined(Cluster()):
        pytest.fail("entered")


class Member:
    """A group that writes down what is done with it."""

    def __init__(self, done, decides):
        self.done, self.decides = done, decides

    def close(self):
        self.done.append("close")

    def drop(self):
        self.done.append("drop")


@pytest.fixture(params=[True, False], ids=["first", "other"])
def member(request, monkeypatch):
    done = []

    def end(message, code):
        done.append((message, code))
        raise SystemExit(code)

    monkeypatch.setattr(cluster, "end", end)
    monkeypatch.setattr(cluster.time, "sleep", lambda seconds: None)
    monkeypatch.setattr(jax.distributed, "shutdown", lambda: done.append("shutdown"))
    found = Member(done, request.param)
    monkeypatch.setattr(cluster, "_join", lambda given: found)
    return found


@pytest.mark.parametrize("how", [None, stopping.Stopped])
def test_jaxs_service_ends_after_everybody_has_left_it(member, how):
    with pytest.raises(how) if how else contextlib.nullcontext(), joined(Cluster()) as group:
        assert group is member and not member.done
        if how:
            raise how
    # JAX's service runs in process 0; a second shutdown does nothing.
    in_order = ["close", "shutdown"] if member.decides else ["shutdown", "close", "shutdown"]
    assert member.done == in_order


@pytest.mark.parametrize(
    ("error", "message", "code", "traced"),
    [
        (InputError("no such ROI."), "no such ROI.", 2, False),
        (RuntimeError("gloo: reset"), "one process of this run has failed.", 1, True),
    ],
)
def test_an_error_drops_the_others_and_ends_this_process(
    member, capsys, error, message, code, traced
):
    with pytest.raises(SystemExit), joined(Cluster()):
        raise error
    assert member.done == ["drop", (message, code)]
    assert ("gloo: reset" in capsys.readouterr().err) == traced


def test_a_process_that_is_alone_joins_nobody(monkeypatch):
    monkeypatch.setattr(cluster, "_join", lambda given: pytest.fail("joined"))
    with joined(None) as group:
        assert group is ALONE
