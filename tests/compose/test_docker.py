"""With a Docker engine: the compose file, and the integration on containers. Without one these are skipped."""

import json
import os
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator

import pytest

from kombu_zipkin.spans import RedisStreamTransport, read_ledger
from kombu_zipkin.tracing import Kind, Tracer
from tests.servers import Programs, wait_until
from tests.servers.process import ROOT
from tests.servers.waiting import free_port

IMAGES = ("redis:7.4-alpine", "openzipkin/zipkin:3.6.1")


def engine_answers() -> bool:
    """Whether there is a Docker engine with Compose."""
    if shutil.which("docker") is None:
        return False
    for argv in (["docker", "info"], ["docker", "compose", "version"]):
        if subprocess.run(argv, capture_output=True, timeout=30, check=False).returncode:
            return False
    return True


pytestmark = [
    pytest.mark.skipif(not engine_answers(), reason="no Docker engine with Compose answers"),
    pytest.mark.timeout(600),
]


def docker(*argv: str, **env: str) -> "subprocess.CompletedProcess[str]":
    """Run docker; its output is shown when it fails."""
    done = subprocess.run(
        ["docker", *argv], cwd=ROOT, env={**os.environ, **env}, capture_output=True, text=True, timeout=500, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.fixture
def compose() -> Iterator[dict[str, str]]:
    """The whole compose file, up and healthy, on ports of its own; gone afterwards, volumes too."""
    env = {
        "COMPOSE_PROJECT_NAME": f"kombu-zipkin-test-{os.getpid()}",
        "PRODUCER_PORT": str(free_port()),
        "ZIPKIN_PORT": str(free_port()),
    }
    try:
        docker("compose", "up", "--build", "--wait", **env)
        yield env
    finally:
        docker("compose", "down", "--volumes", "--timeout", "5", **env)


def test_compose_brings_everything_up_and_the_trace_is_whole(compose: dict[str, str]) -> None:
    """Every service healthy, then ``kombu-zipkin verify`` against them; the programs do not run as root."""
    urls = {
        "KOMBU_ZIPKIN_URL": f"http://127.0.0.1:{compose['PRODUCER_PORT']}",
        "ZIPKIN_URL": f"http://127.0.0.1:{compose['ZIPKIN_PORT']}",
    }
    command = [sys.executable, "-c", "from kombu_zipkin.cli import main; main()", "verify"]
    done = subprocess.run(command, env={**os.environ, **urls}, capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    with urllib.request.urlopen(f"{urls['ZIPKIN_URL']}/zipkin/config.json", timeout=10) as config:
        assert json.load(config)["logsUrl"] == f"http://localhost:{compose['PRODUCER_PORT']}/trace/{{traceId}}"
    for service in ("producer", "worker", "relay"):
        user = docker("compose", "exec", "-T", service, "id", "-u", **compose).stdout.strip()
        assert user == "10001"


def test_the_system_works_on_containers_of_redis_and_zipkin(monkeypatch: pytest.MonkeyPatch) -> None:
    """Started by testcontainers, as users of the library test theirs."""
    monkeypatch.setenv("TESTCONTAINERS_RYUK_DISABLED", "true")
    from testcontainers.core.config import testcontainers_config
    from testcontainers.core.container import DockerContainer

    testcontainers_config.ryuk_disabled = True
    redis, zipkin = (DockerContainer(image) for image in IMAGES)
    with redis.with_exposed_ports(6379), zipkin.with_exposed_ports(9411):
        redis_url = f"redis://{redis.get_container_host_ip()}:{redis.get_exposed_port(6379)}/0"
        zipkin_url = f"http://{zipkin.get_container_host_ip()}:{zipkin.get_exposed_port(9411)}"
        wait_until(lambda: _flushes(redis_url), "the Redis container", seconds=60)
        programs = Programs({"REDIS_URL": redis_url, "ZIPKIN_URL": zipkin_url})
        programs.start_worker()
        programs.start_producer()
        programs.start_relay()
        status, posted = programs.get("/demo")
        assert status == 202
        command = [sys.executable, "-c", "from kombu_zipkin.cli import main; main()", "verify"]
        argv = [*command, "--url", programs.url, "--zipkin-url", zipkin_url]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=90, check=False)
        programs.close()
        assert done.returncode == 0, done.stdout + done.stderr
        assert posted["state"] == "queued"
        assert read_ledger(redis_url).difference == 0


def _flushes(url: str) -> bool:
    """Whether a span reaches this Redis."""
    transport = RedisStreamTransport(url, linger_ms=0)
    with Tracer("probe", transport, host="127.0.0.1").root("probe", kind=Kind.CLIENT):
        pass
    return transport.close(0.5).acknowledged == 1
