"""This project: eight threads; records are kept; traced, the spans go to a stream in the same Redis."""

import signal
import sys
import threading

from peer import THREADS, run, url

from kombu_zipkin.jobs import JobConsumer, JobPublisher, task
from kombu_zipkin.spans import RedisStreamTransport
from kombu_zipkin.tracing import ALWAYS, NEVER, Tracer

spans = RedisStreamTransport(url(), max_spans=10**6, budget_bytes=None)
tracer = Tracer("peer", spans, sampler=NEVER if "untraced" in sys.argv else ALWAYS, host="10.0.0.1")
publishers: list[JobPublisher] = []


@task
def noop(n: int) -> None:
    """Do nothing."""


def publish(number: int) -> None:
    """Publish one job."""
    if not publishers:
        publishers.append(JobPublisher(url(), tracer))
        publishers[0].catalogue.announce([noop], "peer")
    publishers[0].publish("noop", n=number)


def work() -> None:
    """Run the consumer until SIGTERM."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    JobConsumer(url(), tracer, [noop], concurrency=THREADS).run(stop)
    spans.close(5)


if __name__ == "__main__":
    run(publish, work)
