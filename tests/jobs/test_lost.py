"""Workers that are killed in a job: the job runs again, and the next worker tells of the one before."""

import json
import signal
import threading
import time

import pytest
import redis

from kombu_zipkin.jobs import JobConsumer, JobPublisher, JobRecords, JobState, Retry, task
from kombu_zipkin.jobs.hands import Hands
from kombu_zipkin.tracing import Kind, SpanRecorder, Tracer
from tests.jobs.conftest import Working
from tests.jobs.test_jobs import add, finished
from tests.servers import Process, RabbitServer, RedisServer, wait_until
from tests.servers.programs import KOMBU_ZIPKIN

LEASE = 2.0


@task
def pausing(seconds: float, file: str) -> str:
    """Say that it has begun, by a file, and wait."""
    with open(file, "a") as begun:  # noqa: PTH123 - to append
        begun.write("begun\n")
    time.sleep(seconds)
    return "done"


def test_a_killed_attempt_is_told_by_the_next(
    working: Working, publisher: JobPublisher, records: JobRecords, recorder: SpanRecorder, redis_url: str,
    namespace: str, tmp_path_factory: pytest.TempPathFactory,
) -> None:  # fmt: skip
    """A sibling below the same PRODUCER span, failed, from its claim to the next; and a line in the job's history."""

    @task(name="pausing")
    def quick(seconds: float, file: str) -> str:
        return "done"

    file = tmp_path_factory.mktemp("begun") / "begun"
    env = {"REDIS_URL": redis_url, "JOBS_NAMESPACE": namespace, "WORKER_LEASE_SECONDS": str(LEASE), "WORKER_PORT": "0"}
    killed = Process([*KOMBU_ZIPKIN, "worker", "tests.jobs.test_lost"], env)
    try:
        wait_until(publisher.catalogue.workers, "the worker to be there")
        job = publisher.publish("pausing", seconds=30.0, file=str(file))
        wait_until(file.exists, "the job to begin")
    finally:
        killed.close()
    with working(quick, lease_seconds=LEASE):
        done = finished(records, job)
    assert (done.state, done.result, done.attempts) == (JobState.SUCCEEDED, "done", 2)
    assert [(each.number, each.outcome, each.error) for each in done.history] == [
        (1, "lost", "worker lost"), (2, "acknowledged", None),
    ]  # fmt: skip
    lost, last = [span for span in recorder.spans if span.kind is Kind.CONSUMER]
    if "error" not in lost.tags:
        lost, last = last, lost
    producer = recorder.named("publish pausing")
    assert (lost.parent_id, last.parent_id) == (producer.span_id, producer.span_id)
    assert (lost.tags["error"], lost.tags["job.outcome"]) == ("worker lost", "lost")
    assert lost.span_id != last.span_id
    assert lost.timestamp is not None
    assert lost.duration is not None
    assert last.timestamp is not None
    assert lost.duration > LEASE / 2
    assert abs(lost.timestamp + lost.duration - last.timestamp) < 0.5
    assert "error" not in last.tags


def test_a_job_that_took_ten_workers_with_it_is_a_dead_letter(
    working: Working, publisher: JobPublisher, records: JobRecords, redis_server: RedisServer, namespace: str
) -> None:
    """It may be what kills them; nobody runs it an eleventh time."""
    with working(add):
        pass
    job = publisher.publish("add", a=1)
    with redis_server.client() as client:
        envelope = json.loads(client.rpop(f"{namespace}:jobs"))
        claimed = int(time.time() * 1e6) - 60_000_000
        for number in range(10):
            envelope[f"lost:kz.{'a' * 16}.{claimed + number * 1_000_000:x}.1.0"] = "worker lost"
        client.lpush(f"{namespace}:jobs", json.dumps(envelope))
        with working(add):
            done = finished(records, job)
        (letter,) = client.lrange(f"{namespace}:jobs.dead", 0, -1)
    assert (done.state, done.attempts) == (JobState.DEAD_LETTERED, 11)
    assert done.error == "WorkerLost: 10 workers were lost at this job; it may be what kills them"
    assert "WorkerLost" in json.loads(letter)["headers"]["dead-letter-reason"]


def test_a_retry_waits_in_redis_and_outlives_its_worker(
    working: Working, publisher: JobPublisher, records: JobRecords, redis_server: RedisServer, namespace: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """The worker that failed is gone before the next attempt is due."""
    monkeypatch.setattr("kombu_zipkin.jobs.attempt.random.randint", lambda least, most: most)

    @task(name="second", retry=Retry(2, 1500, 1500))
    def fails() -> None:
        raise LookupError("not yet")

    @task(name="second")
    def succeeds() -> str:
        return "now"

    with working(fails):
        job = publisher.publish("second")
        wait_until(lambda: (found := records.get(job.id)) and found.state is JobState.WAITING, "the job to wait")
    with redis_server.client() as client:
        assert (client.zcard(f"{namespace}.delayed"), client.hlen(f"{namespace}:unacked")) == (1, 0)
    with working(succeeds):
        done = finished(records, job)
    assert (done.state, done.result) == (JobState.SUCCEEDED, "now")


def test_a_second_signal_gives_back_at_once(
    publisher: JobPublisher, records: JobRecords, redis_server: RedisServer, redis_url: str, namespace: str
) -> None:
    """And the next worker tells that the attempt was given back."""
    began, release, stop = threading.Event(), threading.Event(), threading.Event()

    @task
    def endless() -> str:
        began.set()
        release.wait(20)
        return "done"

    tracer = Tracer("worker", SpanRecorder(), host="10.0.0.1")
    consumer = JobConsumer(redis_url, tracer, [endless], namespace=namespace, drain_seconds=60)
    thread = threading.Thread(target=consumer.run, args=(stop,))
    thread.start()
    wait_until(publisher.catalogue.workers, "the worker to be there")
    job = publisher.publish("endless")
    assert began.wait(5)
    stop.set()
    thread.join(0.3)
    assert thread.is_alive(), "it drains, for a minute"
    asked = time.monotonic()
    consumer.hurry()
    thread.join(10)
    assert time.monotonic() - asked < 2
    with redis_server.client() as client:
        assert (client.hlen(f"{namespace}:unacked"), client.llen(f"{namespace}:jobs")) == (0, 1)
    release.set()
    wait_until(lambda: not [t for t in threading.enumerate() if t.name.startswith("worker-")], "the thread to end")
    assert records.get(job.id) is not None


def test_a_paused_redis_costs_time_and_no_job(own_redis: RedisServer) -> None:
    """Frozen for longer than the commands wait: the worker is ready again within two seconds of its return."""
    runs: list[int] = []

    @task
    def note(n: int) -> None:
        runs.append(n)
        time.sleep(0.01)

    tracer, stop = Tracer("worker", SpanRecorder(), host="10.0.0.1"), threading.Event()
    publisher, records = JobPublisher(own_redis.url, tracer, timeout=3.0), JobRecords(own_redis.url)
    consumer = JobConsumer(own_redis.url, tracer, [note], concurrency=4)
    thread = threading.Thread(target=consumer.run, args=(stop,))
    thread.start()
    try:
        wait_until(publisher.catalogue.workers, "the worker to be there")
        publisher.publish_many("note", [{"n": number} for number in range(400)])
        wait_until(lambda: len(runs) > 50, "some jobs to run")
        own_redis.process.signal(signal.SIGSTOP)
        time.sleep(6)
        own_redis.process.signal(signal.SIGCONT)
        back = time.monotonic()
        after = len(runs)
        wait_until(lambda: len(runs) > after + 8, "jobs to run again", seconds=10)
        assert time.monotonic() - back < 2
        wait_until(lambda: set(runs) == set(range(400)), "all jobs to run", seconds=30)
        with own_redis.client() as client:
            wait_until(lambda: client.hlen("kombu-zipkin:unacked") == 0, "all to be settled", seconds=10)
    finally:
        stop.set()
        thread.join(20)
        publisher.close()
        records.close()
    assert len(runs) - 400 <= 8, "at most what was in hand runs twice"


def test_short_jobs_are_claimed_ahead_and_long_ones_are_not() -> None:
    """So that a thread need not wait for Redis between jobs of a few milliseconds."""
    ended: list[object] = []
    hands = Hands(2, lambda seconds: time.sleep(seconds), lambda message, _: ended.append(message))
    assert hands.wanted == 2
    for _ in range(6):
        hands.give(0.001)
    wait_until(lambda: len(ended) == 6, "the short ones to end")
    assert hands.wanted == 4
    for seconds in (0.4, 0.4, 0.2):
        hands.give(seconds)
    assert not hands.is_stuck
    time.sleep(0.2)
    assert hands.is_stuck
    assert hands.take_back() == [0.2]
    assert (hands.is_stuck, hands.wanted) == (False, 2)
    hands.close(2)
    assert len(ended) == 8


def test_what_waits_behind_long_jobs_goes_to_a_worker_that_is_free(
    publisher: JobPublisher, records: JobRecords, redis_url: str, namespace: str
) -> None:
    """The one that has claimed it ahead gives it back; it was never begun, so it is no lost attempt."""
    release, where = threading.Event(), dict[str, str]()

    @task(name="job")
    def first(n: int) -> None:
        where[str(n)] = "first"
        if n >= 100:
            release.wait(20)

    @task(name="job")
    def second(n: int) -> None:
        where[str(n)] = "second"

    tracer = Tracer("worker", SpanRecorder(), host="10.0.0.1")
    stops = [threading.Event(), threading.Event()]
    consumers = [JobConsumer(redis_url, tracer, [each], concurrency=2, namespace=namespace) for each in (first, second)]
    threads = [threading.Thread(target=c.run, args=(s,)) for c, s in zip(consumers, stops, strict=True)]
    try:
        threads[0].start()
        wait_until(publisher.catalogue.workers, "the worker to be there")
        publisher.publish_many("job", [{"n": number} for number in range(50)])
        wait_until(lambda: len(where) == 50, "the short jobs to run")
        jobs = publisher.publish_many("job", [{"n": number} for number in (100, 101, 0, 1)])
        wait_until(lambda: {"100", "101"} <= set(where), "both threads to be busy")
        threads[1].start()
        done = [finished(records, job) for job in jobs[2:]]
    finally:
        release.set()
        for stop, thread in zip(stops, threads, strict=True):
            stop.set()
            thread.join(20)
    assert (where["0"], where["1"]) == ("second", "second")
    assert [(job.attempts, len(job.history)) for job in done] == [(1, 1), (1, 1)]


def test_what_could_not_be_given_back_is_run_here(own_redis: RedisServer) -> None:
    """Redis freezes while a long job holds up one that was claimed ahead; its lease goes on, so nobody else would."""
    ran: list[int] = []

    @task
    def job(n: int) -> None:
        ran.append(n)
        if n == 100:
            own_redis.process.signal(signal.SIGSTOP)
            time.sleep(6.5)

    tracer, stop = Tracer("worker", SpanRecorder(), host="10.0.0.1"), threading.Event()
    publisher = JobPublisher(own_redis.url, tracer)
    publisher.catalogue.announce([job], "test")
    publisher.publish_many("job", [{"n": number} for number in [*range(50), 100, 101]])
    thread = threading.Thread(target=JobConsumer(own_redis.url, tracer, [job], concurrency=1).run, args=(stop,))
    thread.start()
    try:
        wait_until(lambda: 100 in ran, "the long job to begin")
        time.sleep(6.2)
        own_redis.process.signal(signal.SIGCONT)
        wait_until(lambda: 101 in ran, "the job behind it to run", seconds=10)
    finally:
        stop.set()
        thread.join(20)
        publisher.close()
    assert ran.count(101) == 1


def test_what_takes_a_job_s_place_goes_in_the_step_that_settles_it(
    working: Working, publisher: JobPublisher, records: JobRecords, redis_url: str, namespace: str
) -> None:
    """Redis sees one command that removes the claim and adds the retry, and one with the dead letter."""

    @task(retry=Retry(1, 10, 10))
    def unlucky() -> None:
        raise LookupError("no such order")

    with working(unlucky), redis.Redis.from_url(redis_url) as other, other.monitor() as monitor:
        finished(records, publisher.publish("unlucky"))
        with redis.Redis.from_url(redis_url) as ending:
            ending.echo("the end of this")
        seen = list[tuple[str, str]]()
        for command in monitor.listen():
            if "the end of this" in command["command"]:
                break
            seen.append((command["client_type"], command["command"]))
    places = [at for at, (_, text) in enumerate(seen)
              if text.startswith((f"ZADD {namespace}.delayed", f"LPUSH {namespace}:jobs.dead"))]  # fmt: skip
    assert len(places) == 2, seen
    for at in places:
        assert [kind for kind, _ in seen[at - 2 : at + 1]] == ["lua"] * 3
        assert seen[at - 2][1].startswith(f"ZREM {namespace}:unacked_index")
        assert seen[at - 1][1].startswith(f"HDEL {namespace}:unacked")


def test_on_rabbitmq_a_job_is_acknowledged_only_when_its_retry_is_kept(
    rabbitmq: RabbitServer, own_redis: RedisServer, namespace: str
) -> None:
    """The records' Redis goes away in the first attempt: the job is delivered again, and nothing is lost."""
    attempts: list[int] = []

    @task(retry=Retry(3, 20, 20), queue=f"{namespace}-jobs")
    def once_without_redis(n: int) -> int:
        attempts.append(n)
        if len(attempts) == 1:
            own_redis.stop()
            raise LookupError("its retry cannot be kept")
        return n

    tracer, stop = Tracer("worker", SpanRecorder(), host="10.0.0.1"), threading.Event()
    places = {"records_url": own_redis.url, "namespace": namespace}
    consumer = JobConsumer(rabbitmq.url, tracer, [once_without_redis], concurrency=1, **places)  # type: ignore[arg-type]
    thread = threading.Thread(target=consumer.run, args=(stop,))
    thread.start()
    publisher = JobPublisher(rabbitmq.url, tracer, **places)  # type: ignore[arg-type]
    try:
        wait_until(publisher.catalogue.workers, "the worker to be there")
        publisher.publish("once_without_redis", n=7)
        wait_until(lambda: len(attempts) == 2, "the job to be delivered again", seconds=15)
        own_redis.start()
    finally:
        stop.set()
        thread.join(20)
        publisher.close()
    assert attempts == [7, 7]
