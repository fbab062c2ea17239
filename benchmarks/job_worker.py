"""A worker of eight threads; ``stamp`` prints how many microseconds have passed since the job was published."""

import sys
import time

from kombu_zipkin.jobs import JobConsumer, task
from kombu_zipkin.runtime import stop_on_signals
from kombu_zipkin.spans import RedisStreamTransport
from kombu_zipkin.tracing import Tracer

THREADS = 8


@task
def noop(n: int) -> None:
    """Do nothing."""


@task
def wait(seconds: float) -> None:
    """Wait, as for a database."""
    time.sleep(seconds)


@task
def stamp(sent_ns: int) -> None:
    """Print how long ago that was; the clock is the same for all processes."""
    print((time.perf_counter_ns() - sent_ns) / 1000, flush=True)


def main(url: str) -> None:
    """Work until SIGTERM."""
    stop = stop_on_signals()
    spans = RedisStreamTransport(url, max_spans=10**6, budget_bytes=None)
    JobConsumer(url, Tracer("worker", spans, host="10.0.0.1"), [noop, wait, stamp], concurrency=THREADS).run(stop)
    spans.close(5)


if __name__ == "__main__":
    main(sys.argv[1])
