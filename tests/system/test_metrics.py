"""Every number that the programs export, beside one that was counted elsewhere."""

import os
import re
import signal
import urllib.request
from collections.abc import Iterator

import pytest
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from kombu_zipkin.spans import Entry, Piece, ProducerReport, SpanStream, StreamKeys, compress, encode, read_ledger
from tests.servers import Programs, RedisServer, ZipkinServer, wait_until
from tests.spans.making import make_spans

JOBS = 7
OF_WEB_APP, OF_WORKER = JOBS * 3 + 1, JOBS * 3  # spans: three of each /demo, and the request that is refused
SPANS, POISON, DEAD = OF_WEB_APP + OF_WORKER, 6, 3
BAD = b'{"traceId":"UPPER","id":"a2fb4a1d1a96d312"}'

Numbers = dict[str, float]


@pytest.fixture
def zipkin() -> Iterator[ZipkinServer]:
    """One of this test's own, to which no other relay posts."""
    server = ZipkinServer()
    yield server
    server.close()


@pytest.fixture
def counted(own_redis: RedisServer, zipkin: ZipkinServer) -> Iterator[tuple[Programs, Numbers]]:
    """A system that has done some work, and what the test itself, Redis and Zipkin say about it."""
    programs = Programs({"REDIS_URL": own_redis.url, "ZIPKIN_URL": zipkin.url})
    try:
        yield programs, _work(programs, own_redis, zipkin)
    finally:
        programs.close()


def _work(programs: Programs, own_redis: RedisServer, zipkin: ZipkinServer) -> Numbers:
    """Let the system work; returns what was counted elsewhere."""
    programs.start_worker()
    programs.start_producer()
    before = _zipkins(zipkin)
    relay = programs.start_relay()
    os.kill(relay.pid, signal.SIGSTOP)
    for _ in range(JOBS):
        assert programs.get("/demo")[0] == 202
    assert programs.post("/api/jobs", {"task": "do_stuff", "arguments": {"seconds": "long"}})[0] == 400
    _poison(own_redis.url)
    wait_until(lambda: read_ledger(own_redis.url).waiting == SPANS + POISON, "all spans to lie in the stream")
    with own_redis.client() as client:
        client.connection_pool.connection_kwargs["decode_responses"] = False
        entries = [fields for _, fields in client.xrange(StreamKeys().stream)]
    os.kill(relay.pid, signal.SIGCONT)
    wait_until(lambda: read_ledger(own_redis.url).waiting == 0, "all to be settled")
    arriving = before["spans"] + SPANS + POISON - DEAD
    wait_until(lambda: _zipkins(zipkin)["spans"] >= arriving, "Zipkin to count what it has answered")
    told = {"entries": len(entries), "bytes": sum(len(fields[b"d"]) for fields in entries)}
    after = _zipkins(zipkin)
    return {**told, **{name: after[name] - before[name] for name in after}}


def test_every_number_is_what_somebody_else_counted(
    counted: tuple[Programs, Numbers], own_redis: RedisServer, zipkin: ZipkinServer
) -> None:
    """By this test, by the books in Redis, and by Zipkin."""
    programs, elsewhere = counted
    wait_until(lambda: _page(programs.worker_port)["kombu_zipkin_spans_held"] == 0, "the worker to hold nothing")
    ledger, relay = read_ledger(own_redis.url), _page(programs.relay_port)
    posts = _posts(relay)
    expected_of_relay = {
        'zipkin_collector_messages_total{transport="redis"}': elsewhere["entries"],
        'zipkin_collector_messages_dropped_total{transport="redis"}': 1,
        'zipkin_collector_bytes_total{transport="redis"}': elsewhere["bytes"],
        'zipkin_collector_spans_total{transport="redis"}': ledger.totals["delivered"],
        'zipkin_collector_spans_dropped_total{cause="refused",transport="redis"}': 1,
        'zipkin_collector_spans_dropped_total{cause="unreadable",transport="redis"}': 2,
        "kombu_zipkin_relay_post_seconds_count": posts,
        "kombu_zipkin_accepted_not_stored_spans": zipkin.api.spans_dropped(),
    }
    assert {name: relay[name] for name in expected_of_relay} == expected_of_relay
    assert ledger.totals["delivered"] == elsewhere["spans"] == SPANS + POISON - DEAD
    assert ledger.totals["dead"] == DEAD
    wait_until(lambda: _posts(_page(programs.relay_port)) == zipkin.posts(), "Zipkin to have counted as many POSTs")
    assert 1 <= relay["kombu_zipkin_relay_delay_seconds_count"] <= elsewhere["entries"]
    wait_until(lambda: _page(programs.relay_port)["kombu_zipkin_relay_oldest_unsettled_seconds"] == 0, "nothing old")
    _of_the_jobs(programs)


def _posts(relay: Numbers) -> float:
    return sum(value for name, value in relay.items() if name.startswith("kombu_zipkin_relay_posts_total"))


def _of_the_jobs(programs: Programs) -> None:
    app, worker = _page(programs.producer_port), _page(programs.worker_port)
    expected_of_app = {
        "kombu_zipkin_spans_created_total": OF_WEB_APP,
        "kombu_zipkin_spans_acknowledged_total": OF_WEB_APP,
        "kombu_zipkin_spans_held": 0,
        'kombu_zipkin_jobs_published_total{task="demo"}': JOBS,
        'kombu_zipkin_jobs_refused_total{reason="invalid"}': 1,
    }
    expected_of_worker = {
        "kombu_zipkin_spans_created_total": OF_WORKER,
        "kombu_zipkin_spans_acknowledged_total": OF_WORKER,
        "kombu_zipkin_spans_held": 0,
        'kombu_zipkin_jobs_finished_total{outcome="acknowledged",task="demo"}': JOBS,
        'kombu_zipkin_jobs_started_total{task="demo"}': JOBS,
        "kombu_zipkin_jobs_running": 0,
        "kombu_zipkin_jobs_lost_total": 0,
        "kombu_zipkin_leases_lost_total": 0,
        "kombu_zipkin_jobs_delayed": 0,
        "kombu_zipkin_jobs_claimed": 0,
        'kombu_zipkin_queue_waiting_jobs{queue="jobs"}': 0,
        'kombu_zipkin_queue_oldest_seconds{queue="jobs"}': 0,
        'kombu_zipkin_queue_dead_letters{queue="jobs"}': 0,
        "kombu_zipkin_job_wait_seconds_count": JOBS,
        'kombu_zipkin_job_run_seconds_count{task="demo"}': JOBS,
    }
    assert {name: app[name] for name in expected_of_app} == expected_of_app
    assert {name: worker[name] for name in expected_of_worker} == expected_of_worker
    seen = {re.split("_total|_count|{", name)[0] for name in [*expected_of_app, *expected_of_worker]}
    of_jobs = {name for name in _families(programs.worker_port) if re.search("_job|_spans_|_queue_|_leases_", name)}
    elsewhere = {"kombu_zipkin_spans_dropped", "kombu_zipkin_spans_clipped"}  # test_transport.py
    elsewhere.add("kombu_zipkin_accepted_not_stored_spans")
    assert {name for name in of_jobs if not name.startswith("zipkin_")} - elsewhere == seen


def _poison(url: str) -> None:
    stream = SpanStream(url)
    good = [encode(span) for span in make_spans(3)]
    mixed = Entry(compress(b",".join([*good, BAD])), 4, "p1", 1, 1_700_000_000_000)
    broken = Entry(Piece(b"\xff\xfe broken", 1, 20), 2, "p1", 2, 1_700_000_000_000)
    for entry in (mixed, broken):
        stream.append(entry, ProducerReport(0, 0, {}))
    stream.close()


def _zipkins(zipkin: ZipkinServer) -> Numbers:
    """Return what Zipkin counts of the spans it got over HTTP."""
    return {"spans": zipkin.collected("spans")}


def _page(port: int) -> Numbers:
    return {_name(sample): sample.value for family in _parsed(port) for sample in family.samples}


def _name(sample: Sample) -> str:
    labels = ",".join(f'{name}="{value}"' for name, value in sorted(sample.labels.items()))
    return f"{sample.name}{{{labels}}}" if labels else str(sample.name)


def _families(port: int) -> set[str]:
    return {family.name for family in _parsed(port) if not family.name.endswith("_created")} | {
        "kombu_zipkin_spans_created"
    }


def _parsed(port: int) -> list[Metric]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as page:
        return list(text_string_to_metric_families(page.read().decode()))
