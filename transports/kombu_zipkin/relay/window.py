"""How many POSTs may be in flight at once: led by how long they take, and by errors."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

WORTH_SECONDS: Final = 0.01
"""A POST below this is answered before another one is ready; several at once would only compete for the CPU."""

QUICK_SECONDS: Final = 0.25
"""A POST below this leaves Zipkin room for another one beside it."""

SLOW_SECONDS: Final = 1.0
"""A POST above this: Zipkin, which acknowledges before it stores, is falling behind."""


class Window:
    """Places for POSTs, from one up to ``most``. Any thread may use it.

    It begins with one, grows by one with each round of quick POSTs while more is waiting, halves after a slow one, and
    falls back to one after a failure. Zipkin has no back-pressure of its own: without this, a long backlog would be
    poured over it at once.

    Source: additive increase, multiplicative decrease, as TCP's (RFC 5681, 3.1).

    Args:
        most: Upper bound.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._changed = threading.Condition()  # guards everything below
        self._limit = 1.0
        self._taken = 0
        self._closed = False

    @property
    def limit(self) -> int:
        """How many POSTs may be in flight now."""
        return int(self._limit)

    @contextmanager
    def place(self) -> Iterator[bool]:
        """Wait for a place and hold it; yields False, without one, once the window is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._taken < int(self._limit))
            got = not self._closed
            self._taken += got
        try:
            yield got
        finally:
            if got:
                with self._changed:
                    self._taken -= 1
                    self._changed.notify()

    def took(self, seconds: float, *, more_waits: bool) -> None:
        """Note a POST that was answered."""
        with self._changed:
            if seconds > SLOW_SECONDS:
                self._limit = max(1.0, self._limit / 2)
            elif more_waits and WORTH_SECONDS < seconds < QUICK_SECONDS and self._limit < self._most:
                self._limit = min(float(self._most), self._limit + 1 / self._limit)
                self._changed.notify()

    def failed(self) -> None:
        """Note that Zipkin takes nothing right now: one POST at a time shall find out when it does."""
        with self._changed:
            self._limit = 1.0

    def close(self) -> None:
        """Give out no more places, and wake whoever waits for one."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
