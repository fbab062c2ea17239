"""A worker in this process, for the tests of jobs."""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest

from kombu_zipkin.jobs import JobConsumer, JobPublisher, JobRecords, Task
from kombu_zipkin.runtime import Health
from kombu_zipkin.tracing import SpanRecorder, Tracer
from tests.servers import wait_until

Working = Callable[..., AbstractContextManager[None]]


@pytest.fixture
def recorder() -> SpanRecorder:
    """Where the spans of web app and worker go."""
    return SpanRecorder()


@pytest.fixture
def publisher(redis_url: str, namespace: str, recorder: SpanRecorder) -> Iterator[JobPublisher]:
    """Publishes as the web app does."""
    publisher = JobPublisher(redis_url, Tracer("webapp", recorder, host="10.0.0.1"), namespace=namespace)
    yield publisher
    publisher.close()


@pytest.fixture
def records(redis_url: str, namespace: str) -> Iterator[JobRecords]:
    """What is known of the jobs."""
    records = JobRecords(redis_url, namespace=namespace)
    yield records
    records.close()


@pytest.fixture
def working(redis_url: str, namespace: str, recorder: SpanRecorder) -> Working:
    """Run a worker for a while: ``with working(task, another):``."""

    @contextmanager
    def run(*tasks: Task[..., Any], concurrency: int = 2, **options: Any) -> Iterator[None]:
        tracer = Tracer("worker", recorder, host="10.0.0.1")
        health, stop = Health(("queue", "catalogue")), threading.Event()
        consumer = JobConsumer(
            redis_url, tracer, tasks, concurrency=concurrency, namespace=namespace, health=health, **options
        )
        thread = threading.Thread(target=consumer.run, args=(stop,))
        thread.start()
        try:
            wait_until(lambda: not health.faults(), "the worker to be ready")
            yield
        finally:
            stop.set()
            thread.join(30)
            assert not thread.is_alive(), "the worker did not stop"

    return run
