"""What wakes a consuming channel: messages that come to its lists, and a doorbell for everything else."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from queue import Empty
from typing import Any

import redis

from kombu_zipkin.broker.claimed import ClaimKeys, Source
from kombu_zipkin.broker.doorbell import Doorbell
from kombu_zipkin.broker.waiter import Waiter


class Listener:
    """A channel's waiters, one for each list, and its doorbell. Only the consuming thread may call, except `ring`.

    Args:
        channel: Whose; polled by its connection's poller.
        keys: Of the consumers.
        came: Called when a waiter was answered.
        rang: Called when somebody rang.
    """

    def __init__(self, channel: Any, keys: ClaimKeys, came: Callable[[Waiter], Any], rang: Callable[[], Any]) -> None:
        self._channel = channel
        self._keys = keys
        self._came = came
        self._doorbell = Doorbell(rang)
        self._waiters: dict[str, Waiter] = {}
        self._answered: list[Waiter] = []

    def ring(self) -> None:
        """Wake the consuming thread; any thread may."""
        self._doorbell.ring()

    def answer_rings(self) -> None:
        """Poll the doorbell from now on."""
        self._channel.connection.cycle.watch(self._channel, self._doorbell)

    def wait_for(self, sources: Iterable[Source], token: str) -> None:
        """Have a waiter at each list."""
        self.check()
        for source in sources:
            waiter = self._waiters.get(source.key)
            if waiter is None:
                waiter = Waiter(self._channel.pool, self._keys, source, token, self._came)
                self._waiters[source.key] = waiter
            if not waiter.is_armed:
                self._arm(waiter)

    def with_message(self) -> list[Waiter]:
        """Return the waiters that have been given a message."""
        return [each for each in self._waiters.values() if each.has_message]

    @property
    def is_overdue(self) -> bool:
        """Whether Redis owes an answer; any thread may ask."""
        return any(waiter.is_overdue for waiter in list(self._waiters.values()))

    def check(self) -> None:
        """Raise for a waiter whose answer is overdue: its connection may be open on this side only."""
        for waiter in self._waiters.values():
            if waiter.is_overdue:
                waiter.drop()
                raise redis.ConnectionError("no answer while waiting for a message")

    def keep_only(self, keys: set[str], client: "redis.Redis", failures: tuple[type[BaseException], ...]) -> None:
        """Dismiss the waiters of other lists; what has come to them goes back, at once or when the lease is over."""
        for key in [key for key in self._waiters if key not in keys]:
            waiter = self._waiters.pop(key)
            self._channel.connection.cycle.unwatch(self._channel, waiter)
            with suppress(*failures):
                waiter.leave(client)
            waiter.drop()

    def close(self) -> None:
        """Close the doorbell."""
        self._channel.connection.cycle.unwatch(self._channel, self._doorbell)
        self._doorbell.close()

    def _arm(self, waiter: Waiter) -> None:
        try:
            answered = waiter.arm()
        except BaseException:
            waiter.drop()
            raise
        self._channel.connection.cycle.watch(self._channel, waiter)
        if answered:  # its answer may be read from the socket already, which then is not readable
            self._answered.append(waiter)
            self.ring()

    def read_answered(self) -> bool:
        """Read what was answered while a waiter was armed; whether a message was delivered."""
        delivered = False
        while self._answered:
            with suppress(Empty):
                delivered = bool(self._answered.pop().readable()) or delivered
        return delivered
