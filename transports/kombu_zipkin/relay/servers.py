"""One of the two servers that the relay stands between, as it has last been seen."""

import logging
import threading
import time

from kombu_zipkin.outages import Backoff, Outage, public_address
from kombu_zipkin.runtime import Health


class Server:
    """Keeps health, log and waiting times of one server in step. Any thread may tell it of its attempts.

    Args:
        log: Where to say that it is away, and back.
        part: Its name in `Health`.
        what: Its name for an operator.
        url: Its address.
        health: Told of every attempt.
        longest: Upper bound of a wait, in seconds.
    """

    def __init__(self, log: logging.Logger, part: str, what: str, url: str, health: Health, *, longest: float) -> None:
        self._part = part
        self._health = health
        self._outage = Outage(log, f"{what} on {public_address(url)}")
        self._lock = threading.Lock()  # guards _backoff, _failed_at and _try_at
        self._backoff = Backoff(0.2, longest)
        self._failed_at = self._try_at = float("-inf")
        self.worked_at = float("-inf")

    @property
    def is_away(self) -> bool:
        """Whether the last attempt failed."""
        return self._outage.is_on

    def works(self) -> None:
        """Note a success."""
        self.worked_at = time.monotonic()
        self._health.works(self._part)
        if self._outage.is_on:
            with self._lock:
                self._backoff.reset()
            self._outage.over()

    def fails(self, error: Exception, what_stays: str, *, begun: float | None = None) -> float:
        """Note a failure, and return the seconds to wait: the back-off's, or what the server asked for if that is more.

        Args:
            error: What went wrong.
            what_stays: What is kept meanwhile, for the log.
            begun: Monotonic time when the attempt began; one that was under way when another failed is no news.
        """
        now = time.monotonic()
        with self._lock:
            if begun is not None and begun < self._failed_at:
                return max(0.0, self._try_at - now)
            asked = getattr(error, "retry_after", None)
            wait = max(self._backoff.next(), float(asked or 0.0))  # a date in the past is no leave to ask at once
            self._failed_at, self._try_at = now, now + wait
        self._health.fails(self._part, str(error))
        self._outage.failed(error, f"{what_stays}, next attempt in {wait:.1f} s")
        return wait
