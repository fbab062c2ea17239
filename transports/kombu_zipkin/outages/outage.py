"""Say once that a server is away, then once that it is back."""

import logging
import threading
import time


class Outage:
    """What a program says about one server: first failure WARNING, repeats DEBUG, recovery INFO with its length.

    Any thread may tell it of its attempts.

    Args:
        log: Where to say it.
        server: What is away, as an operator knows it.
    """

    def __init__(self, log: logging.Logger, server: str) -> None:
        self._log = log
        self._server = server
        self._lock = threading.Lock()  # guards _since
        self._since: float | None = None

    @property
    def is_on(self) -> bool:
        """Whether the last attempt failed."""
        return self._since is not None

    def failed(self, error: BaseException, what_next: str) -> None:
        """Note a failed attempt, and tell the operator what happens next."""
        with self._lock:
            level = logging.DEBUG if self.is_on else logging.WARNING
            if self._since is None:
                self._since = time.monotonic()
        self._log.log(level, "%s unavailable: %s; %s", self._server, error, what_next)

    def over(self) -> None:
        """Note a success."""
        if self._since is None:
            return
        with self._lock:
            since, self._since = self._since, None
        if since is not None:
            self._log.info("%s available again after %.1f s", self._server, time.monotonic() - since)
