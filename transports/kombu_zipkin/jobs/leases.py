"""Say that running jobs are still being worked on, or their messages would be delivered again."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from kombu_zipkin.jobs.keys import JobKeys
from kombu_zipkin.jobs.store import Store


class Leases:
    """The messages this worker holds. Any thread may hold; one renews. On AMQP the connection itself is the lease.

    Args:
        store: The queue's own Redis; None where the broker is none.
        keys: Where.
    """

    def __init__(self, store: Store | None, keys: JobKeys) -> None:
        self._store = store
        self._index = (
            f"{keys.namespace}:unacked_index"  # kombu's: delivery tag by epoch seconds of the last sign of life
        )
        self._lock = threading.Lock()  # guards _tags
        self._tags: set[str] = set()

    @contextmanager
    def held(self, tag: str) -> Iterator[None]:
        """Renew the lease of a delivery tag while this is open."""
        with self._lock:
            self._tags.add(tag)
        try:
            yield
        finally:
            with self._lock:
                self._tags.discard(tag)

    def renew(self) -> None:
        """Renew every lease that is still ours.

        Raises:
            BrokerUnavailable: Redis did not answer.
        """
        with self._lock:
            now = dict.fromkeys(self._tags, time.time())
        if now and self._store is not None:
            with self._store.using("renew the leases of running jobs") as redis:
                redis.zadd(self._index, now, xx=True)
