"""Your own kombu code, traced: one call at its start, and nothing else of it changes.

::

    python -m examples.kombu_app consume        # until Ctrl-C
    python -m examples.kombu_app publish 3      # in another terminal
    kombu-zipkin relay                          # carries the spans to Zipkin
"""

import os
import signal
import sys
from typing import Any

from kombu import Connection, Queue
from kombu.mixins import ConsumerMixin
from py_zipkin.zipkin import zipkin_span

from kombu_zipkin.messaging import instrument_kombu
from kombu_zipkin.spans import RedisStreamTransport
from kombu_zipkin.tracing import Tracer

REDIS_URL = os.environ.get("REDIS_URL", "redis://localhost:6379/0")
MAILS = Queue("mails", routing_key="mails")


class Mailer(ConsumerMixin):  # type: ignore[misc] # kombu has no types
    """Takes mails off their queue; as written before there was any tracing."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection

    def get_consumers(self, consumer: Any, channel: Any) -> list[Any]:
        """Consume the one queue."""
        return [consumer([MAILS], callbacks=[self.send], accept=["json"])]

    def on_consume_ready(self, *args: Any, **options: Any) -> None:
        """Say so."""
        print("ready", flush=True)

    def send(self, body: dict[str, str], message: Any) -> None:
        """Send one mail; a span of plain py_zipkin is a child of the message's."""
        with zipkin_span("mailer", span_name="smtp"):
            print(f"to {body['to']}", flush=True)
        message.ack()

    def stop(self, *_: object) -> None:
        """Leave after the message in hand."""
        self.should_stop = True


def publish(count: int) -> None:
    """Put so many mails into the queue."""
    with Connection(REDIS_URL) as connection, connection.Producer() as producer:
        for number in range(count):
            producer.publish({"to": f"customer {number}"}, routing_key="mails", declare=[MAILS], retry=True)


def main(role: str, count: int = 1) -> None:
    """Publish, or consume until a signal."""
    spans = RedisStreamTransport(REDIS_URL, stream=os.environ.get("SPANS_STREAM", "zipkin-spans"))
    instrument_kombu(Tracer("mailer" if role == "consume" else "shop", spans))  # this is all
    if role == "publish":
        publish(count)
    else:
        with Connection(REDIS_URL) as connection:
            mailer = Mailer(connection)
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, mailer.stop)
            mailer.run()
    spans.close(5.0)


if __name__ == "__main__":
    if sys.argv[1:2] not in (["consume"], ["publish"]):
        sys.exit("usage: python -m examples.kombu_app consume | publish [N]")
    main(sys.argv[1], *map(int, sys.argv[2:3]))
