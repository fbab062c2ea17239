"""Celery's own worker, traced by the example's two signals."""

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.servers import Process, wait_until
from tests.servers.process import ROOT
from tests.spans.making import spans_in_stream


POOLS = {
    "solo": ["--pool", "solo"],
    "prefork": ["--pool", "prefork"],
    "a child a task": ["--pool", "prefork", "--max-tasks-per-child", "1"],
    "threads": ["--pool", "threads"],
}


@pytest.fixture(params=POOLS)
def worker(request: pytest.FixtureRequest, own_redis: Any) -> Iterator[dict[str, str]]:
    """A worker of each kind of pool; yields the settings that it and the publisher share."""
    env = {"REDIS_URL": own_redis.url, "SPANS_STREAM": "celery"}
    options = [*POOLS[request.param], "--concurrency", "2", "--loglevel", "INFO"]
    argv = [sys.executable, "-m", "celery", "-A", "examples.celery_app", "worker", *options]
    process = Process(argv, {**env, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])})
    wait_until(lambda: " ready." in process.output or not process.is_running, "the worker", seconds=30)
    assert process.is_running, process.output
    yield env
    process.signal(15)
    process.wait(20)
    process.close()


def publish(env: dict[str, str], order: int) -> None:
    """Publish one job of the example from a process of its own."""
    script = f"from examples.celery_app import charge, spans; charge.delay({order}); assert spans.flush(10)"
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, env={**os.environ, **env}, check=True, timeout=60)


def test_a_task_s_body_is_below_the_publish(worker: dict[str, str]) -> None:
    """PRODUCER, CONSUMER with an id of its own, and what plain py_zipkin makes inside; a failure is marked."""

    def found() -> dict[str, Any] | None:
        spans = spans_in_stream(worker["REDIS_URL"], "celery")
        by_name = {f"{span['name']}{' failed' if 'error' in span.get('tags', {}) else ''}": span for span in spans}
        return by_name if len(spans) == 6 else None

    for order in (7, -1):
        publish(worker, order)
    spans = wait_until(found, "six spans", seconds=30)
    done, failed = spans["process examples.celery_app.charge"], spans["process examples.celery_app.charge failed"]
    assert failed["tags"]["error"] == "ValueError: no such order"
    published = [span for span in spans_in_stream(worker["REDIS_URL"], "celery") if span.get("kind") == "PRODUCER"]
    assert {span["id"] for span in published} == {done["parentId"], failed["parentId"]}
    assert spans["ask the bank"]["parentId"] == done["id"]
    assert spans["ask the bank failed"]["parentId"] == failed["id"]
    assert {span["name"] for span in published} == {"publish celery"}
    assert done["kind"] == "CONSUMER"
    assert done["remoteEndpoint"]["serviceName"] == "redis"
