"""Wait for something to become true, without a sleep that is too long or too short."""

import random
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final, TypeVar

_T = TypeVar("_T")

_PORTS: Final = (20_000, 32_000)  # Linux gives connections those from 32,768 on


def wait_until(predicate: Callable[[], _T | None], what: str, *, seconds: float = 20.0) -> _T:
    """Return the first true value of a predicate, tried every 20 ms.

    Raises:
        AssertionError: It stayed false; the message says what was waited for.
    """
    until = time.monotonic() + seconds
    while not (value := predicate()):
        if time.monotonic() > until:
            raise AssertionError(f"after {seconds:g} s still waiting for {what}; last value: {value!r}")
        threading.Event().wait(0.02)
    return value


def free_port() -> int:
    """Return a port that nobody uses right now; none of those that connections get, which could take it meanwhile."""
    while True:
        port = random.SystemRandom().randrange(*_PORTS)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
