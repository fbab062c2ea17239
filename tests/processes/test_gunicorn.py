"""Tracer and transport made before gunicorn forks its workers: every request's trace arrives whole, once."""

import http.client
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from tests.processes.checking import assert_whole
from tests.servers import Process, wait_until
from tests.servers.programs import request
from tests.servers.waiting import free_port

WORKERS = {
    "sync": ["--worker-class", "sync"],
    "gthread": ["--worker-class", "gthread", "--threads", "4"],
    "gevent": ["--worker-class", "gevent"],
}
CLIENTS, REQUESTS = 6, 20


@contextmanager
def gunicorn(url: str, stream: str, options: list[str], **env: str) -> Iterator[tuple[Process, int]]:
    """Run the web subject on two workers, preloaded; yields the master and its port once both workers answer."""
    port = free_port()
    argv = [sys.executable, "-m", "gunicorn", "--preload", "--workers", "2", "--bind", f"127.0.0.1:{port}"]
    argv += ["--no-control-socket", "--graceful-timeout", "10", *options, "tests.processes.subjects.web:app"]
    process = Process(argv, {"SUBJECT_REDIS": url, "SUBJECT_STREAM": stream, **env})
    try:
        answered = set[object]()

        def both_answer() -> bool:
            assert process.is_running, process.output
            answered.add(request(f"http://127.0.0.1:{port}/pid")[1])
            return len(answered - {None}) == 2

        wait_until(both_answer, "both workers to answer")
        yield process, port
    finally:
        if process.is_running:
            process.stop(20)
        process.close()


def ask(port: int, marks: list[str]) -> dict[str, str]:
    """Send a request for each mark, as one client; returns the trace id that each response named."""
    named = {}
    for mark in marks:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        try:
            connection.request("GET", f"/?{mark}")
            response = connection.getresponse()
            assert (response.status, response.read() != b"") == (200, True)
            named[mark] = str(response.getheader("X-B3-TraceId"))
        finally:
            connection.close()
    return named


def ask_at_once(port: int) -> dict[str, str]:
    """Send the requests of all clients, concurrently."""
    with ThreadPoolExecutor(CLIENTS) as pool:
        marks = [[f"client-{client}.{number}" for number in range(REQUESTS)] for client in range(CLIENTS)]
        return {mark: trace_id for named in pool.map(ask, [port] * CLIENTS, marks) for mark, trace_id in named.items()}


@pytest.mark.parametrize("before", [{}, {"SUBJECT_TRACES_BEFORE_FORK": "1"}], ids=["quiet", "traced before the fork"])
@pytest.mark.parametrize("worker", WORKERS)
def test_every_request_of_a_preloaded_application_is_whole_in_the_stream(
    redis_url: str, namespace: str, worker: str, before: dict[str, str]
) -> None:
    """SIGTERM right after the last response: what waits in the workers is sent on their way out."""
    with gunicorn(redis_url, namespace, WORKERS[worker], **before) as (master, port):
        named = ask_at_once(port)
        assert master.stop(20) == 0, master.output
        output = master.output
    traces = assert_whole(redis_url, namespace, [*named, *(["master.0"] if before else [])])
    assert {mark: traces[mark] for mark in named} == named
    assert "Traceback" not in output, output
