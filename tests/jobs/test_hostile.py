"""Whatever a task raises, a message holds or a catalogue says: it costs itself alone."""

import base64
import json
import multiprocessing
import zlib
from typing import Any, Literal

import pytest

from kombu_zipkin.errors import InvalidArguments
from kombu_zipkin.jobs import JobPublisher, JobRecords, JobState, Parameters, Retry, task
from kombu_zipkin.jobs.parameters import Parameter
from kombu_zipkin.tracing import SpanRecorder, Tracer
from tests.jobs.conftest import Working
from tests.jobs.test_jobs import ENVELOPE, add, finished
from tests.servers import RedisServer, wait_until


class Unprintable(Exception):
    """An error whose text cannot be made."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


@pytest.mark.parametrize(
    "error", [RuntimeError("\udcff"), Unprintable(), UnicodeDecodeError("utf-8", b"\xff", 0, 1, "x")]
)
@pytest.mark.parametrize("limit", [0, 1])
def test_an_error_that_cannot_be_written_ends_its_job_once(
    working: Working,
    publisher: JobPublisher,
    records: JobRecords,
    redis_server: RedisServer,
    namespace: str,
    error: Exception,
    limit: int,
) -> None:
    """One run an attempt, one dead letter, nothing left in the queue."""
    runs: list[int] = []

    @task(retry=Retry(limit=limit, first_ms=10))
    def strange() -> None:
        runs.append(1)
        raise error

    with working(strange):
        done = finished(records, publisher.publish("strange"))
    assert done.state is JobState.DEAD_LETTERED
    assert done.error is not None
    assert type(error).__name__ in done.error
    assert len(runs) == 1 + limit
    with redis_server.client() as client:
        assert client.llen(f"{namespace}:jobs.dead") == 1
        assert client.exists(f"{namespace}:jobs", f"{namespace}:unacked") == 0


@pytest.mark.parametrize(
    "raw",
    [
        ENVELOPE.replace(b'"base64"', b'"foo"') % b'"body": "x"',
        ENVELOPE.replace(b'"base64"', b'["x"]') % b'"body": "x"',
        ENVELOPE % b'"body": "e30=", "headers": {"at": {"__type__": "datetime", "__value__": 5}}',
        ENVELOPE.replace(b'"base64"', b"null") % b'"body": "\\ud800"',
    ],
)
def test_what_kombu_cannot_open_is_a_dead_letter_not_a_loop_and_not_lost(
    working: Working,
    publisher: JobPublisher,
    records: JobRecords,
    redis_server: RedisServer,
    namespace: str,
    raw: bytes,
) -> None:
    """And the next job runs."""
    with redis_server.client() as client, working(add, concurrency=1):
        client.lpush(f"{namespace}:jobs", raw)
        wait_until(lambda: client.llen(f"{namespace}:jobs.dead") == 1, "the dead letter")
        assert finished(records, publisher.publish("add", a=1)).result == 2
        assert client.llen(f"{namespace}:jobs.dead") == 1


def test_a_retried_message_that_was_compressed_is_read_again(
    working: Working, publisher: JobPublisher, records: JobRecords, redis_server: RedisServer, namespace: str
) -> None:
    """Its body is kept opened, so its headers must not say compressed."""

    runs: list[int] = []

    @task(retry=Retry(limit=2, first_ms=10))
    def failing() -> None:
        runs.append(1)
        raise ConnectionError("no")

    body = zlib.compress(b'{"id": "j1", "task": "failing", "arguments": {}}')
    fields = {"body": base64.b64encode(body).decode(), "headers": {"compression": "application/x-gzip"}}
    head = {"content-type": "application/json", "content-encoding": "utf-8", **fields}
    with redis_server.client() as client, working(failing):
        client.lpush(f"{namespace}:jobs", ENVELOPE % json.dumps(head)[1:-1].encode())
        wait_until(lambda: (found := records.get("j1")) and found.state is JobState.DEAD_LETTERED, "the job to end")
    assert len(runs) == 3


def test_an_announcement_that_cannot_be_read_hides_no_other(
    working: Working, publisher: JobPublisher, redis_server: RedisServer, namespace: str
) -> None:
    """Another version's, or nobody's."""
    with redis_server.client() as client, working(add):
        client.hset(f"{namespace}.catalogue", mapping={"old": '{"queue": "x"}', "rubbish": "no json"})
        assert list(publisher.catalogue.all()) == ["add"]


def typed(
    seconds: float = 1.0,
    colour: Literal["red", "green"] = "red",
    sizes: list[int] | None = None,
    note: str | None = None,
) -> None:
    """A function of bounded types."""


@pytest.mark.parametrize(
    "arguments", [{"colour": "blue"}, {"sizes": ["no"]}, {"seconds": None}, {"note": 3}, {"sizes": {"a": 1}}]
)
def test_a_publisher_refuses_by_schema_what_the_worker_would_refuse(arguments: dict[str, Any]) -> None:
    """It would be accepted, then dead-lettered."""
    own = Parameters.of("typed", typed)
    known = Parameters("typed", [Parameter(each.name, each.schema, each.required, each.default) for each in own.all])
    for parameters in (own, known):
        parameters.check({"sizes": [1], "note": None, "colour": "green"})
        with pytest.raises(InvalidArguments):
            parameters.check(arguments)
    assert known.from_text({"note": "123"}) == {"note": "123"}


def _publish_in_child(publisher: JobPublisher, ids: Any) -> None:
    ids.put(publisher.publish("add", a=1).id)


def test_a_publisher_works_in_a_forked_child(
    working: Working, redis_url: str, namespace: str, records: JobRecords
) -> None:
    """kombu closes what a multiprocessing child inherits."""
    publisher = JobPublisher(redis_url, Tracer("w", SpanRecorder(), host="10.0.0.1"), namespace=namespace)
    with working(add):
        publisher.publish("add", a=1)
        fork = multiprocessing.get_context("fork")
        ids = fork.SimpleQueue()
        child = fork.Process(target=_publish_in_child, args=(publisher, ids))
        child.start()
        child.join(20)
        assert child.exitcode == 0
        found = records.get(ids.get())
        assert found is not None
        assert finished(records, found).result == 2
        ids.close()
        child.close()
    publisher.close()
