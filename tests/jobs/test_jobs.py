"""A job's way: published, run, recorded, and its trace."""

import json
import signal
import threading
import time
from typing import Any

import kombu
import pytest
import redis

from kombu_zipkin.broker.claimed import ClaimKeys, Source
from kombu_zipkin.broker.claims import Claims
from kombu_zipkin.errors import BrokerUnavailable, InvalidArguments, InvalidJob, JobTooLarge, UnknownTask
from kombu_zipkin.jobs import Attempt, Job, JobConsumer, JobContext, JobPublisher, JobRecords, JobState, Retry, task
from kombu_zipkin.jobs.changes import published, running, succeeded
from kombu_zipkin.messaging import instrument_kombu
from kombu_zipkin.tracing import ALWAYS, NEVER, Kind, Sampler, SpanRecorder, Tracer
from tests.jobs.conftest import Working
from tests.servers import RedisServer, wait_until

ENVELOPE = (
    b'{"properties": {"delivery_tag": "x", "body_encoding": "base64", '
    b'"delivery_info": {"exchange": "", "routing_key": "jobs"}}, %s}'
)


@task
def add(a: int, b: int = 1) -> int:
    """Add two numbers."""
    return a + b


@task
def broken() -> None:
    """Fail."""
    raise LookupError("no such order")


@task
def wide(text: str) -> int:
    """Measure a text."""
    return len(text)


@task
def leaves() -> None:
    """Try to end the worker."""
    raise SystemExit(3)


def finished(records: JobRecords, job: Job) -> Job:
    """Wait for a job's end, and return it."""

    def ended() -> Job | None:
        found = records.get(job.id)
        return found if found and found.state in (JobState.SUCCEEDED, JobState.DEAD_LETTERED) else None

    return wait_until(ended, f"job {job.id} to end")


def queue_length(url: str, key: str) -> int:
    """Return how many messages lie in a queue."""
    with redis.Redis.from_url(url) as client:
        return int(client.llen(key))


def test_a_job_runs_and_its_record_tells(
    working: Working, publisher: JobPublisher, records: JobRecords, redis_url: str, namespace: str
) -> None:
    """With times, result and trace; nothing is left in the queue."""
    with working(add):
        job = publisher.publish("add", a=2)
        assert job.state is JobState.QUEUED
        done = finished(records, job)
    assert (done.state, done.result, done.error, done.attempts) == (JobState.SUCCEEDED, 3, None, 1)
    assert (done.task, done.arguments, done.trace_id) == ("add", {"a": 2}, job.trace_id)
    assert done.started_ms is not None
    assert done.finished_ms is not None
    assert done.created_ms <= done.started_ms <= done.finished_ms
    with redis.Redis.from_url(redis_url) as client:
        assert client.exists(f"{namespace}:jobs", f"{namespace}:unacked") == 0


def test_the_trace_crosses_from_publisher_to_worker(
    working: Working, publisher: JobPublisher, records: JobRecords, recorder: SpanRecorder
) -> None:
    """PRODUCER, CONSUMER below it with an id of its own, and the bar between them."""
    with working(add):
        job = publisher.publish("add", a=2)
        finished(records, job)
        wait_until(lambda: len(recorder.spans) == 3, "three spans")
    sent, handled = recorder.named("publish add"), recorder.named("process add")
    assert (sent.trace_id, sent.kind, sent.parent_id) == (job.trace_id, Kind.PRODUCER, None)
    assert (handled.trace_id, handled.kind, handled.parent_id) == (job.trace_id, Kind.CONSUMER, sent.span_id)
    assert handled.span_id != sent.span_id
    assert handled.shared is False
    assert recorder.named("wait in jobs").parent_id == sent.span_id
    assert {
        "job.id": job.id,
        "job.task": "add",
        "job.attempt": "1",
        "job.outcome": "acknowledged",
    }.items() <= handled.tags.items()
    assert list(handled.annotations) == ["received", "acknowledged"]
    assert sent.tags["job.id"] == job.id


def test_a_failed_job_is_a_dead_letter_with_its_error(
    working: Working,
    publisher: JobPublisher,
    records: JobRecords,
    recorder: SpanRecorder,
    redis_server: RedisServer,
    namespace: str,
) -> None:
    """The message keeps its body and its trace, and gets the reason."""
    with working(broken):
        job = publisher.publish("broken")
        done = finished(records, job)
        wait_until(lambda: len(recorder.spans) == 3, "three spans")
    assert (done.state, done.error) == (JobState.DEAD_LETTERED, "LookupError: no such order")
    assert done.traceback is not None
    assert "raise LookupError" in done.traceback
    handled = recorder.named("process broken")
    assert (handled.tags["error"], handled.tags["job.outcome"]) == ("LookupError: no such order", "dead_lettered")
    assert list(handled.annotations) == ["received", "dead-lettered"]
    with redis_server.client() as client:
        (letter,) = client.lrange(f"{namespace}:jobs.dead", 0, -1)
    headers = json.loads(letter)["headers"]
    assert headers["dead-letter-reason"] == "LookupError: no such order"
    assert headers["b3"].startswith(str(job.trace_id))


def test_a_task_that_leaves_takes_only_its_job_along(
    working: Working, publisher: JobPublisher, records: JobRecords
) -> None:
    """``sys.exit`` in a task is a failure of the task."""
    with working(leaves, add, concurrency=1):
        assert finished(records, publisher.publish("leaves")).error == "SystemExit: 3"
        assert finished(records, publisher.publish("add", a=1)).result == 2


def test_a_failed_job_is_tried_again_below_the_same_producer_span(
    working: Working, publisher: JobPublisher, records: JobRecords, recorder: SpanRecorder
) -> None:
    """Attempts are siblings, and the time between them is a bar."""

    @task(retry=Retry(limit=3, first_ms=50))
    def flaky(context: JobContext) -> int:
        if context.attempt < 3:
            raise ConnectionError("not yet")
        return context.attempt

    with working(flaky):
        done = finished(records, publisher.publish("flaky"))
        wait_until(lambda: len([s for s in recorder.spans if s.kind is Kind.CONSUMER]) == 3, "three attempts")
    assert (done.state, done.result, done.attempts) == (JobState.SUCCEEDED, 3, 3)
    sent = recorder.named("publish flaky")
    attempts = [span for span in recorder.spans if span.kind is Kind.CONSUMER]
    assert {span.parent_id for span in attempts} == {sent.span_id}
    assert [span.tags["job.outcome"] for span in attempts] == ["retried", "retried", "acknowledged"]
    assert len([span for span in recorder.spans if span.name == "back off"]) == 2


def test_retries_that_run_out_end_in_a_dead_letter(
    working: Working, publisher: JobPublisher, records: JobRecords
) -> None:
    """After the first attempt and the limit."""

    @task(retry=Retry(limit=2, first_ms=20))
    def hopeless() -> None:
        raise ConnectionError("never")

    with working(hopeless):
        done = finished(records, publisher.publish("hopeless"))
    assert (done.state, done.attempts) == (JobState.DEAD_LETTERED, 3)


def test_a_delayed_job_waits_for_its_time(working: Working, publisher: JobPublisher, records: JobRecords) -> None:
    """In Redis, not in a worker."""
    with working(add):
        job = publisher.publish("add", a=1, delay_ms=400)
        assert job.state is JobState.WAITING
        done = finished(records, job)
    assert done.started_ms is not None
    assert done.started_ms - done.created_ms >= 390


def test_a_task_may_publish_in_the_same_trace(
    working: Working, publisher: JobPublisher, records: JobRecords, recorder: SpanRecorder
) -> None:
    """A fan-out is one tree."""

    @task
    def fan_out(context: JobContext, n: int) -> list[str]:
        return [context.publisher.publish("add", a=number).id for number in range(n)]

    with working(fan_out, add):
        job = publisher.publish("fan_out", n=2)
        ids = finished(records, job).result
        children = [finished(records, found) for child in ids if (found := records.get(child))]
    assert [child.trace_id for child in children] == [job.trace_id] * 2
    above = recorder.named("process fan_out").span_id
    assert [span.parent_id for span in recorder.spans if span.name == "publish add"] == [above] * 2


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"not json", "not JSON"),
        (b"[1, 2]", "expected an object"),
        (b'{"body": "e30=", "headers": {}}', "expected properties"),
        (b'{"body": "e30=", "properties": {"delivery_tag": "x"}}', "expected delivery_info"),
        (ENVELOPE % b'"body": "abc"', "expected a base64 body"),
        (ENVELOPE % b'"body": 7', "expected the body to be text"),
        (ENVELOPE % b'"body": "e30=", "headers": 7', "expected headers to be an object"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 100_000, "not JSON"),
    ],
)
def test_what_is_no_message_goes_to_the_dead_letters_and_the_worker_goes_on(
    working: Working,
    publisher: JobPublisher,
    records: JobRecords,
    redis_server: RedisServer,
    namespace: str,
    raw: bytes,
    reason: str,
) -> None:
    """Stock kombu's worker would end, or lose it."""
    with redis_server.client() as client, working(add, concurrency=1):
        client.lpush(f"{namespace}:jobs", raw)
        wait_until(lambda: client.llen(f"{namespace}:jobs.dead"), "the dead letter")
        assert finished(records, publisher.publish("add", a=1)).result == 2
        (letter,) = client.lrange(f"{namespace}:jobs.dead", 0, -1)
    assert reason in json.loads(letter)["headers"]["dead-letter-reason"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"body": "bm90IGpzb24="}, "body: expected JSON"),
        ({"body": "W10="}, "expected an object"),
        ({"body": "eyJpZCI6IDd9"}, "expected id and task"),
        ({"content-type": "application/x-python-serialize"}, "content type: expected application/json"),
        ({"headers": {"compression": "application/x-gzip"}}, "malformed message"),
    ],
)
def test_a_message_that_is_no_job_goes_to_the_dead_letters(
    working: Working, redis_server: RedisServer, namespace: str, changes: dict[str, Any], reason: str
) -> None:
    """Its envelope is good, its content is not."""
    properties = {
        "delivery_tag": "tag-1",
        "body_encoding": "base64",
        "delivery_info": {"exchange": "", "routing_key": "jobs"},
    }
    envelope = {"body": "e30=", "content-type": "application/json", "content-encoding": "utf-8", "headers": {}}
    with redis_server.client() as client, working(add, concurrency=1):
        client.lpush(f"{namespace}:jobs", json.dumps({**envelope, "properties": properties, **changes}))
        wait_until(lambda: client.llen(f"{namespace}:jobs.dead"), "the dead letter")
        wait_until(lambda: not client.exists(f"{namespace}:unacked"), "the message to be acknowledged")
        (letter,) = client.lrange(f"{namespace}:jobs.dead", 0, -1)
    assert reason in json.loads(letter)["headers"]["dead-letter-reason"]


def test_a_task_the_worker_does_not_know_is_a_dead_letter(
    working: Working, publisher: JobPublisher, records: JobRecords
) -> None:
    """Another worker announced it, this one took it."""
    with working(wide):
        pass
    with working(add):
        done = finished(records, publisher.publish("wide", text="x"))
    assert done.state is JobState.DEAD_LETTERED
    assert done.error == "UnknownTask: task 'wide': this worker knows add"


def test_wrong_jobs_are_refused_before_they_are_published(
    working: Working, publisher: JobPublisher, redis_url: str, namespace: str, recorder: SpanRecorder
) -> None:
    """Each with its own class, and nothing in the queue."""
    with working(add, wide):
        pass
    recorder.clear()
    with pytest.raises(UnknownTask, match="known tasks: add, wide"):
        publisher.publish("subtract", a=1)
    with pytest.raises(InvalidArguments, match="a is missing"):
        publisher.publish("add")
    with pytest.raises(JobTooLarge, match="expected at most 65536"):
        publisher.publish("wide", text="x" * 70_000)
    with pytest.raises(InvalidJob, match="job_id: expected"):
        publisher.publish("add", a=1, job_id="../etc")
    with pytest.raises(InvalidJob, match="delay_ms: expected"):
        publisher.publish("add", a=1, delay_ms=-1)
    assert queue_length(redis_url, f"{namespace}:jobs") == 0


def test_without_any_worker_the_publisher_says_what_to_start(publisher: JobPublisher) -> None:
    """The commonest first mistake."""
    with pytest.raises(UnknownTask, match="start a worker: kombu-zipkin worker"):
        publisher.publish("add", a=1)


def test_a_running_job_is_finished_before_the_worker_stops(
    working: Working, publisher: JobPublisher, records: JobRecords
) -> None:
    """SIGTERM is no reason to run a job twice."""
    began = threading.Event()

    @task
    def slow() -> str:
        began.set()
        threading.Event().wait(0.7)
        return "done"

    with working(slow):
        job = publisher.publish("slow")
        assert began.wait(5)
    found = records.get(job.id)
    assert found is not None
    assert found.result == "done"


def test_a_job_longer_than_the_drain_is_given_back(
    working: Working, publisher: JobPublisher, redis_server: RedisServer, namespace: str
) -> None:
    """Another worker runs it at once, not when a lease is over."""
    began, release = threading.Event(), threading.Event()

    @task
    def endless() -> None:
        began.set()
        release.wait(20)

    with working(endless, drain_seconds=0.2):
        publisher.publish("endless")
        assert began.wait(5)
    with redis_server.client() as client:
        assert (client.hlen(f"{namespace}:unacked"), client.llen(f"{namespace}:jobs")) == (0, 1)
    release.set()
    wait_until(lambda: not [t for t in threading.enumerate() if t.name.startswith("worker-")], "the thread to end")


def test_a_job_longer_than_its_lease_runs_once(working: Working, publisher: JobPublisher, records: JobRecords) -> None:
    """The lease is renewed while it runs; without, the message would be delivered again."""
    attempts: list[int] = []

    @task
    def long() -> None:
        attempts.append(1)
        threading.Event().wait(5.0)

    with working(long, concurrency=2, lease_seconds=2):
        job = publisher.publish("long")
        assert finished(records, job).state is JobState.SUCCEEDED
    assert attempts == [1]


def test_a_dead_worker_s_job_is_delivered_to_another(
    working: Working, publisher: JobPublisher, records: JobRecords, redis_server: RedisServer, namespace: str
) -> None:
    """Once its lease is over."""
    with working(add):
        pass
    job = publisher.publish("add", a=1)
    with redis.Redis.from_url(redis_server.url) as client:
        keys = ClaimKeys(f"{namespace}:unacked_index", f"{namespace}:unacked", f"{namespace}:", "\x06\x16")
        assert len(Claims(client, keys).claim([Source(f"{namespace}:jobs", "jobs")], 1)) == 1
    with working(add, lease_seconds=2):
        done = finished(records, job)
    assert (done.state, done.result) == (JobState.SUCCEEDED, 2)


def test_an_unsampled_job_reports_nothing_and_says_so_in_its_record(
    working: Working, redis_url: str, namespace: str, records: JobRecords, recorder: SpanRecorder
) -> None:
    """The decision goes with the message."""
    publisher = JobPublisher(redis_url, Tracer("w", recorder, sampler=NEVER, host="10.0.0.1"), namespace=namespace)
    with working(add):
        done = finished(records, publisher.publish("add", a=1))
    publisher.close()
    assert (done.state, done.sampled) == (JobState.SUCCEEDED, False)
    assert recorder.spans == []


def test_a_process_that_is_instrumented_as_a_whole_traces_jobs_once(
    working: Working, publisher: JobPublisher, records: JobRecords, recorder: SpanRecorder
) -> None:
    """Publisher and consumer open their own spans."""
    undo = instrument_kombu(Tracer("other", recorder, host="10.0.0.1"))
    try:
        with working(add):
            finished(records, publisher.publish("add", a=1))
            wait_until(lambda: len(recorder.spans) >= 3, "three spans")
    finally:
        undo()
    assert sorted(str(span.name) for span in recorder.spans) == ["process add", "publish add", "wait in jobs"]


def test_publishing_without_redis_fails_soon(recorder: SpanRecorder) -> None:
    """Refused at once."""
    publisher = JobPublisher("redis://127.0.0.1:1/0", Tracer("w", recorder, host="10.0.0.1"))
    begun = time.monotonic()
    with pytest.raises(BrokerUnavailable, match="announced tasks"):
        publisher.publish("add", a=1)
    publisher.close()
    assert time.monotonic() - begun < 2


def test_publishing_to_a_frozen_redis_fails_soon_and_works_again(
    own_redis: RedisServer, recorder: SpanRecorder
) -> None:
    """A publisher is not broken by it."""
    tracer = Tracer("w", recorder, host="10.0.0.1")
    stop = threading.Event()
    consumer = JobConsumer(own_redis.url, tracer, [add], concurrency=1)
    thread = threading.Thread(target=consumer.run, args=(stop,))
    thread.start()
    publisher = JobPublisher(own_redis.url, tracer)

    def published() -> Job | None:
        try:
            return publisher.publish("add", a=1)
        except (BrokerUnavailable, UnknownTask):
            return None

    wait_until(published, "a first job")
    own_redis.process.signal(signal.SIGSTOP)
    begun = time.monotonic()
    with pytest.raises(BrokerUnavailable):
        publisher.publish("add", a=2)
    took = time.monotonic() - begun
    own_redis.process.signal(signal.SIGCONT)
    assert took < 2.5
    job = wait_until(published, "a job after the freeze")
    records = JobRecords(own_redis.url)
    assert finished(records, job).result == 2
    stop.set()
    thread.join(10)
    records.close()
    publisher.close()


def test_a_worker_finds_its_redis_again(own_redis: RedisServer, recorder: SpanRecorder) -> None:
    """After a restart, without help."""
    tracer, stop = Tracer("w", recorder, host="10.0.0.1"), threading.Event()
    thread = threading.Thread(target=JobConsumer(own_redis.url, tracer, [add], concurrency=2).run, args=(stop,))
    thread.start()
    publisher, records = JobPublisher(own_redis.url, tracer), JobRecords(own_redis.url)

    def published() -> Job | None:
        try:
            return publisher.publish("add", a=1)
        except (BrokerUnavailable, UnknownTask):
            return None

    assert finished(records, wait_until(published, "a first job")).result == 2
    own_redis.stop()
    threading.Event().wait(1.0)
    own_redis.start()
    assert finished(records, wait_until(published, "a job after the restart")).result == 2
    stop.set()
    thread.join(10)
    assert not thread.is_alive()
    records.close()
    publisher.close()


def test_a_record_goes_after_its_time(redis_url: str, namespace: str) -> None:
    """And out of the list."""
    records = JobRecords(redis_url, namespace=namespace, ttl=0.3)
    now = int(time.time() * 1000)
    job = Job("j1", "add", {}, "jobs", JobState.QUEUED, None, True, now)
    records.write([published(job)])
    records.write([succeeded(job, Attempt(1, now, now, "acknowledged"), 1)])
    assert [job.id for job in records.latest()] == ["j1"]
    wait_until(lambda: records.get("j1") is None, "the record to expire")
    assert records.latest() == []
    records.close()


def test_a_worker_that_was_quicker_is_not_overwritten(redis_url: str, namespace: str) -> None:
    """The publisher's record may come after the worker's."""
    records = JobRecords(redis_url, namespace=namespace)
    job = Job("j1", "add", {}, "jobs", JobState.QUEUED, None, True, int(time.time() * 1000))
    records.write([running(job, Attempt(1, job.created_ms))])
    records.write([published(job)])
    found = records.get("j1")
    assert found is not None
    assert (found.state, found.attempts) == (JobState.RUNNING, 1)
    records.close()


def test_closing_one_publisher_leaves_the_others_alone(
    working: Working, publisher: JobPublisher, records: JobRecords, redis_url: str, namespace: str
) -> None:
    """They may have the same address, and kombu shares its pools by address."""
    with working(add):
        second = JobPublisher(redis_url, Tracer("w", SpanRecorder(), host="10.0.0.1"), namespace=namespace)
        second.publish("add", a=1)
        publisher.publish("add", a=1)
        second.close()
        assert finished(records, publisher.publish("add", a=2)).result == 3


@pytest.mark.parametrize("sampler", [ALWAYS, NEVER], ids=["always", "never"])
@pytest.mark.parametrize(
    ("b3", "trace_id", "parent_id"),
    [({}, None, None), ({"b3": f"{'4' * 32}-{'5' * 16}"}, "4" * 32, "5" * 16), ({"b3": "rubbish"}, None, None)],
    ids=["untraced", "undecided", "rubbish"],
)
def test_a_job_of_somebody_else_is_decided_by_the_workers_sampler(
    redis_url: str, namespace: str, records: JobRecords, b3: dict[str, str], trace_id: str | None,
    parent_id: str | None, sampler: Sampler,
) -> None:  # fmt: skip
    """Published by plain kombu without us: it begins a trace of its own, or goes on in one that nobody has decided."""
    recorder, stop = SpanRecorder(), threading.Event()
    tracer = Tracer("worker", recorder, host="10.0.0.1", sampler=sampler)
    with kombu.Connection(redis_url, transport_options={"global_keyprefix": f"{namespace}:"}) as connection:
        by_hand = Job("by-hand", "add", {"a": 2}, "jobs", JobState.QUEUED, None, False, 0)
        body = {"id": by_hand.id, "task": by_hand.task, "arguments": by_hand.arguments}
        connection.Producer().publish(body, exchange="", routing_key="jobs", serializer="json", headers=b3)
    thread = threading.Thread(target=JobConsumer(redis_url, tracer, [add], namespace=namespace).run, args=(stop,))
    thread.start()
    done = finished(records, by_hand)
    stop.set()
    thread.join(20)
    assert (done.result, done.sampled) == (3, sampler is ALWAYS)
    assert [(span.kind, span.parent_id) for span in recorder.spans] == [(Kind.CONSUMER, parent_id)] * done.sampled
    assert trace_id in (None, done.trace_id)
    assert {span.trace_id for span in recorder.spans} <= {done.trace_id}
