"""How full the queues are, and how old their oldest message is."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import orjson

from kombu_zipkin.broker import dead_letter_queue
from kombu_zipkin.jobs.keys import JobKeys
from kombu_zipkin.jobs.store import Store
from kombu_zipkin.messaging import sent_seconds
from kombu_zipkin.runtime import Metrics


@dataclass(frozen=True, slots=True)
class QueueState:
    """One queue, as it is now.

    Attributes:
        name: The queue's.
        waiting: Messages in it.
        oldest_seconds: How long its next message has waited; 0 when there is none, or it does not say.
        dead: Dead letters of it.
    """

    name: str
    waiting: int
    oldest_seconds: float
    dead: int


class Queues:
    """The queues of one system on Redis. Any thread may use it; a call is one round trip.

    Args:
        store: The queue's Redis.
        keys: Where.
        names: Of the queues.
        metrics: Where `look` shows what it sees; None for nowhere.
    """

    def __init__(self, store: Store, keys: JobKeys, names: Sequence[str], metrics: Metrics | None = None) -> None:
        self._store = store
        self._keys = keys
        self._names = list(names)
        self._metrics = metrics

    def states(self) -> tuple[list[QueueState], int, int]:
        """Return every queue, how many jobs wait for their time, and how many are claimed.

        Raises:
            BrokerUnavailable: Redis did not answer.
        """
        with self._store.using("look at the queues") as redis, redis.pipeline(transaction=False) as pipe:
            pipe.zcard(self._keys.delayed)
            pipe.zcard(self._keys.unacked_index)
            for name in self._names:
                pipe.llen(self._keys.queue(name))
                pipe.lindex(self._keys.queue(name), -1)
                pipe.llen(self._keys.queue(dead_letter_queue(name)))
            delayed, claimed, *rest = pipe.execute()
        states = [
            QueueState(name, rest[3 * at], _age(rest[3 * at + 1]), rest[3 * at + 2])
            for at, name in enumerate(self._names)
        ]
        return states, delayed, claimed

    def look(self) -> None:
        """Show the queues in the metrics.

        Raises:
            BrokerUnavailable: Redis did not answer.
        """
        states, delayed, claimed = self.states()
        if self._metrics is None:
            return
        for state in states:
            self._metrics.queue_waiting.labels(state.name).set(state.waiting)
            self._metrics.queue_oldest.labels(state.name).set(state.oldest_seconds)
            self._metrics.queue_dead.labels(state.name).set(state.dead)
        self._metrics.jobs_delayed.set(delayed)
        self._metrics.jobs_claimed.set(claimed)


@contextmanager
def opened_queues(url: str, namespace: str, names: Sequence[str]) -> Iterator[Queues]:
    """Lend a look at the queues of a system's Redis.

    Raises:
        ConfigurationError: The URL is not one.
    """
    store = Store(url, timeout=2.0)
    try:
        yield Queues(store, JobKeys(namespace), names)
    finally:
        store.close()


def _age(raw: bytes | None) -> float:
    """Read how long a message has waited, of whatever lies in the list."""
    try:
        headers: Any = orjson.loads(raw or b"")["headers"]
        sent = sent_seconds(headers)
    except (ValueError, TypeError, KeyError, AttributeError):
        return 0.0
    return 0.0 if sent is None else max(0.0, time.time() - sent)
