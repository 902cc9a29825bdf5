"""How the processes of a run find each other: by flags, or by the variables of their cluster.

JAX's own detection knows SLURM, Open MPI and Kubernetes (`jax.distributed.initialize`).
"""

import contextlib
import dataclasses
import secrets
import socket
import time
import traceback
from collections.abc import Iterator

import jax

from fmri_jax import stopping
from fmri_jax.errors import InputError, one_line
from fmri_jax.training.group import ALONE, Group, end
from fmri_jax.training.host_memory import run_in_caller
from fmri_jax.training.mesh import make_mesh

_KEY = "fmri_jax/group"
_JOIN = 300  # s for all processes to appear


@dataclasses.dataclass(frozen=True)
class Cluster:
    """What is known of the processes; None is left to JAX, which asks the cluster.

    Attributes:
        coordinator: address and port of process 0, "10.0.0.1:5557".
        n_processes: how many there are.
        process_id: which one this is, from 0.
    """

    coordinator: str | None = None
    n_processes: int | None = None
    process_id: int | None = None


@contextlib.contextmanager
def joined(cluster: Cluster | None) -> Iterator[Group]:
    """Joins this process to the others; within, JAX sees the devices of all.

    To be entered before JAX is used. An error within ends this process at once, and with it the
    others: what it would wait for at its end will not come.

    Args:
        cluster: None for a process that is alone.

    Raises:
        InputError: the processes did not find each other.
    """
    if cluster is None:
        yield ALONE
        return
    group = _join(cluster)
    try:
        yield group
    except stopping.Stopped:  # which all do after the same step
        _leave(group)
        raise
    except InputError as error:
        group.drop()
        end(str(error), code=2)
    except Exception:
        time.sleep(2)  # a process that has lost another one says so, and ends here
        traceback.print_exc()
        group.drop()
        end("one process of this run has failed.", code=1)
    _leave(group)


def _leave(group: Group) -> None:
    """Leaves in order: JAX's service, which runs in process 0, ends after everyone has left it."""
    if not group.decides:
        jax.distributed.shutdown()
    group.close()
    jax.distributed.shutdown()


def _join(cluster: Cluster) -> Group:
    """Starts JAX's service and connects this process with process 0, or the others with it."""
    from jax._src import distributed  # the key-value store has no public name

    jax.config.update("jax_enable_preemption_service", False)  # it would answer SIGTERM itself
    jax.config.update("jax_enable_recoverability", True)  # who is lost is said by `Group`
    run_in_caller()  # one program after another: collectives of two at once would wait for ever
    try:
        jax.distributed.initialize(
            cluster.coordinator,
            cluster.n_processes,
            cluster.process_id,
            initialization_timeout=_JOIN,
            shutdown_timeout_seconds=60,
        )
        state = distributed.global_state
        make_mesh()  # all start their devices now: each of them waits there for the others
        return Group(state.process_id, _connected(state))
    except InputError:
        raise
    except (RuntimeError, ValueError, TypeError, OSError) as error:
        raise InputError(
            f"the processes of this run did not find each other ({one_line(error)[:300]}): give "
            "--coordinator=HOST:PORT, --n_processes and --process_id to each, or start them with "
            "srun, mpirun or a Kubernetes job, whose variables --distributed reads."
        ) from error


def _connected(state: object) -> dict[int, socket.socket]:
    """Connections as `Group` takes them, from JAX's `distributed.global_state`."""
    client, n = state.client, state.num_processes  # type: ignore[attr-defined]
    if state.process_id:  # type: ignore[attr-defined]
        port, token = client.blocking_key_value_get(_KEY, _JOIN * 1000).split()
        host = state.coordinator_address.rsplit(":", 1)[0].strip("[]")  # type: ignore[attr-defined]
        connection = socket.create_connection((host, int(port)), timeout=_JOIN)
        connection.sendall(f"{token} {state.process_id}\n".encode())  # type: ignore[attr-defined]
        return {0: connection}
    dual = socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if dual else socket.AF_INET
    with socket.create_server(("", 0), family=family, dualstack_ipv6=dual) as server:
        server.settimeout(_JOIN)
        token, peers = secrets.token_hex(16), dict[int, socket.socket]()
        client.key_value_set(_KEY, f"{server.getsockname()[1]} {token}")
        while len(peers) < n - 1:
            connection, _ = server.accept()
            connection.settimeout(10)
            if (peer := _greeted(connection, token)) is None:
                connection.close()  # a stranger's
            else:
                peers[peer] = connection
    return peers


def _greeted(connection: socket.socket, token: str) -> int | None:
    """The process at the other end, if it knows the token."""
    line = b""
    with contextlib.suppress(OSError, ValueError):
        while not line.endswith(b"\n") and len(line) < 100 and (more := connection.recv(1)):
            line += more
        known, process = line.decode().split()
        return int(process) if secrets.compare_digest(known, token) else None
    return None
