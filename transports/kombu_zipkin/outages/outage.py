"""Say once that a server is away, then once that it is back."""

import logging
import threading
import time


class Outage:
    """What a program says about one server: first failure WARNING, once a minute how many there were, recovery INFO.

    The other failures are DEBUG. Any thread may tell it of its attempts.

    Args:
        log: Where to say it.
        server: What is away, as an operator knows it.
        remind: Seconds after which a failure that goes on is said again.
    """

    def __init__(self, log: logging.Logger, server: str, *, remind: float = 60.0) -> None:
        self._log = log
        self._server = server
        self._remind = remind
        self._lock = threading.Lock()  # guards what follows
        self._since: float | None = None
        self._attempts = 0
        self._said_at = 0.0

    @property
    def is_on(self) -> bool:
        """Whether the last attempt failed."""
        return self._since is not None

    def failed(self, error: BaseException, what_next: str) -> None:
        """Note a failed attempt, and tell the operator what happens next."""
        now = time.monotonic()
        with self._lock:
            begins = self._since is None
            if self._since is None:
                self._since, self._attempts = now, 0
            self._attempts += 1
            speak = begins or now - self._said_at >= self._remind
            if speak:
                self._said_at = now
            attempts, seconds = self._attempts, now - self._since
        if begins or not speak:
            level = logging.WARNING if speak else logging.DEBUG
            self._log.log(level, "%s unavailable: %s; %s", self._server, error, what_next)
        else:
            said = "%s still unavailable after %d attempts in %.0f s: %s; %s"
            self._log.warning(said, self._server, attempts, seconds, error, what_next)

    def over(self) -> None:
        """Note a success."""
        if self._since is None:
            return
        with self._lock:
            since, self._since = self._since, None
        if since is not None:
            self._log.info("%s available again after %.1f s", self._server, time.monotonic() - since)
