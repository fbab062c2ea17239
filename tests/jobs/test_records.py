"""What is known of jobs: paged, counted, bounded, and never in a job's way."""

import threading
import time

import pytest

from kombu_zipkin.errors import BrokerUnavailable, InvalidJob
from kombu_zipkin.jobs import Attempt, DeadJobs, Job, JobConsumer, JobPublisher, JobRecords, JobState, task
from kombu_zipkin.jobs.changes import dead_lettered, published, running, succeeded
from kombu_zipkin.jobs.keys import JobKeys
from kombu_zipkin.tracing import SpanRecorder, Tracer
from tests.jobs.conftest import Working
from tests.jobs.test_jobs import add, finished
from tests.servers import RedisServer, wait_until

TRACE = "463ac35c9f6413ad48485a3953bb6124"


def make(number: int, *, task: str = "add", trace_id: str = TRACE, at: int | None = None) -> Job:
    """Make a job."""
    created = 1_700_000_000_000 + (number if at is None else at)
    return Job(f"j{number:03}", task, {"a": number}, "jobs", JobState.QUEUED, trace_id, True, created)


def succeed(records: JobRecords, job: Job) -> None:
    """Write a job's whole life."""
    attempt = Attempt(1, job.created_ms, job.created_ms + 5, "acknowledged")
    records.write([published(job)])
    records.write([running(job, attempt)])
    records.write([succeeded(job, attempt, job.arguments["a"])])


def all_pages(records: JobRecords, limit: int, **which: object) -> list[str]:
    """Read page after page; returns the ids."""
    found, after = [], None
    while True:
        page = records.page(limit=limit, after=after, **which)  # type: ignore[arg-type]
        found += [job.id for job in page.jobs]
        if page.next is None:
            return found
        assert len(page.jobs) == limit
        after = page.next


def test_pages_hold_every_job_once_newest_first(records: JobRecords) -> None:
    """Also where many are of one millisecond."""
    for number in range(30):
        records.write([published(make(number, at=number // 10))])
    wanted = [f"j{number:03}" for number in range(29, -1, -1)]
    for limit in (1, 7, 10, 29, 30, 31):
        assert all_pages(records, limit) == wanted
        assert sorted(all_pages(records, limit, state=JobState.QUEUED)) == sorted(wanted)


def test_pages_of_a_state_and_a_task_hold_only_those(records: JobRecords) -> None:
    """A job is in one state only, whatever it was in before."""
    for number in range(12):
        succeed(records, make(number, task=("add", "wide")[number % 2]))
    for number in range(12, 16):
        records.write([published(make(number))])
    failed = make(16)
    records.write([published(failed), dead_lettered(failed, Attempt(1, 1, 2, "dead_lettered", "no"), "where")])
    assert len(all_pages(records, 5, state=JobState.SUCCEEDED)) == 12
    assert len(all_pages(records, 5, state=JobState.SUCCEEDED, task="wide")) == 6
    assert len(all_pages(records, 5, task="add")) == 11
    assert all_pages(records, 5, state=JobState.DEAD_LETTERED) == ["j016"]
    assert all_pages(records, 5, state=JobState.RUNNING) == []
    assert dict(records.counts()) == {
        JobState.QUEUED: 4, JobState.RUNNING: 0, JobState.WAITING: 0, JobState.SUCCEEDED: 12, JobState.DEAD_LETTERED: 1,
    }  # fmt: skip


@pytest.mark.parametrize("after", ["", "x", "-j1", "1e3-j1", "\u0661-j1"])
def test_a_place_that_is_none_is_refused(records: JobRecords, after: str) -> None:
    """With what it should be."""
    with pytest.raises(InvalidJob, match="after: expected a page's next"):
        records.page(after=after)


def test_the_jobs_of_a_trace_are_found(records: JobRecords) -> None:
    """Oldest first, and no others."""
    for number in range(5):
        records.write([published(make(number))])
    records.write([published(make(5, trace_id="4" * 32))])
    assert [job.id for job in records.of_trace(TRACE)] == ["j000", "j001", "j002", "j003", "j004"]
    assert records.of_trace("5" * 32) == []


def test_the_pace_counts_what_came_and_went_of_late(records: JobRecords) -> None:
    """Posted by when it was published, ended by when it came into that state; what is long ago does not count."""
    now = int(time.time() * 1000) - 1_700_000_000_000
    for number, at in enumerate((now, now, now - 60_000)):
        records.write([published(make(number, at=at))])
    succeed(records, make(9, at=now - 60_000))
    pace = records.pace(10.0)
    assert (pace.posted, pace.ended) == (0.2, 0.1)
    assert records.pace(100.0).posted == 0.04


def test_above_the_limit_the_oldest_that_succeeded_go(
    redis_server: RedisServer, redis_url: str, namespace: str
) -> None:
    """Open and failed ones stay; nothing of what went stays behind in an index."""
    records = JobRecords(redis_url, namespace=namespace, limit=6)
    records.write([published(make(0))])
    failed = make(1)
    records.write([published(failed), dead_lettered(failed, Attempt(1, 1, 2, "dead_lettered", "no"), "")])
    for number in range(2, 14):
        succeed(records, make(number))
        time.sleep(0.002)
    assert [job.id for job in records.latest()] == ["j013", "j012", "j011", "j010", "j001", "j000"]
    assert records.counts()[JobState.SUCCEEDED] == 4
    assert len(all_pages(records, 50, task="add")) == 6
    assert len(records.of_trace(TRACE)) == 6
    with redis_server.client() as client:
        keys = JobKeys(namespace)
        assert len(list(client.scan_iter(match=f"{keys.record('')}*", count=1000))) == 6
        assert client.scard(keys.of_trace(TRACE)) == 6
    records.close()


def test_what_is_over_its_time_goes_from_every_index(redis_url: str, namespace: str) -> None:
    """The worker's housekeeping does it."""
    records = JobRecords(redis_url, namespace=namespace, ttl=0.3)
    for number in range(3):
        succeed(records, make(number))
    records.write([published(make(3))])
    assert records.expire() == 0
    time.sleep(0.35)
    assert records.expire() == 3
    assert [job.id for job in records.latest()] == ["j003"]
    assert (records.counts()[JobState.SUCCEEDED], all_pages(records, 9, task="add")) == (0, ["j003"])
    records.close()


def test_a_worker_forgets_old_records(
    working: Working, publisher: JobPublisher, redis_url: str, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever wrote them."""
    records = JobRecords(redis_url, namespace=namespace)
    old = make(0, at=-400 * 24 * 3600 * 1000)
    monkeypatch.setattr("kombu_zipkin.jobs.records.now_ms", lambda: old.created_ms)
    succeed(records, old)
    assert records.counts()[JobState.SUCCEEDED] == 1
    monkeypatch.undo()
    with working(add):
        wait_until(lambda: records.counts()[JobState.SUCCEEDED] == 0, "the old record to go", seconds=10)
    records.close()


def test_jobs_run_while_redis_takes_no_records(own_redis: RedisServer) -> None:
    """Out of memory: what was published is run, once, and acknowledged; all is well again when there is room."""
    runs: list[int] = []

    @task
    def note(n: int) -> None:
        runs.append(n)

    tracer, stop = Tracer("worker", SpanRecorder(), host="10.0.0.1"), threading.Event()
    publisher, records = JobPublisher(own_redis.url, tracer), JobRecords(own_redis.url)
    publisher.catalogue.announce([note], "test")
    publisher.publish_many("note", [{"n": number} for number in range(20)])
    thread = threading.Thread(target=JobConsumer(own_redis.url, tracer, [note]).run, args=(stop,))
    with own_redis.client() as client:
        client.config_set("maxmemory", 1)
        thread.start()
        try:
            wait_until(lambda: len(runs) == 20 and not client.hlen("kombu-zipkin:unacked"), "the jobs to be done")
            with pytest.raises(BrokerUnavailable, match="OutOfMemory"):
                publisher.publish("note", n=100)
            assert client.llen("kombu-zipkin:jobs") == 0
            client.config_set("maxmemory", 0)
            assert finished(records, publisher.publish("note", n=200)).state is JobState.SUCCEEDED
        finally:
            stop.set()
            thread.join(20)
    assert sorted(runs) == [*range(20), 200]
    publisher.close()
    records.close()


def test_a_replayed_job_is_recorded_with_its_move(
    working: Working, publisher: JobPublisher, records: JobRecords, redis_url: str, namespace: str
) -> None:
    """Not after it: a worker is often quicker, and its record would be overwritten."""

    @task
    def unlucky() -> None:
        raise LookupError("no such order")

    dead = DeadJobs(redis_url, ["jobs"], records, namespace=namespace)
    with working(unlucky):
        for number in range(30):
            job = publisher.publish("unlucky", job_id=f"unlucky-{number}")
            before = finished(records, job)
            letter = dead.show(job.id)
            assert letter is not None
            time.sleep(0.002)
            assert dead.replay(letter)
            wait_until(lambda job=job, before=before: _ended_after(records, job, before), "the job to end again")  # type: ignore[misc]
    letter = dead.show("unlucky-0")
    assert letter is not None
    assert dead.replay(letter)
    assert not dead.replay(letter), "somebody else has replayed it"
    found = records.get("unlucky-0")
    assert found is not None
    assert (found.state, found.error, found.finished_ms) == (JobState.QUEUED, None, None)
    dead.close()


def _ended_after(records: JobRecords, job: Job, before: Job) -> bool:
    found = records.get(job.id)
    assert found is not None
    return found.state is JobState.DEAD_LETTERED and (found.started_ms or 0) > (before.started_ms or 0)
