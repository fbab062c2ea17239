"""Consumers on our broker, on stock kombu, and a look at what lies in Redis."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import kombu
import pytest
import redis

from kombu_zipkin.broker import new_envelope

OURS = "kombu_zipkin.broker:Transport"
STOCK = "redis"
Consuming = Callable[..., Any]


class Broker:
    """The keys of one test in the shared Redis.

    Args:
        url: Of Redis.
        namespace: Prefix of the keys.
    """

    def __init__(self, url: str, namespace: str) -> None:
        self.url = url
        self.prefix = f"{namespace}:"
        self.client = redis.Redis.from_url(url)

    def connect(self, transport: str = OURS, **options: Any) -> kombu.Connection:
        """Connect as a program would."""
        known = {"global_keyprefix": self.prefix, "priority_steps": [0], **options}
        return kombu.Connection(self.url, transport=transport, transport_options=known)

    def publish(self, *bodies: object, queue: str = "q", transport: str = OURS, **properties: Any) -> None:
        """Publish with kombu's own producer."""
        with self.connect(transport, priority_steps=[0, 3, 6, 9]) as connection:
            producer = connection.Producer(serializer="json")
            for body in bodies:
                producer.publish(body, exchange="", routing_key=queue, **properties)

    def push(self, *raws: bytes, queue: str = "q") -> None:
        """Put whatever into a queue."""
        self.client.lpush(self.prefix + queue, *raws)

    def message(self, body: object = None, queue: str = "q") -> bytes:
        """Return a message as it lies in a queue."""
        return json.dumps(new_envelope(json.dumps(body).encode(), {}, queue)).encode()

    def waiting(self, queue: str = "q") -> int:
        """How many messages wait in a queue."""
        return int(self.client.llen(self.prefix + queue))

    def claimed(self) -> int:
        """How many are claimed and not settled."""
        index, unacked = (self.client.zcard(self.prefix + "unacked_index"), self.client.hlen(self.prefix + "unacked"))
        assert index == unacked
        return int(unacked)


@pytest.fixture
def broker(redis_url: str, namespace: str) -> Iterator[Broker]:
    """The broker of one test."""
    broker = Broker(redis_url, namespace)
    yield broker
    broker.client.close()


@contextmanager
def consumer(
    connection: kombu.Connection, on_message: Callable[[Any], Any], *queues: str, **options: Any
) -> Iterator[kombu.Connection]:
    """Consume on a connection while this is open; the caller drains."""
    with connection:
        named = [kombu.Queue(name, kombu.Exchange(""), routing_key=name) for name in queues or ("q",)]
        with connection.Consumer(named, on_message=on_message, **options):
            yield connection


def taking(seen: list[Any], what: Callable[[Any], Any] = lambda message: message.payload) -> Callable[[Any], None]:
    """Return a handler that notes something of each message, its payload unless told, and acknowledges it."""

    def handle(message: Any) -> None:
        seen.append(what(message))
        message.ack()

    return handle


def drain(connection: kombu.Connection, until: Callable[[], object], seconds: float = 10.0) -> None:
    """Drain events until something is so."""
    end = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < end, "nothing came"
        try:
            connection.drain_events(timeout=0.2)
        except TimeoutError:
            continue
