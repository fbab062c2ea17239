"""Publishing: once for an id, many at once, in bounded time, from any process."""

import threading
from collections import Counter

import pytest
import redis

from kombu_zipkin.errors import BrokerUnavailable, InvalidArguments, InvalidJob, JobTooLarge
from kombu_zipkin.jobs import JobConsumer, JobPublisher, JobRecords, JobState, Retry, task
from kombu_zipkin.tracing import SpanRecorder, Tracer
from tests.jobs.conftest import Working
from tests.jobs.test_jobs import add, finished, wide
from tests.processes.checking import run_subject
from tests.servers import RabbitServer, RedisServer, wait_until


def test_a_job_id_is_published_once(
    working: Working, publisher: JobPublisher, records: JobRecords, recorder: SpanRecorder
) -> None:
    """After an error the same call may be repeated; the second answers what became of the first."""
    runs: list[int] = []

    @task
    def note(n: int) -> int:
        runs.append(n)
        return n

    with working(note):
        first = publisher.publish("note", job_id="order-7", n=1)
        assert finished(records, first).result == 1
        again = publisher.publish("note", job_id="order-7", n=2)
        assert finished(records, publisher.publish("note", n=3)).result == 3
    assert (again.id, again.state, again.result, again.arguments) == ("order-7", JobState.SUCCEEDED, 1, {"n": 1})
    assert sorted(runs) == [1, 3]
    outcomes = [span.tags.get("job.outcome") for span in recorder.spans if span.name == "publish note"]
    assert outcomes == [None, "published before", None]


def test_a_job_id_is_published_once_by_many_at_once(
    working: Working, publisher: JobPublisher, redis_url: str, namespace: str
) -> None:
    """Only one of the threads gets it into the queue."""
    with working(add):
        pass
    threads = [
        threading.Thread(target=publisher.publish, args=("add",), kwargs={"job_id": "only", "a": 1}) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with redis.Redis.from_url(redis_url) as client:
        assert client.llen(f"{namespace}:jobs") == 1


@pytest.mark.parametrize("delay_ms", [0, 50])
def test_a_batch_runs_each_job_once(
    working: Working, publisher: JobPublisher, records: JobRecords, recorder: SpanRecorder, delay_ms: int
) -> None:
    """Over several steps; every job has its record, and its PRODUCER span below the one that is open."""
    with working(add, concurrency=4):
        with Tracer("webapp", recorder, host="10.0.0.1").root("import") as root:
            jobs = publisher.publish_many("add", [{"a": number} for number in range(1200)], delay_ms=delay_ms)
        wait_until(lambda: records.counts()[JobState.SUCCEEDED] == 1200, "the batch to run", seconds=30)
    assert Counter(span.parent_id for span in recorder.spans if span.name == "publish add") == {
        root.context.span_id: 1200
    }
    assert {job.trace_id for job in jobs} == {root.context.trace_id}
    assert Counter(span.tags["job.id"] for span in recorder.spans if span.name == "process add") == Counter(
        job.id for job in jobs
    )
    last = records.get(jobs[-1].id)
    assert last is not None
    assert (last.arguments, last.result, last.attempts) == ({"a": 1199}, 1200, 1)


@pytest.mark.parametrize(
    ("wrong", "error"), [({"a": "x"}, InvalidArguments), ({"a": 1, "b": 2, "c": 3}, InvalidArguments)]
)
def test_a_batch_with_a_wrong_job_publishes_nothing(
    working: Working, publisher: JobPublisher, records: JobRecords, wrong: dict[str, object], error: type[Exception]
) -> None:
    """It is checked as a whole first."""
    with working(add):
        with pytest.raises(error):
            publisher.publish_many("add", [*({"a": number} for number in range(700)), wrong])
        assert records.latest() == []
        assert publisher.publish_many("add", []) == []


def test_a_batch_with_a_job_too_large_publishes_nothing(
    working: Working, publisher: JobPublisher, records: JobRecords
) -> None:
    """The bound is that of a single job."""
    with working(wide), pytest.raises(JobTooLarge, match="expected at most 65536"):
        publisher.publish_many("wide", [*({"text": "x"} for _ in range(600)), {"text": "x" * 70_000}])
    assert records.latest() == []


@pytest.mark.parametrize("delay_ms", [-1, 10**12, 0.5, "5", True])
def test_a_wrong_delay_is_refused(working: Working, publisher: JobPublisher, delay_ms: object) -> None:
    """Milliseconds, a year at most."""
    with working(add), pytest.raises(InvalidJob, match="delay_ms: expected"):
        publisher.publish("add", a=1, delay_ms=delay_ms)  # type: ignore[arg-type]


def test_a_connection_that_the_server_has_closed_is_not_used_again(own_redis: RedisServer) -> None:
    """An idle publisher publishes at once after its server was restarted, or has closed what was idle for long."""
    publisher = JobPublisher(own_redis.url, Tracer("webapp", SpanRecorder(), host="10.0.0.1"))
    publisher.catalogue.announce([add], "test")
    publisher.publish("add", a=1)
    with own_redis.client() as client:
        wait_until(lambda: _is_idle(client), "the publisher's connection to be idle", seconds=5)
        client.client_kill_filter(_type="normal", skipme=True)
        publisher.publish("add", a=2)
        assert client.llen("kombu-zipkin:jobs") == 2
    publisher.close()


def _is_idle(client: "redis.Redis") -> bool:
    return all(int(each["idle"]) >= 2 for each in client.client_list() if each["cmd"] == "evalsha")


def test_forked_children_publish_on_connections_of_their_own(redis_url: str, namespace: str) -> None:
    """A shared one would mix up the answers."""
    assert run_subject("forked_publisher", redis_url, namespace).strip() == "400 jobs, 400 ids"


def test_jobs_on_rabbitmq_are_published_once_run_and_recorded(
    rabbitmq: RabbitServer, redis_url: str, namespace: str, records: JobRecords, recorder: SpanRecorder
) -> None:
    """The records are beside it, in a Redis; retries wait there too."""
    attempts: list[int] = []

    @task(retry=Retry(2, 20, 20), queue=f"{namespace}-jobs")
    def second_time(n: int) -> int:
        attempts.append(n)
        if len(attempts) < 2:
            raise LookupError("not yet")
        return n

    tracer, stop = Tracer("worker", recorder, host="10.0.0.1"), threading.Event()
    options = {"records_url": redis_url, "namespace": namespace}
    consumer = JobConsumer(rabbitmq.url, tracer, [second_time], concurrency=2, **options)  # type: ignore[arg-type]
    thread = threading.Thread(target=consumer.run, args=(stop,))
    thread.start()
    publisher = JobPublisher(rabbitmq.url, tracer, records_url=redis_url, namespace=namespace)
    try:
        wait_until(publisher.catalogue.workers, "the worker to be there")
        for _ in range(2):
            job = publisher.publish("second_time", job_id="once", n=7)
        done = finished(records, job)
    finally:
        stop.set()
        thread.join(20)
        publisher.close()
    assert (done.state, done.result, done.attempts, attempts) == (JobState.SUCCEEDED, 7, 2, [7, 7])
    assert [attempt.outcome for attempt in done.history] == ["retried", "acknowledged"]


def test_an_id_is_free_again_when_the_broker_refused_the_job(redis_url: str, namespace: str) -> None:
    """The caller heard that it was not published, and may repeat the call."""
    away = "amqp://127.0.0.1:1//"
    tracer = Tracer("webapp", SpanRecorder(), host="10.0.0.1")
    publisher = JobPublisher(away, tracer, records_url=redis_url, namespace=namespace, timeout=0.3)
    publisher.catalogue.announce([add], "test")
    for _ in range(2):
        with pytest.raises(BrokerUnavailable):
            publisher.publish("add", job_id="x", a=1)
    publisher.close()
