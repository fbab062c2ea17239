"""The threads that run jobs."""

import logging
import queue
import threading
from collections.abc import Callable
from typing import Any

_log = logging.getLogger(__name__)


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
        self._inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._threads = [
            threading.Thread(target=self._run, name=f"worker-{number}", daemon=True) for number in range(1, count + 1)
        ]
        for thread in self._threads:
            thread.start()

    def give(self, message: Any) -> None:
        """Have a message worked on by the next free thread."""
        self._inbox.put(message)

    def close(self, timeout: float) -> None:
        """End the threads that have nothing to do; one that still works is left alone."""
        for _ in self._threads:
            self._inbox.put(None)
        for thread in self._threads:
            thread.join(timeout)

    def _run(self) -> None:
        while (message := self._inbox.get()) is not None:
            try:
                result = self._work(message)
            except Exception:  # noqa: BLE001 - a fault of ours must not take the thread
                _log.exception("a job could not be handled; it is given to another")
                result = None
            self._done(message, result)
            del message, result
