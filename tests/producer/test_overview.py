"""How the system is, when a part of it does not answer."""

import socket
import time

from tests.producer.test_pages import ask
from tests.servers import Programs, wait_until


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
