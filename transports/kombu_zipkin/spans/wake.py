"""Wake a waiting thread, from anywhere."""

import queue


class Wake:
    """An event that any thread may set, a signal handler too: ``threading.Event`` would wait for its own lock there.

    One thread waits and clears. The bell is made when it is first rung: one made before gevent patches the process,
    as under gunicorn with ``--preload``, would block all greenlets. Ring before the waiting thread begins.
    """

    def __init__(self) -> None:
        self._bell: queue.SimpleQueue[None] | None = None
        self._is_set = False

    def set(self) -> None:
        """Wake the thread that waits, now or the next time."""
        if not self._is_set:
            self._is_set = True
            self._made().put(None)  # may interrupt itself

    def wait(self, timeout: float) -> bool:
        """Wait until it is set; False if ``timeout`` seconds passed."""
        if self._is_set:
            return True
        try:
            self._made().get(timeout=timeout)
        except queue.Empty:
            return self._is_set
        return True

    def clear(self) -> None:
        """Begin anew; what is set from here on wakes again."""
        self._is_set = False

    def _made(self) -> "queue.SimpleQueue[None]":
        """Return the bell. Two threads may make one at once; then the other's ring is seen by ``_is_set``."""
        if self._bell is None:
            self._bell = queue.SimpleQueue()
        return self._bell
