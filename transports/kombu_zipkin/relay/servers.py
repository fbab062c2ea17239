"""One of the two servers that the relay stands between, as it has last been seen."""

import logging

from kombu_zipkin.outages import Backoff, Outage, public_address
from kombu_zipkin.runtime import Health


class Server:
    """Keeps health, log and waiting times of one server in step. Used by the relay's thread.

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
        self._backoff = Backoff(0.2, longest)

    @property
    def is_away(self) -> bool:
        """Whether the last attempt failed."""
        return self._outage.is_on

    def works(self) -> None:
        """Note a success."""
        self._health.works(self._part)
        self._backoff.reset()
        self._outage.over()

    def fails(self, error: Exception, what_stays: str) -> float:
        """Note a failure, and return the seconds to wait: what the server asked for, or the back-off's."""
        asked = getattr(error, "retry_after", None)
        wait = float(asked) if asked is not None else self._backoff.next()
        self._health.fails(self._part, str(error))
        self._outage.failed(error, f"{what_stays}, next attempt in {wait:.1f} s")
        return wait
