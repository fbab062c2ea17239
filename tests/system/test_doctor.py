"""The doctor finds what is wrong, and says what to do."""

from collections.abc import Iterator

import pytest

from kombu_zipkin.spans import RedisStreamTransport
from tests.servers import Programs, RedisServer, ZipkinServer, wait_until
from tests.spans.making import make_spans
from tests.system.test_commands import run


@pytest.fixture
def doctored(own_redis: RedisServer, zipkin: ZipkinServer) -> Iterator[Programs]:
    """A system of this test's own, nothing of it started."""
    programs = Programs({"REDIS_URL": own_redis.url, "ZIPKIN_URL": zipkin.url})
    yield programs
    programs.close()


def examined(programs: Programs) -> tuple[int, str]:
    """Run the doctor on a system; returns the exit code and what it said."""
    done = run("doctor", **programs.environment)
    return done.returncode, done.stdout + done.stderr


def test_a_healthy_system_has_nothing_wrong(doctored: Programs) -> None:
    """Relay and worker run, a job went through."""
    doctored.start_worker()
    doctored.start_producer()
    doctored.start_relay()
    doctored.get("/demo")
    wait_until(lambda: "warn" not in examined(doctored)[1], "nothing to be wrong")
    code, said = examined(doctored)
    assert (code, said.count("ok  ")) == (0, 7), said
    assert "1 relay reads the span stream zipkin-spans" in said
    assert "the books close" in said


def test_a_stream_that_no_relay_reads_is_found(doctored: Programs, own_redis: RedisServer) -> None:
    """The commonest silent failure."""
    transport = RedisStreamTransport(own_redis.url)
    transport.report(make_spans(5))
    transport.close(5)
    code, said = examined(doctored)
    assert code == 1
    assert "FAIL no relay reads the span stream zipkin-spans, 5 spans wait: start one: kombu-zipkin relay" in said


def test_a_relay_that_never_had_anything_to_do_is_seen(doctored: Programs) -> None:
    """It has joined the group all the same."""
    doctored.start_relay()
    assert "1 relay reads" in examined(doctored)[1]


def test_a_queue_that_no_worker_reads_is_found(doctored: Programs) -> None:
    """Its tasks were announced, and it is gone."""
    doctored.start_worker()
    doctored.start_producer()
    doctored.start_relay()
    doctored.kill("worker")
    doctored.get("/demo")
    code, said = examined(doctored)
    assert "warn 1 job waits in jobs, and nobody took one: is a worker running?" in said
    assert code == 0


@pytest.mark.parametrize(
    ("setting", "value", "expected"),
    [
        ("REDIS_URL", "redis://127.0.0.1:1/0", "FAIL Redis on redis://127.0.0.1:1/0: "),
        ("ZIPKIN_URL", "http://127.0.0.1:1", "FAIL Zipkin on http://127.0.0.1:1: "),
    ],
)
def test_a_server_that_is_away_is_told(doctored: Programs, setting: str, value: str, expected: str) -> None:
    """With what to correct; everything else is looked at all the same."""
    done = run("doctor", **{**doctored.environment, setting: value})
    assert done.returncode == 1
    assert expected in done.stdout
    assert f"or correct {setting}" in done.stdout
    assert done.stdout.count("FAIL") == 1


def test_settings_of_redis_that_may_lose_spans_are_told(doctored: Programs, own_redis: RedisServer) -> None:
    """As a warning: it works, until it does not."""
    with own_redis.client() as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
    code, said = examined(doctored)
    assert (code, "warn maxmemory-policy is allkeys-lru" in said) == (0, True)


def test_an_unknown_url_is_wrong_use(doctored: Programs) -> None:
    """In one sentence."""
    done = run("doctor", "--zipkin-url", "zipkin", **doctored.environment)
    assert (done.returncode, done.stderr) == (2, "kombu-zipkin: Zipkin URL: expected http://host:port, got 'zipkin'\n")
