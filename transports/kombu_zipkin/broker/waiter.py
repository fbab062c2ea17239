"""One connection that waits for a message to come to a list, without taking part in a herd."""

import time
from collections.abc import Callable
from importlib.resources import files
from queue import Empty
from typing import Any, Final

import redis

from kombu_zipkin.broker.claimed import ClaimKeys, Source
from kombu_zipkin.broker.line import Line

_SECONDS: Final = 5
_ANSWER_SECONDS: Final = 2.0
_OVERDUE_SECONDS: Final = 5.0
_REGISTER: Final = "return redis.call('ZADD', KEYS[1], redis.call('TIME')[1], ARGV[1])"
_LEAVE: Final = (files("kombu_zipkin.broker") / "leave.lua").read_text("utf-8")


class Waiter:
    """Waits for one list. When a message comes, Redis moves it to a list of this waiter's own: nobody else is woken,
    and nothing is in flight that a killed process would take with it. Used by the consuming thread alone.

    Args:
        pool: Makes the connection.
        keys: Of the consumers.
        source: The list.
        token: The consumer's.
        answered: Called when a message has come.
    """

    def __init__(
        self, pool: Any, keys: ClaimKeys, source: Source, token: str, answered: Callable[["Waiter"], Any]
    ) -> None:
        self.source = source
        self.own_list = f"{keys.unacked}_waiting:{token}:{source.key}"
        self.has_message = False
        self.is_armed = False
        self._line = Line(pool)
        self._keys = keys
        self._answered = answered
        self._client_id = 0
        self._armed_at = 0.0

    @property
    def sock(self) -> Any:
        """What becomes readable; None while there is no connection."""
        return self._line.sock

    @property
    def is_overdue(self) -> bool:
        """Whether Redis should have answered by now."""
        return self.is_armed and time.monotonic() - self._armed_at > _SECONDS + _OVERDUE_SECONDS

    def arm(self) -> bool:
        """Begin to wait.

        Returns:
            Whether there is an answer already.
        """
        if self._line.open():
            self._client_id = self._line.ask([("CLIENT", "ID")])[0]
        register = ("EVAL", _REGISTER, 1, self._keys.waiters, self._member())
        wait = ("BLMOVE", self.source.key, self.own_list, "RIGHT", "LEFT", _SECONDS)
        self._line.send([register, wait])
        self.is_armed, self._armed_at = True, time.monotonic()
        self._line.read()
        return self._line.has_reply()

    def readable(self) -> Any:
        """Read the answer: a message has come, or the time is over.

        Raises:
            Empty: There is none to come.
        """
        if not self.is_armed:  # closed by the server, or read before
            self.drop()
            raise Empty
        try:
            message = self._line.read()
        except BaseException:
            self.drop()
            raise
        self.is_armed = False
        if message is not None:
            self.has_message = True
        return self._answered(self)

    def leave(self, client: "redis.Redis") -> None:
        """Stop waiting; what has come goes back to its list."""
        if self._line.sock is None:
            return
        if self.is_armed:
            client.client_unblock(self._client_id)
            self._line.read(timeout=_ANSWER_SECONDS)
            self.is_armed = False
        self.put_back(client, for_good=True)
        self.drop()

    def put_back(self, client: "redis.Redis", *, for_good: bool = False) -> None:
        """Put what has come back to its list: this consumer has no hand free."""
        self.has_message = False
        member = self._member() if for_good else ""
        client.eval(_LEAVE, 3, self._keys.waiters, self.own_list, self.source.key, member)

    def drop(self) -> None:
        """Close the connection; the next `arm` opens another. What may have come is claimed with the next claim."""
        if self.is_armed:
            self.has_message = True  # perhaps
        self.is_armed = False
        self._line.drop()

    def _member(self) -> str:
        return f"{self._client_id}\n{self.own_list}\n{self.source.key}"


def dismiss(client: "redis.Redis", keys: ClaimKeys, member: bytes) -> None:
    """End a silent waiter, whoever's it is: nothing more comes to it, and what has come goes back.

    Its connection may still be open, of a machine that is gone; the number may be another client's since Redis was
    restarted, which then only waits again.
    """
    client_id, own_list, source = member.split(b"\n", 2)
    client.client_unblock(int(client_id))
    client.eval(_LEAVE, 3, keys.waiters, own_list, source, member)
