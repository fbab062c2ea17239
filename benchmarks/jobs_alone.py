"""Jobs by this project alone: batches, latency when idle, jobs that wait, an idle worker, a million jobs."""

import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import redis

from benchmarks.goals import percentile, row
from benchmarks.processes import cpu_seconds, rss_mib
from kombu_zipkin.jobs import JobPublisher
from kombu_zipkin.spans import RedisStreamTransport
from kombu_zipkin.tracing import Tracer
from tests.servers import RedisServer

QUEUE = "kombu-zipkin:jobs"
BATCHES = 5
BATCH = 10_000
LATENCIES = 500
WAITING_JOBS = 4000
IDLE_SECONDS = 20.0
MANY = 1_000_000
CHUNK = 20_000


def batch() -> None:
    """Publish in batches."""
    with _publishing() as (publisher, server, tracer, _):
        with _worker(server.url):
            _wait_for_tasks(publisher)
        jobs = [{"n": number} for number in range(BATCH)]
        in_one, alone = list[float](), list[float]()
        for _ in range(BATCHES):
            begun = time.perf_counter()
            with tracer.root("import"):
                publisher.publish_many("noop", jobs)
            in_one.append(BATCH / (time.perf_counter() - begun))
            begun = time.perf_counter()
            publisher.publish_many("noop", jobs)
            alone.append(BATCH / (time.perf_counter() - begun))
        row("publish_many, traced, in a request's trace", in_one, ">= 20,000", "jobs/s")
        row("publish_many, traced, each job a trace of its own", alone, "", "jobs/s")


def latency() -> None:
    """From the call of ``publish`` to the start of the task, one job at a time; then jobs of 10 ms on eight threads."""
    with _publishing() as (publisher, server, _, client), _worker(server.url) as worker:
        _wait_for_tasks(publisher)
        assert worker.stdout is not None
        found = []
        for number in range(LATENCIES + 20):
            publisher.publish("stamp", sent_ns=time.perf_counter_ns())
            micros = float(worker.stdout.readline())
            if number >= 20:
                found.append(micros / 1000)
            time.sleep(0.01)
        row("publish to start, idle: p50", [percentile(found, 0.5)], "<= 2", "ms")
        row("publish to start, idle: p99", [percentile(found, 0.99)], "<= 10", "ms")
        publisher.publish_many("wait", [{"seconds": 0.01}] * WAITING_JOBS)
        _drained(client, int(0.97 * WAITING_JOBS))
        begun, first = time.perf_counter(), client.llen(QUEUE)
        _drained(client, int(0.03 * WAITING_JOBS))
        rate = (first - client.llen(QUEUE)) / (time.perf_counter() - begun)
        row("jobs of 10 ms on eight threads, of 800 a second", [rate / 800], ">= 0.95")
        row("the same, of eight threads that only sleep", [rate / _sleeping()], "")


def idle() -> None:
    """What a worker costs that has nothing to do."""
    with _publishing() as (publisher, server, _, _), _worker(server.url) as worker:
        _wait_for_tasks(publisher)
        time.sleep(3)
        before = cpu_seconds(worker.pid)
        time.sleep(IDLE_SECONDS)
        row("idle worker, of one core", [100 * (cpu_seconds(worker.pid) - before) / IDLE_SECONDS], "<= 1", "%")


def memory() -> None:
    """A million jobs through one worker."""
    with _publishing() as (publisher, server, _, client), _worker(server.url) as worker:
        _wait_for_tasks(publisher)
        sizes, begun = list[float](), time.perf_counter()
        for done in range(0, MANY, CHUNK):
            _drained(client, CHUNK // 4)
            if done >= MANY // 10:
                sizes.append(rss_mib(worker.pid))
            publisher.publish_many("noop", [{"n": number} for number in range(CHUNK)])
            client.xtrim("kombu-zipkin:spans", 0)  # nobody reads them here
        _drained(client, 0)
        sizes.append(rss_mib(worker.pid))
        grown = statistics.mean(sizes[-5:]) - statistics.mean(sizes[:5])
        row(f"{MANY:,} jobs: growth of the worker after the first tenth", [grown], "<= 8", "MiB")
        row(f"{MANY:,} jobs, published and run", [MANY / (time.perf_counter() - begun)], "", "jobs/s")


def _sleeping() -> float:
    """How often a second eight threads end a sleep of 10 ms on this machine."""
    ends, until = [0] * 8, time.monotonic() + 3

    def sleep(number: int) -> None:
        while time.monotonic() < until:
            time.sleep(0.01)
            ends[number] += 1

    threads = [threading.Thread(target=sleep, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(ends) / 3


@contextmanager
def _publishing() -> Iterator[tuple[JobPublisher, RedisServer, Tracer, "redis.Redis"]]:
    with TemporaryDirectory() as folder:
        server = RedisServer(Path(folder))
        spans = RedisStreamTransport(server.url, max_spans=10**6, budget_bytes=None)
        tracer = Tracer("shop", spans, host="10.0.0.1")
        publisher = JobPublisher(server.url, tracer)
        try:
            yield publisher, server, tracer, redis.Redis.from_url(server.url)
        finally:
            publisher.close()
            spans.close(5)
            server.close()


@contextmanager
def _worker(url: str) -> Iterator["subprocess.Popen[str]"]:
    argv = [sys.executable, "-m", "benchmarks.job_worker", url]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(30)


def _wait_for_tasks(publisher: JobPublisher) -> None:
    until, pause = time.monotonic() + 20, threading.Event()
    while not publisher.catalogue.workers():
        assert time.monotonic() < until, "the worker does not announce its tasks"
        pause.wait(0.05)


def _drained(client: "redis.Redis", most: int) -> None:
    while client.llen(QUEUE) > most:
        time.sleep(0.002)
