"""Coming from py_zipkin's HTTP transport: one argument changes.

Before, each root posted its spans to Zipkin when it ended, and whoever had called waited for that::

    def http_transport(encoded_span):
        requests.post("http://localhost:9411/api/v2/spans", data=encoded_span)

    with zipkin_span("shop", span_name="buy", transport_handler=http_transport, encoding=Encoding.V2_JSON, ...):

Now they are appended to a buffer, and a thread carries them to Redis::

    python -m examples.from_py_zipkin 3
    kombu-zipkin relay
"""

import os
import sys

from py_zipkin.zipkin import zipkin_span

from kombu_zipkin.spans import RedisStreamTransport


@zipkin_span("shop", span_name="ask the bank")
def ask_the_bank(order: int) -> str:
    """Charge an order; the decorator stays as it was."""
    return f"order {order} charged"


def buy(order: int, transport: RedisStreamTransport) -> str:
    """Handle one request."""
    with zipkin_span("shop", span_name="buy", transport_handler=transport, sample_rate=100.0, host="127.0.0.1"):
        return ask_the_bank(order)


def main(count: int) -> None:
    """Handle so many; `close` sends what waits, for two seconds even without being called."""
    transport = RedisStreamTransport(
        os.environ.get("REDIS_URL", "redis://localhost:6379/0"), stream=os.environ.get("SPANS_STREAM", "zipkin-spans")
    )
    for order in range(count):
        print(buy(order, transport))
    print(transport.close(5.0))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
