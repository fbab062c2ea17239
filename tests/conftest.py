"""The servers that tests share, and what every test leaves behind: nothing."""

import os
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from kombu_zipkin.tracing import current_trace
from tests.servers import Programs, RabbitServer, RedisServer, ZipkinServer, find_rabbitmq, wait_until
from tests.servers.waiting import free_port

for _name in [name for name in os.environ if name.startswith(("PRODUCER_", "WORKER_", "RELAY_"))]:
    del os.environ[_name]  # a developer's own settings must not change what is tested


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """One Redis for all tests that do no harm to it; they keep to `namespace`."""
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    yield server
    server.close()


@pytest.fixture(scope="session")
def rabbitmq(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitServer]:
    """One RabbitMQ for all tests; they keep to queues of their own."""
    if find_rabbitmq() is None:
        pytest.skip("no rabbitmq-server on this machine")
    server = RabbitServer(tmp_path_factory.mktemp("rabbitmq"))
    yield server
    server.close()


@pytest.fixture(scope="session")
def producer_port() -> int:
    """Where the web app of `system` listens; Zipkin has to know before it is started."""
    return free_port()


@pytest.fixture(scope="session")
def zipkin(producer_port: int) -> Iterator[ZipkinServer]:
    """One Zipkin for all tests that do no harm to it; they look at traces and services of their own."""
    server = ZipkinServer({"ZIPKIN_UI_LOGS_URL": f"http://127.0.0.1:{producer_port}/trace/{{traceId}}"})
    yield server
    server.close()


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis for a test that stops, kills or fills it."""
    server = RedisServer(tmp_path)
    yield server
    server.close()


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    """The shared Redis's address."""
    return redis_server.url


@pytest.fixture
def namespace(redis_server: RedisServer) -> Iterator[str]:
    """A name for keys of this test alone; whatever it made is gone afterwards."""
    name = f"test-{uuid.uuid4().hex[:12]}"
    yield name
    with redis_server.client() as client:
        keys = [key for key in client.scan_iter(count=1000) if name in key]
        if keys:
            client.delete(*keys)


@pytest.fixture(scope="session")
def system(redis_server: RedisServer, zipkin: ZipkinServer, producer_port: int) -> Iterator[Programs]:
    """Web app, worker and relay, running."""
    programs = Programs(
        {
            "REDIS_URL": redis_server.url,
            "ZIPKIN_URL": zipkin.url,
            "SPANS_STREAM": "system",
            "JOBS_NAMESPACE": "system",
        }
    )
    programs.producer_port = producer_port
    programs.start_worker()
    programs.start_producer()
    programs.start_relay()
    yield programs
    programs.close()


@pytest.fixture(autouse=True)
def _leaves_nothing() -> Iterator[None]:
    """No thread, and no open span, outlives a test."""
    before = set(threading.enumerate())
    yield

    def extra() -> list[str]:
        return [thread.name for thread in threading.enumerate() if thread not in before and not thread.daemon]

    wait_until(lambda: not extra(), f"threads to end: {extra()}", seconds=5)
    assert current_trace() is None, "an open span was left behind"


def pytest_sessionfinish(session: pytest.Session) -> None:
    """In CI nothing is skipped: a skipped test there is a machine that lacks something, and a failure."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or not os.environ.get("CI"):
        return
    skipped = len(reporter.stats.get("skipped", []))
    if skipped:
        reporter.write_line(f"{skipped} skipped; in CI nothing is", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
