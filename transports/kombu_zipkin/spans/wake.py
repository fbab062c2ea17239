"""Wake a waiting thread, from anywhere."""

import queue


class Wake:
    """An event that any thread may set, a signal handler too: ``threading.Event`` would wait for its own lock there.

    One thread waits and clears.
    """

    def __init__(self) -> None:
        self._bell: queue.SimpleQueue[None] = queue.SimpleQueue()  # its put may interrupt itself
        self._is_set = False

    def set(self) -> None:
        """Wake the thread that waits, now or the next time."""
        if not self._is_set:
            self._is_set = True
            self._bell.put(None)

    def wait(self, timeout: float) -> bool:
        """Wait until it is set; False if ``timeout`` seconds passed."""
        if self._is_set:
            return True
        try:
            self._bell.get(timeout=timeout)
        except queue.Empty:
            return self._is_set
        return True

    def clear(self) -> None:
        """Begin anew; what is set from here on wakes again."""
        self._is_set = False
