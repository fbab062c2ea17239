"""Wait for something to become true, without a sleep that is too long or too short."""

import socket
import threading
import time
from collections.abc import Callable
from typing import TypeVar

_T = TypeVar("_T")


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
    """Return a port that nobody uses right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
