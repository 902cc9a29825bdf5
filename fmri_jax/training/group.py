"""Several processes, on one or many hosts, that work on one run.

Process 0 decides, computes its share, and alone writes the run's files; the others do what it tells
them. A connection from each of them to process 0 carries these orders, and shows within seconds
that a process has ended or a host is gone: the system closes it, or nothing more is heard. Devices
cannot be asked: a collective operation without one of its members waits for minutes or for ever.
"""

import contextlib
import json
import os
import queue
import socket
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any, NoReturn

BEAT = 2.0  # s between signs of life
SILENCE = 20.0  # s without one after which a process counts as lost
_DONE = "done"


class Group:
    """The processes of a run as one of them sees them.

    Args:
        index: of this process; 0 decides.
        peers: process -> connection. Process 0 has one to each other, these have one to it.
    """

    def __init__(self, index: int, peers: dict[int, socket.socket]):
        self.index, self._peers = index, peers
        self._heard: dict[int, queue.Queue[Any]] = {peer: queue.Queue() for peer in peers}
        self._finished: set[int] = set()
        self._sending, self._closing = threading.Lock(), threading.Event()
        self._listeners = [
            threading.Thread(target=self._listen, args=(peer,), daemon=True) for peer in peers
        ]
        for listener in self._listeners:
            listener.start()
        if peers:
            threading.Thread(target=self._beat, daemon=True).start()

    @property
    def decides(self) -> bool:
        """Whether this is process 0, or alone."""
        return self.index == 0

    @property
    def n_others(self) -> int:
        """How many processes are told what to do; 0 where this one is alone or is told itself."""
        return len(self._peers) if self.decides else 0

    def tell(self, order: Any) -> None:
        """Process 0: gives all others an order, a JSON value."""
        self._send(order)

    def orders(self) -> Iterator[Any]:
        """Others: what process 0 tells, until it has finished."""
        while (order := self._heard[0].get()) != _DONE:
            yield order

    def answer(self, text: str) -> None:
        """Others: tells process 0 what came of an order."""
        self._send(text)

    def answers(self) -> list[str]:
        """Process 0: waits until every other one has answered."""
        return [self._heard[peer].get() for peer in sorted(self._peers)]

    def close(self) -> None:
        """Leaves in order: the others see that this one has finished; process 0 waits for them."""
        self._send(_DONE)
        for listener in self._listeners if self.decides else ():
            listener.join(SILENCE)
        self._closing.set()

    def drop(self) -> None:
        """Leaves without order: the others see it and end, before JAX's service is gone."""
        self._closing.set()
        for connection in self._peers.values():
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        if self._peers:
            time.sleep(0.5)

    def _send(self, message: Any) -> None:
        line = json.dumps(message).encode() + b"\n"
        with self._sending:
            for peer, connection in self._peers.items():
                try:
                    connection.sendall(line)
                except OSError:
                    self._lost(peer)

    def _beat(self) -> None:
        while not self._closing.wait(BEAT):
            self._send(None)

    def _listen(self, peer: int) -> None:
        try:
            self._peers[peer].settimeout(SILENCE)
            with self._peers[peer].makefile("rb") as lines:
                for line in lines:
                    message = json.loads(line)
                    if message is not None:
                        self._heard[peer].put(message)
                    if message == _DONE:
                        self._finished.add(peer)
                        return
        except (OSError, ValueError):
            pass  # silence, a reset, or half a line
        self._lost(peer)

    def _lost(self, peer: int) -> None:
        """Ends this process, unless that one had finished or this one leaves itself."""
        if not (self._closing.is_set() or peer in self._finished):
            end(
                f"process {peer} of this run has ended or cannot be reached, so that process "
                f"{self.index} ends, too; the same command resumes from what was kept, with fewer "
                "processes as well.",
                code=1,
            )


ALONE = Group(0, {})


def end(message: str, code: int) -> NoReturn:
    """Prints one line and ends this process at once, whatever its other threads wait for."""
    sys.stdout.flush()
    os.write(2, f"fmri_jax: {message}\n".encode())
    os._exit(code)
