"""The threads that run jobs."""

import logging
import queue
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

_log = logging.getLogger(__name__)

_SHORT_SECONDS: Final = 0.03
_WEIGHT: Final = 0.1  # of the newest job in the mean
_STUCK_SECONDS: Final = 0.1


class Hands:
    """Some threads that run what they are given.

    Args:
        count: How many.
        work: What a thread does with a message; its result is passed on.
        done: Told, by the thread, of each message and its result; None where ``work`` raised.
    """

    def __init__(self, count: int, work: Callable[[Any], Any], done: Callable[[Any, Any], None]) -> None:
        self._work = work
        self._done = done
        self._count = count
        self._mean_seconds = float("inf")  # of a job; unknown
        self._moved_at = 0.0  # monotonic; when something came, or was begun
        self._inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._threads = [
            threading.Thread(target=self._run, name=f"worker-{number}", daemon=True) for number in range(1, count + 1)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def wanted(self) -> int:
        """How many messages to hold: one a thread; while jobs are short, one more for each that works.

        The next job is there then when the last one ends; fetching it takes as long as a short job.
        """
        return self._count * 2 if self._mean_seconds < _SHORT_SECONDS else self._count

    @property
    def is_stuck(self) -> bool:
        """Whether messages wait here for threads that are busy with long jobs."""
        return not self._inbox.empty() and time.monotonic() - self._moved_at > _STUCK_SECONDS

    def give(self, message: Any) -> None:
        """Have a message worked on by the next free thread."""
        if self._inbox.empty():
            self._moved_at = time.monotonic()
        self._inbox.put(message)

    def take_back(self) -> list[Any]:
        """Return the messages that no thread has begun with."""
        self._mean_seconds = float("inf")
        waiting = []
        with suppress(queue.Empty):
            while True:
                waiting.append(self._inbox.get_nowait())
        return waiting

    def close(self, timeout: float) -> None:
        """End the threads that have nothing to do; one that still works is left alone."""
        for _ in self._threads:
            self._inbox.put(None)
        for thread in self._threads:
            thread.join(timeout)

    def _run(self) -> None:
        while (message := self._inbox.get()) is not None:
            begun = self._moved_at = time.monotonic()
            try:
                result = self._work(message)
            except Exception:  # noqa: BLE001 - a fault of ours must not take the thread
                _log.exception("a job could not be handled; it is given to another")
                result = None
            self._note(time.monotonic() - begun)
            self._done(message, result)
            del message, result

    def _note(self, seconds: float) -> None:
        """Two threads may do so at once; then one job counts less."""
        mean = self._mean_seconds
        self._mean_seconds = seconds if mean == float("inf") else mean + _WEIGHT * (seconds - mean)
