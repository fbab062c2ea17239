"""A stream to feed, a sink to answer, a relay to run between them."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from kombu_zipkin.relay import Relay, RelaySettings
from kombu_zipkin.runtime import Health, Metrics
from tests.relay.feeding import Feed
from tests.relay.sink import Sink


@pytest.fixture
def feed(redis_url: str, namespace: str) -> Iterator[Feed]:
    """Writes into this test's stream."""
    feed = Feed(redis_url, namespace)
    yield feed
    feed.close()


@pytest.fixture
def sink() -> Iterator[Sink]:
    """Stands where Zipkin would, for the answers that a healthy one does not give."""
    sink = Sink()
    yield sink
    sink.close()


@pytest.fixture
def relaying(redis_url: str, namespace: str) -> Callable[..., Any]:
    """Run a relay for a while: ``with relaying(zipkin_url) as health:``."""

    @contextmanager
    def run(zipkin_url: str, *, metrics: Metrics | None = None, **changes: Any) -> Iterator[Health]:
        usual = {"redis_url": redis_url, "spans_stream": namespace, "relay_claim_after": 1.0}
        settings = RelaySettings(zipkin_url=zipkin_url, **{**usual, **changes})
        stop, health = threading.Event(), Health(("redis", "zipkin"))
        relay = Relay(settings, health=health, metrics=metrics)
        thread = threading.Thread(target=relay.run, args=(stop,))
        thread.start()
        try:
            yield health
        finally:
            stop.set()
            thread.join(20)
            assert not thread.is_alive(), "the relay did not stop"

    return run
