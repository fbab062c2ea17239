"""Jobs that wait in Redis for their time: published with a delay, or to be tried again."""

from collections.abc import Callable, Mapping
from importlib.resources import files
from typing import Any, Final

import orjson

from kombu_zipkin.broker import new_envelope
from kombu_zipkin.jobs.keys import JobKeys
from kombu_zipkin.jobs.store import Store

_AT_ONCE: Final = 100
_SENDING_MS: Final = 60_000


class Delays:
    """The waiting room of one system of publishers and workers. Any thread may use it.

    Args:
        store: The queue's own Redis; the records', where the broker is none.
        keys: Where.
    """

    def __init__(self, store: Store, keys: JobKeys) -> None:
        self._store = store
        self._keys = keys
        self._due = (files("kombu_zipkin.jobs") / "due.lua").read_text("utf-8")
        self._lend = (files("kombu_zipkin.jobs") / "lend.lua").read_text("utf-8")

    def add(self, body: bytes, headers: Mapping[str, Any], queue: str, job_id: str, due_ms: int) -> None:
        """Keep a message until ``due_ms`` epoch milliseconds.

        Raises:
            BrokerUnavailable: Redis did not answer.
        """
        envelope = orjson.dumps(new_envelope(body, headers, queue, message_id=job_id))
        with self._store.using("keep a delayed job") as redis:
            redis.zadd(self._keys.delayed, {delayed_member(queue, envelope): due_ms})

    def release(self) -> int:
        """Move what is due to its queues, in the same Redis.

        Returns:
            How many messages went.

        Raises:
            BrokerUnavailable: Redis did not answer.
        """
        with self._store.using("release delayed jobs") as redis:
            released = redis.register_script(self._due)(
                keys=[self._keys.delayed], args=[f"{self._keys.namespace}:", _AT_ONCE]
            )
        return int(released)

    def send(self, send: Callable[[str, dict[str, Any]], None]) -> int:
        """Send what is due to its queues, at another broker: published first, removed after.

        Args:
            send: Publishes a message, given its queue and envelope; if it raises, the message is due again in a minute.

        Raises:
            BrokerUnavailable: A server did not answer.
        """
        with self._store.using("read due jobs") as redis:
            lent: Any = redis.register_script(self._lend)(keys=[self._keys.delayed], args=[_AT_ONCE, _SENDING_MS])
            for member in lent:
                queue, _, envelope = member.partition(b"\n")
                send(queue.decode(), orjson.loads(envelope))
                redis.zrem(self._keys.delayed, member)
        return len(lent)


def delayed_member(queue: str, envelope: bytes) -> bytes:
    """Write a message as it lies in the waiting room."""
    return queue.encode() + b"\n" + envelope
