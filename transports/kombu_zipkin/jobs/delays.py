"""Jobs that wait in Redis for their time: published with a delay, or to be tried again."""

from collections.abc import Mapping
from importlib.resources import files
from typing import Any, Final

import orjson

from kombu_zipkin.broker import new_envelope
from kombu_zipkin.jobs.keys import JobKeys
from kombu_zipkin.jobs.store import Store

_AT_ONCE: Final = 100


class Delays:
    """The waiting room of one system of publishers and workers. Any thread may use it. Redis brokers only.

    Args:
        store: The queue's own Redis.
        keys: Where.
    """

    def __init__(self, store: Store, keys: JobKeys) -> None:
        self._store = store
        self._keys = keys
        self._script = (files("kombu_zipkin.jobs") / "due.lua").read_text("utf-8")

    def add(self, body: bytes, headers: Mapping[str, Any], queue: str, job_id: str, due_ms: int) -> None:
        """Keep a message until ``due_ms`` epoch milliseconds.

        Raises:
            BrokerUnavailable: Redis did not answer.
        """
        envelope = orjson.dumps(new_envelope(body, headers, queue, message_id=job_id))
        with self._store.using("keep a delayed job") as redis:
            redis.zadd(self._keys.delayed, {queue.encode() + b"\n" + envelope: due_ms})

    def release(self) -> int:
        """Move what is due to its queues.

        Returns:
            How many messages went.

        Raises:
            BrokerUnavailable: Redis did not answer.
        """
        with self._store.using("release delayed jobs") as redis:
            released = redis.register_script(self._script)(
                keys=[self._keys.delayed], args=[f"{self._keys.namespace}:", _AT_ONCE]
            )
        return int(released)
