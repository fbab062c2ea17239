"""This project: eight threads; records are kept; traced, the spans go to a stream in the same Redis."""

import os
import sys

from peer import THREADS, become, run, url

from kombu_zipkin.jobs import JobPublisher, task
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
    """Run its worker command, quietly."""
    os.environ.update(LOG_LEVEL="ERROR", WORKER_PORT="0", WORKER_CONCURRENCY=str(THREADS), REDIS_URL=url())
    become("kombu_zipkin.cli", "worker", "with_kombu_zipkin")


if __name__ == "__main__":
    run(publish, work)
