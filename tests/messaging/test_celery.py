"""Celery's own worker, traced by the example around each publish and each task's body."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.servers import Process, RedisServer, wait_until
from tests.servers.process import ROOT
from tests.spans.making import spans_in_stream

POOLS = {
    "solo": ["--pool", "solo"],
    "prefork": ["--pool", "prefork"],
    "a child a task": ["--pool", "prefork", "--max-tasks-per-child", "1"],
    "threads": ["--pool", "threads"],
}
CHARGE = "examples.celery_app.charge"


@pytest.fixture(params=POOLS)
def worker(request: pytest.FixtureRequest, own_redis: RedisServer) -> Iterator[RedisServer]:
    """A worker of each kind of pool, which also sends events; yields the Redis of its queue and its spans."""
    options = [*POOLS[request.param], "--concurrency", "2", "--loglevel", "INFO", "--task-events"]
    argv = [sys.executable, "-m", "celery", "-A", "examples.celery_app", "worker", *options]
    process = Process(argv, environment(own_redis))
    try:
        wait_until(lambda: " ready." in process.output or not process.is_running, "the worker", seconds=30)
        assert process.is_running, process.output
        yield own_redis
        process.stop(20)
    finally:
        process.close()


OUR_WORKER = """
import os, sys, time
from examples.celery_app import app
app.conf.update(task_acks_late=True, broker_transport_options={"visibility_timeout": 2})

@app.task(name="slow")
def slow(file):
    with open(file, "a") as begun:
        begun.write(f"{os.getpid()}\\n")
    time.sleep(30 if len(open(file).readlines()) == 1 else 0)

app.worker_main(sys.argv[1:])
"""


@pytest.mark.parametrize("pool", ["solo", "prefork", "threads"])
def test_on_our_broker_a_killed_worker_s_task_comes_back(own_redis: RedisServer, tmp_path: Path, pool: str) -> None:
    """Acknowledged late, on a lease of two seconds; stock kombu has it wait for its visibility timeout, an hour."""
    env = {**environment(own_redis), "BROKER_TRANSPORT": "kombu_zipkin.broker:Transport"}
    argv = [sys.executable, "-c", OUR_WORKER, "worker", *POOLS[pool], "--concurrency", "2", "--loglevel", "INFO"]
    send, file = "app.conf.broker_transport = 'kombu_zipkin.broker:Transport'", tmp_path / "begun"
    killed, second = Process(argv, env), None
    try:
        wait_until(lambda: " ready." in killed.output, "the first worker", seconds=30)
        run(own_redis, f"{send}\nfor n in range(20): charge.delay(n)\napp.send_task('slow', ['{file}'])")
        wait_until(lambda: killed.output.count("succeeded") == 20 and file.exists(), "the tasks to run", seconds=20)
        killed.kill()
        second = Process(argv, env)
        wait_until(lambda: "slow[" in second.output and "succeeded" in second.output, "the task to run again")
        with own_redis.client() as client:
            wait_until(lambda: not client.hlen("unacked") and not client.llen("celery"), "nothing to be left")
        assert second.stop(20) == 0, second.output
    finally:
        for pid in map(int, file.read_text().split() if file.exists() else ()):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)  # a child of the killed pool
        killed.close()
        if second is not None:
            second.close()


def environment(server: RedisServer) -> dict[str, str]:
    """Return the settings that the worker and the publisher share."""
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    return {"REDIS_URL": server.url, "SPANS_STREAM": "celery", "PYTHONPATH": path}


def run(server: RedisServer, script: str) -> None:
    """Run a script with the example's names in a process of its own."""
    lines = f"from celery import chain\nfrom examples.celery_app import *\n{script}\nassert spans.flush(10)"
    env = {**os.environ, **environment(server)}
    subprocess.run([sys.executable, "-c", lines], cwd=ROOT, env=env, check=True, timeout=60)


def find_spans(server: RedisServer, count: int) -> list[dict[str, Any]]:
    """Return all spans by the time they began, once there are so many."""

    def found() -> list[dict[str, Any]] | None:
        spans = spans_in_stream(server.url, "celery")
        return spans if len(spans) >= count else None

    return sorted(wait_until(found, f"{count} spans", seconds=30), key=lambda span: int(span["timestamp"]))


def test_a_task_s_body_is_below_its_publish(worker: RedisServer) -> None:
    """So is the next in a chain, which fails; heartbeats, events and a remote control's replies are no spans."""
    run(worker, "chain(charge.si(7), charge.si(-1)).delay()\nassert app.control.ping(timeout=5, limit=1)")
    spans = find_spans(worker, 6)
    assert sorted((span["name"], span.get("kind")) for span in spans) == [
        ("ask the bank", None), ("ask the bank", None), (f"process {CHARGE}", "CONSUMER"),
        (f"process {CHARGE}", "CONSUMER"), (f"publish {CHARGE}", "PRODUCER"), (f"publish {CHARGE}", "PRODUCER"),
    ]  # fmt: skip
    assert len({span["traceId"] for span in spans}) == 1
    first, second = [span for span in spans if span.get("kind") == "PRODUCER"]
    done, failed = [span for span in spans if span.get("kind") == "CONSUMER"]
    assert "parentId" not in first
    assert (done["parentId"], second["parentId"], failed["parentId"]) == (first["id"], done["id"], second["id"])
    assert {span["parentId"] for span in spans if span["name"] == "ask the bank"} == {done["id"], failed["id"]}
    assert {span["remoteEndpoint"]["serviceName"] for span in (first, second, done, failed)} == {"redis"}
    assert "error" not in done.get("tags", {})
    assert failed["tags"]["error"] == "ValueError: no such order"


def test_an_eager_task_is_below_its_caller(own_redis: RedisServer) -> None:
    """No message, no publish; the trace goes on."""
    run(own_redis, "app.conf.task_always_eager = True\nwith tracer.root('request'):\n    charge.delay(7)")
    request, process, bank = find_spans(own_redis, 3)
    assert (process["name"], process["parentId"]) == (f"process {CHARGE}", request["id"])
    assert bank["parentId"] == process["id"]


def test_a_broker_that_is_away_marks_the_publish(own_redis: RedisServer) -> None:
    """The error is on the PRODUCER span, and comes out as it does without us."""
    away = "app.conf.update(broker_url='redis://127.0.0.1:1/0', broker_transport_options={'max_retries': 0})"
    failing = "try:\n    charge.apply_async([7], retry=False)\n    raise SystemExit(1)"
    run(own_redis, f"{away}\n{failing}\nexcept charge.OperationalError:\n    pass")
    (span,) = find_spans(own_redis, 1)
    assert span["tags"]["error"].startswith("OperationalError")
