"""Wakes the thread that waits for messages, from any thread."""

import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any


class Doorbell:
    """A socket that becomes readable when somebody rings. Any thread may ring.

    Args:
        answer: Called by the waiting thread when it rang.
    """

    def __init__(self, answer: Callable[[], Any]) -> None:
        self._answer = answer
        self._far, self.sock = socket.socketpair()
        self._far.setblocking(False)
        self.sock.setblocking(False)
        self._rung = False

    def ring(self) -> None:
        """Wake the waiting thread."""
        if self._rung:
            return
        self._rung = True
        with suppress(OSError):  # closed, or full of earlier rings
            self._far.send(b"!")

    def readable(self) -> Any:
        """Take the ring and answer it."""
        with suppress(BlockingIOError):
            self.sock.recv(64)
        self._rung = False  # after reading, before looking: a ring that comes between the two is answered now
        return self._answer()

    def close(self) -> None:
        """Close both ends."""
        self._far.close()
        self.sock.close()
