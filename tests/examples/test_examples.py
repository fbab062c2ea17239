"""The examples, by the commands that their docstrings show: what they print, and the traces that come of it."""

import http.client
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from kombu_zipkin.spans import read_ledger
from tests.servers import Process, RedisServer, ZipkinServer, wait_until
from tests.servers.process import ROOT
from tests.servers.programs import KOMBU_ZIPKIN
from tests.servers.waiting import free_port
from tests.spans.making import spans_in_stream

Shown = Counter[tuple[str, str, str]]
"""How often each service reported a span of a kind and a name."""


@pytest.fixture
def env(redis_server: RedisServer, namespace: str) -> dict[str, str]:
    """What the examples read."""
    return {"REDIS_URL": redis_server.url, "SPANS_STREAM": namespace, "JOBS_NAMESPACE": namespace}


def example(module: str, *argv: str, env: dict[str, str]) -> str:
    """Run an example to its end; returns what it printed."""
    command = [sys.executable, "-W", "error", "-m", f"examples.{module}", *argv]
    done = subprocess.run(
        command, env={**os.environ, **env}, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    return done.stdout


@contextmanager
def running(argv: list[str], env: dict[str, str], ready: str) -> Iterator[Process]:
    """Run a program until the block ends, then have it end in good order."""
    process = Process(argv, env)
    try:
        wait_until(lambda: ready in process.output or not process.is_running, "the program to begin", seconds=30)
        assert process.is_running, process.output
        yield process
        assert process.stop(20) == 0, process.output
    finally:
        process.close()


@contextmanager
def worker(env: dict[str, str]) -> Iterator[Process]:
    """Run the shop's worker."""
    argv = [*KOMBU_ZIPKIN, "worker", "examples.flask_shop.tasks", "--port", str(free_port())]
    with running(argv, env, "worker begins") as process:
        yield process


def shown(env: dict[str, str]) -> Shown:
    """Return what lies in the stream."""
    return Counter(
        (span["localEndpoint"]["serviceName"], span.get("kind", ""), span["name"])
        for span in spans_in_stream(env["REDIS_URL"], env["SPANS_STREAM"])
    )


def traces(env: dict[str, str]) -> dict[str, list[dict[str, Any]]]:
    """Return the stream's spans by trace."""
    found: dict[str, list[dict[str, Any]]] = {}
    for span in spans_in_stream(env["REDIS_URL"], env["SPANS_STREAM"]):
        found.setdefault(span["traceId"], []).append(span)
    return found


def assert_rooted(trace: list[dict[str, Any]]) -> None:
    """One root; every other span hangs below one that is there."""
    ids = {span["id"] for span in trace}
    assert len(ids) == len(trace)
    assert sum("parentId" not in span for span in trace) == 1
    assert all(span["parentId"] in ids for span in trace if "parentId" in span)


def order(port: int, number: str) -> tuple[int, Any]:
    """Send an order as the example's curl does."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=15)
    try:
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        connection.request("POST", "/orders", f"order={number}", form)
        response = connection.getresponse()
        return response.status, json.load(response)
    finally:
        connection.close()


def listens(port: int) -> bool:
    """Whether somebody answers there."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status == 404
    except OSError:
        return False
    finally:
        connection.close()


CHARGED = {("redis", "", "wait in jobs"): 1, ("worker", "CONSUMER", "process charge"): 1}


def test_kombu_code_of_one_s_own_is_traced_by_one_call(env: dict[str, str]) -> None:
    """Each mail from its publishing to what the consumer does."""
    with running([sys.executable, "-m", "examples.kombu_app", "consume"], env, "ready") as consumer:
        example("kombu_app", "publish", "3", env=env)
        wait_until(lambda: "to customer 2" in consumer.output, "the mails to be sent")
    assert shown(env) == {
        ("shop", "PRODUCER", "publish mails"): 3,
        ("redis", "", "wait in mails"): 3,
        ("mailer", "CONSUMER", "process mails"): 3,
        ("mailer", "", "smtp"): 3,
    }
    for trace in traces(env).values():
        assert_rooted(trace)


GUNICORN = ["gunicorn", "--preload", "--workers", "2", "--no-control-socket", "examples.flask_shop.app:create_app()"]


@pytest.mark.parametrize("server", ["flask", "gunicorn"])
def test_a_request_s_trace_goes_on_in_the_worker(env: dict[str, str], server: str) -> None:
    """And a wrong order is refused before it is one."""
    port = free_port()
    ways = {
        "flask": ["flask", "--app", "examples.flask_shop.app", "run", "--port", str(port)],
        "gunicorn": [*GUNICORN, "--bind", f"127.0.0.1:{port}"],
    }
    with worker(env) as working:
        app = Process([sys.executable, "-m", *ways[server]], env)
        try:
            wait_until(lambda: listens(port), f"{server} to answer; {app.output}", seconds=30)
            if server == "gunicorn":  # which forgets a worker that begins while it is told to end
                wait_until(lambda: app.output.count("Booting worker") == 2, "both workers")
            status, taken = order(port, "7")
            assert status == 202, taken
            assert order(port, "seven")[0] == 400
            wait_until(lambda: taken["job"] in working.output and "succeeded" in working.output, "the order's charge")
            wait_until(lambda: taken["trace"] in traces(env), "the request's spans")
            assert app.stop() == (0 if server == "gunicorn" else -signal.SIGTERM)
        finally:
            app.close()
    trace = traces(env)[taken["trace"]]
    assert_rooted(trace)
    names = Counter((span["localEndpoint"]["serviceName"], span.get("kind", ""), span["name"]) for span in trace)
    request = {("shop", "SERVER", "post /orders"): 1, ("shop", "", "check stock"): 1}
    assert names == {**request, ("shop", "PRODUCER", "publish charge"): 1, **CHARGED}


def test_without_a_worker_an_order_is_not_at_fault(env: dict[str, str]) -> None:
    """The service is not there, says the app; the asyncio program says so in a line."""
    port = free_port()
    app = Process([sys.executable, "-m", "flask", "--app", "examples.flask_shop.app", "run", "--port", str(port)], env)
    try:
        wait_until(lambda: listens(port), "flask to answer", seconds=30)
        status, answer = order(port, "7")
        assert (status, "no worker has announced it" in answer["error"]) == (503, True)
    finally:
        app.close()
    command = [sys.executable, "-m", "examples.asyncio_app", "1"]
    done = subprocess.run(
        command, env={**os.environ, **env}, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr


def test_coroutines_at_once_have_traces_of_their_own(env: dict[str, str]) -> None:
    """Each with its job's."""
    with worker(env) as working:
        printed = example("asyncio_app", "5", env=env)
        wait_until(lambda: working.output.count(" succeeded") == 5, "the charges")
    found = traces(env)
    assert sorted(found) == sorted(line.split()[-1] for line in printed.splitlines())
    for trace in found.values():
        assert_rooted(trace)
        names = Counter((span["localEndpoint"]["serviceName"], span.get("kind", ""), span["name"]) for span in trace)
        order = {("shop", "", "take order"): 1, ("shop", "", "check stock"): 1}
        assert names == {**order, ("shop", "PRODUCER", "publish charge"): 1, **CHARGED}


def test_py_zipkin_code_changes_one_argument(env: dict[str, str], zipkin: ZipkinServer) -> None:
    """And a relay carries what it made to Zipkin: nothing waits, nothing is missing."""
    printed = example("from_py_zipkin", "3", env=env)
    assert "SpanCounts(created=6, acknowledged=6, held=0, dropped={}" in printed
    ids = list(traces(env))
    relay = [*KOMBU_ZIPKIN, "relay", "--port", str(free_port()), "--zipkin-url", zipkin.url]
    with running(relay, env, " begins"):
        trees = [zipkin.wait_for_trace(trace_id, 2) for trace_id in ids]
        wait_until(lambda: read_ledger(env["REDIS_URL"], stream=env["SPANS_STREAM"]).waiting == 0, "nothing to wait")
    assert [[node.name for _, node in tree.walk()] for tree in trees] == [["buy", "ask the bank"]] * 3
