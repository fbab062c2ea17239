"""Jobs that wait in Redis for their time: published with a delay, or to be tried again."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
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
        self._due, self._lend, self._release = (store.script(name) for name in ("due", "lend", "release"))

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
        args = [f"{self._keys.namespace}:", _AT_ONCE]
        return int(self._store.run("release delayed jobs", self._due, [self._keys.delayed], args))

    def send(self, send: Callable[[str, dict[str, Any]], None]) -> int:
        """Send what is due to its queues, at another broker: published first, removed after.

        Args:
            send: Publishes a message, given its queue and envelope; if it raises, the message is due again in a minute.

        Raises:
            BrokerUnavailable: A server did not answer.
        """
        lent = self._store.run("read due jobs", self._lend, [self._keys.delayed], [_AT_ONCE, _SENDING_MS])
        for member in lent:
            queue, _, envelope = member.partition(b"\n")
            send(queue.decode(), orjson.loads(envelope))
            with self._store.using("remove a job that was sent") as redis:
                redis.zrem(self._keys.delayed, member)
        return len(lent)

    def release_now(self, job_id: str) -> bool:
        """Put a job into its queue before its time; False where it does not wait.

        Raises:
            BrokerUnavailable: Redis did not answer.
        """
        at = 0
        with self._store.using("release a waiting job") as redis:
            while some := self._page(redis, at):
                for member in some:
                    queue, _, envelope = member.partition(b"\n")
                    if _id_of(envelope) == job_id:
                        keys = [self._keys.delayed, self._keys.queue(queue.decode())]
                        return bool(self._store.run("release a waiting job", self._release, keys, [member, envelope]))
                at += len(some)
        return False

    def _page(self, redis: Any, at: int) -> Any:
        return redis.zrange(self._keys.delayed, at, at + _AT_ONCE - 1)


@contextmanager
def opened_delays(url: str, namespace: str) -> Iterator[Delays]:
    """Lend the waiting room of a system's Redis.

    Raises:
        ConfigurationError: The URL is not one.
    """
    store = Store(url, timeout=5.0)
    try:
        yield Delays(store, JobKeys(namespace))
    finally:
        store.close()


def delayed_member(queue: str, envelope: bytes) -> bytes:
    """Write a message as it lies in the waiting room."""
    return queue.encode() + b"\n" + envelope


def _id_of(envelope: bytes) -> str | None:
    try:
        message_id = orjson.loads(envelope)["properties"]["message_id"]
    except (ValueError, KeyError, TypeError):
        return None
    return message_id if isinstance(message_id, str) else None
