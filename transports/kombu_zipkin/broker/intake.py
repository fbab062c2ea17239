"""How messages come into a channel: claimed while there are some, waited for when there are none."""

from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from queue import Empty
from typing import Any

from kombu.transport import virtual

from kombu_zipkin.broker.claimed import Along, Claimed, Source
from kombu_zipkin.broker.line import Line
from kombu_zipkin.broker.listener import Listener
from kombu_zipkin.broker.waiter import Waiter


class Intake:
    """Claims and delivers for one channel, as many messages as its window has room for. The consuming thread's own;
    other threads may call `room` and `wake`.

    Args:
        channel: Whose.
    """

    def __init__(self, channel: Any) -> None:
        self._channel = channel
        self.listener = Listener(channel, channel.claim_keys, self._came, self._rang)
        self._line: Line | None = None
        self._along: deque[Along] = deque()
        self._is_hot = False  # the last claim found as much as it asked for: there may be more
        self._is_woken = False

    def may_have_more(self) -> None:
        """Claim before waiting: there are other lists now."""
        self._is_hot = True

    def listen(self) -> None:
        """Take what is there, or wait for it: called before each poll while there is room for a message."""
        if not self._channel.active_queues:
            return
        self.listener.answer_rings()
        if self._is_hot:
            self.listener.ring()
            return
        try:
            self.listener.wait_for(self._channel.sources(), self._channel.claims.token)
        except self._channel.ResponseError:  # out of memory: Redis lets nobody wait, but it lets claim
            self._is_hot = True
            raise

    def room(self) -> None:
        """Say that there is room for another message; any thread may."""
        if self._is_hot:
            self.listener.ring()

    def wake(self) -> None:
        """End a ``drain_events`` that waits; any thread may."""
        self._is_woken = True
        self.listener.ring()

    def settle_along(self, along: Along) -> None:
        """Settle messages with the next claim, which is made when the caller drains.

        Their places are free from now on. When Redis does not answer, ``drain_events`` raises, and the next one sends
        them again.
        """
        self._along.append(along)
        for each in along.settlements:
            virtual.QoS.ack(self._channel.qos, each.tag)
        self.listener.ring()

    def send_along(self) -> None:
        """Settle without a claim what waits for one."""
        while self._along:
            self._exchange([], 0)

    def drop_line(self) -> None:
        """Close the connection of the exchanges."""
        line, self._line = self._line, None
        if line is not None:
            line.drop()

    def _came(self, waiter: Waiter) -> bool:
        """A waiter was answered."""
        if not waiter.has_message:
            raise Empty
        if not self._can_take():
            waiter.put_back(self._channel.plain_client())
            raise Empty
        self._is_hot = True
        return self._take()

    def _rang(self) -> bool:
        self.listener.check()
        if self.listener.read_answered():
            return True
        if self._along or (self._is_hot and self._can_take()):
            with suppress(Empty):
                return self._take()
        if not self._is_woken:
            raise Empty
        self._is_woken = False
        return True

    def _can_take(self) -> bool:
        return bool(self._channel.active_queues) and self._channel.qos.can_consume()

    def _take(self) -> bool:
        """Claim what fits and deliver it.

        Raises:
            Empty: There was nothing.
        """
        came = self.listener.with_message()
        limit = self._room() if self._is_hot or came else 0
        sources = [each.source._replace(key=each.own_list, group=-1) for each in came] + self._channel.sources()
        self._channel.claims.recover()
        claimed = self._exchange(sources, limit)
        if limit:
            self._is_hot = len(claimed) == limit
            taken = {each.key for each in claimed}
            for each in came:
                each.has_message = self._is_hot and each.own_list not in taken
        if not self._deliver(claimed):
            raise Empty
        return True

    def _room(self) -> int:
        """How many messages may be claimed now."""
        if not self._can_take():
            return 0
        room = self._channel.qos.can_consume_max_estimate()
        at_once: int = self._channel.claim_at_once
        return at_once if room is None else min(at_once, room)

    def _exchange(self, sources: list[Source], limit: int) -> list[Claimed]:
        along = self._along[0] if self._along else None
        if along is None and not limit:
            return []
        if self._line is None:
            self._line = Line(self._channel.pool)
        try:
            claimed: list[Claimed] = self._channel.claims.exchange(self._line, along, sources, limit)
        except BaseException:
            if along is not None:
                self.listener.ring()  # for the next attempt
            raise
        if along is not None:
            self._along.popleft()
        return claimed

    def _deliver(self, claimed: Sequence[Claimed]) -> int:
        undelivered = list(reversed(claimed))
        try:
            return sum(self._channel.deliver(undelivered.pop()) for _ in claimed)
        finally:
            if undelivered:  # a callback raised
                self._channel.claims.give_back([each.tag for each in undelivered])
