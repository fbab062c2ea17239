"""What the run of `tests.faults.jobs` kills: publishers and workers, which note what they know in files."""

import logging
import os
import random
import threading
import time
from pathlib import Path
from typing import Final

from kombu_zipkin.errors import BrokerUnavailable, UnknownTask
from kombu_zipkin.jobs import JobConsumer, JobPublisher, Retry, collect_tasks, task
from kombu_zipkin.tracing import NEVER, SpanRecorder, Tracer

LEASE_SECONDS: Final = 3.0
CONCURRENCY: Final = 8
_notes: Path


class Flaky(Exception):
    """What a flaky task raises."""


@task
def count(key: str) -> str:
    """Be done at once."""
    return _do(key)


@task(name="count_slow")
def count_slow(key: str) -> str:
    """Take some milliseconds."""
    threading.Event().wait(0.005)
    return _do(key)


@task(retry=Retry(limit=20, first_ms=20, longest_ms=200))
def flaky(key: str, share: float) -> str:
    """Fail for a share of the attempts."""
    if random.random() < share:
        raise Flaky(key)
    return _do(key)


@task
def broken(key: str) -> None:
    """Fail."""
    raise Flaky(key)


def run_worker(url: str, notes: str) -> None:
    """Run jobs until killed."""
    global _notes
    _notes = Path(notes)
    logging.getLogger().setLevel(logging.CRITICAL)  # hundreds of lost workers, each with a warning
    tasks = collect_tasks([__name__])
    tracer = Tracer("worker", SpanRecorder(), sampler=NEVER, host="10.0.0.1")
    JobConsumer(url, tracer, tasks, concurrency=CONCURRENCY, lease_seconds=LEASE_SECONDS).run(threading.Event())


def run_publisher(url: str, name: str, notes: str, pause: float) -> None:
    """Publish jobs until killed; an id is noted when the queue has acknowledged it, never before."""
    logging.getLogger().setLevel(logging.CRITICAL)
    publisher = JobPublisher(url, Tracer("web", SpanRecorder(), sampler=NEVER, host="10.0.0.1"), timeout=2.0)
    rng, number = random.Random(name), 0
    while True:
        number += 1
        key = f"{name}-{number}"
        kind = rng.random()
        which, more = (
            ("flaky", {"share": 0.3}) if kind < 0.02 else ("broken", {}) if kind < 0.03 else
            ("count_slow", {}) if kind < 0.2 else ("count", {})
        )  # fmt: skip
        delay_ms = rng.randrange(1, 500) if rng.random() < 0.02 else 0
        while not _published(publisher, which, key, delay_ms, more):
            time.sleep(0.05)
        _append(Path(notes), key)
        if pause:
            time.sleep(pause)


def _published(publisher: JobPublisher, which: str, key: str, delay_ms: int, more: dict[str, float]) -> bool:
    """Try once; after an error the same id is tried again, and must not run twice for that."""
    try:
        publisher.publish(which, job_id=key, delay_ms=delay_ms, key=key, **more)
    except (BrokerUnavailable, UnknownTask):
        return False
    return True


def _do(key: str) -> str:
    _append(_notes, key)
    return key


def _append(path: Path, line: str) -> None:
    """Append a line in one write, so that a kill leaves all of it or nothing."""
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        os.write(handle, f"{line}\n".encode())
    finally:
        os.close(handle)
