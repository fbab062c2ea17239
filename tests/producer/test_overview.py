"""How the system is, when a part of it does not answer."""

import socket
import time

from tests.producer.test_pages import ask
from tests.servers import Programs, RedisServer, wait_until


def test_a_zipkin_that_is_silent_does_not_keep_the_rest(system: Programs, namespace: str) -> None:
    """The other parts are shown at once, Zipkin when it is known that it does not answer."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        own = Programs({**system.environment, "JOBS_NAMESPACE": namespace, "ZIPKIN_URL": url})
        own.start_producer()
        try:
            begun = time.monotonic()
            text = ask(own, "GET", "/overview")[2]
            assert time.monotonic() - begun < 2.5, "Zipkin is waited for, for three seconds"
            assert "<dt>relays</dt><dd>1 running</dd>" in text
            assert "<dt>Zipkin</dt><dd>…</dd>" in text
            wait_until(lambda: "no answer within 3 s" in ask(own, "GET", "/overview")[2], "Zipkin to be told of")
        finally:
            own.close()


def test_a_redis_that_may_lose_something_needs_somebody(own_redis: RedisServer) -> None:
    """What is wrong with its settings is told, with what to set."""
    own = Programs({"REDIS_URL": own_redis.url, "ZIPKIN_URL": "http://127.0.0.1:1"})
    own.start_producer()
    try:
        wait_until(lambda: "<dt>Redis</dt><dd>up, its settings" in ask(own, "GET", "/overview")[2], "Redis to be well")
        with own_redis.client() as client:
            client.config_set("maxmemory-policy", "allkeys-lru")
        wait_until(lambda: "may evict the whole span stream" in ask(own, "GET", "/overview")[2], "it to be told")
    finally:
        own.close()
