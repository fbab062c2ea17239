"""What goes wrong is one sentence with the next step, of every command."""

import socket
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from kombu_zipkin.cli.web_app import WebApp
from kombu_zipkin.errors import InvalidJob, Unavailable
from tests.cli.test_json import PRINTING
from tests.cli.typed import typed
from tests.servers import Process, Programs, RedisServer
from tests.servers.programs import KOMBU_ZIPKIN

NOWHERE = "http://127.0.0.1:1"

OF_REDIS: list[list[str]] = [
    ["spans", "status"],
    ["spans", "dead", "list"],
    ["spans", "dead", "show", "1-1"],
    ["spans", "dead", "replay", "--all"],
    ["spans", "dead", "purge", "--all", "--yes"],
    ["jobs", "status"],
    ["jobs", "list"],
    ["jobs", "show", "x"],
    ["jobs", "retry", "x"],
    ["jobs", "dead", "list"],
    ["jobs", "dead", "show", "x"],
    ["jobs", "dead", "replay", "x"],
    ["jobs", "dead", "purge", "--all", "--yes"],
]

OTHERS: list[tuple[list[str], int, str]] = [
    (["post", "demo", "--url", NOWHERE], 1, "is the web app running there? start it with: make demo"),
    (["post", "demo", "--url", "nonsense"], 2, "--url: expected http://host:port"),
    (["post", "demo", "--url", "http://host:port"], 2, "--url: expected http://host:port"),
    (["post", "demo", "--url", "{sink}"], 1, "is that the web app? correct --url or KOMBU_ZIPKIN_URL"),
    (["post", "no_such_task"], 2, "known tasks: demo, do_stuff"),
    (["post", "do_stuff", "second=1"], 2, "it takes seconds (number, default 0.5)"),
    (["verify", "--url", NOWHERE], 1, "is the web app running there?"),
    (["verify", "--url", "{sink}"], 1, "is that the web app?"),
    (["verify", "--zipkin-url", NOWHERE], 1, "start Zipkin, or correct ZIPKIN_URL"),
    (["verify", "--zipkin-url", "http://[x"], 2, "Zipkin URL: expected http://host:port"),
    (["trace", "a" * 32, "--zipkin-url", NOWHERE], 1, "start Zipkin, or correct ZIPKIN_URL"),
    (["trace", "a" * 32, "--zipkin-url", "zipkin"], 2, "Zipkin URL: expected http://host:port"),
    (["trace", "a" * 32], 1, "a span takes about a second to arrive: --wait 10"),
    (["trace", "a" * 32, "--wait", "0.1"], 1, "has no trace aaaa"),
    (["trace", "no-such-job", "--url", NOWHERE], 1, "for a job's id ask the web app"),
    (["doctor", "--redis-url", "redis:/nonsense:x"], 2, "Redis URL: "),
    (["doctor", "--redis-url", "nonsense"], 2, "Redis URL: "),
    (["doctor", "--zipkin-url", "zipkin"], 2, "Zipkin URL: expected http://host:port"),
    (["jobs", "list", "--broker-url", "amqp://host"], 2, "another broker keeps its dead letters itself"),
    (["jobs", "list", "--after", "nonsense"], 2, "after: expected a page's next"),
    (["jobs", "dead", "purge", "--reason", "x", "--all"], 2, "expected an ID, or --reason TEXT, or --all"),
    (["spans", "dead", "replay"], 2, "expected an ID, or --reason TEXT, or --all"),
    (["jobs", "show", "nobody"], 1, "those that there are: kombu-zipkin jobs list"),
    (["jobs", "retry", "nobody"], 1, "those that there are: kombu-zipkin jobs list"),
    (["jobs", "dead", "show", "nobody"], 1, "those that there are: kombu-zipkin jobs dead list"),
    (["spans", "dead", "show", "1-1"], 1, "those that there are: kombu-zipkin spans dead list"),
]


def sentence(argv: list[str], env: dict[str, str]) -> tuple[int, str]:
    """Run a command that fails; returns its exit code and the one line that it says."""
    done = typed(*argv, **env)
    assert isinstance(done.exception, SystemExit), f"a traceback: {done.exception!r}"
    assert done.stderr.count("\n") == 1, done.stderr
    assert done.stderr.startswith("kombu-zipkin: ")
    return done.exit_code, done.stderr


def test_every_command_is_among_these() -> None:
    """So that a new one is tried as well."""
    tried = [tuple(argv) for argv in OF_REDIS] + [tuple(argv) for argv, _, _ in OTHERS]
    assert [path for path in PRINTING if not any(words[: len(path)] == path for words in tried)] == []


@pytest.mark.parametrize("argv", OF_REDIS, ids=" ".join)
def test_a_redis_that_is_away_or_closed_is_told_with_what_to_do(argv: list[str], locked: RedisServer) -> None:
    """Not running, another password, a right that lacks, an address that is none."""
    port = locked.port
    for url, code, said in (
        ("redis://127.0.0.1:1/0", 1, "; start Redis on redis://127.0.0.1:1/0, or correct REDIS_URL"),
        (f"redis://somebody:wrong@127.0.0.1:{port}/0", 1, "; correct user and password in REDIS_URL"),
        (f"redis://nobody:secret@127.0.0.1:{port}/0", 1, "; give Redis's user that right: ACL SETUSER"),
        ("nonsense", 2, "redis://"),
        ("redis://host:port", 2, "Redis URL: "),
    ):
        found = sentence(argv, {"REDIS_URL": url})
        assert (found[0], said in found[1]) == (code, True), found
        assert "secret" not in found[1]


@pytest.mark.parametrize(
    ("argv", "code", "said"), OTHERS, ids=lambda each: " ".join(each) if isinstance(each, list) else ""
)
def test_what_else_goes_wrong_is_told_with_what_to_do(
    system: Programs, sink_url: str, argv: list[str], code: int, said: str
) -> None:
    """In the running system."""
    env = {**system.environment, "KOMBU_ZIPKIN_URL": system.url}
    found = sentence([word.format(sink=sink_url) for word in argv], env)
    assert (found[0], said in found[1]) == (code, True), found


@pytest.mark.parametrize(
    ("argv", "variable"),
    [
        ([*KOMBU_ZIPKIN, "relay"], "RELAY_PORT"),
        ([*KOMBU_ZIPKIN, "worker", "worker.tasks"], "WORKER_PORT"),
        ([sys.executable, "-m", "producer"], "PRODUCER_PORT"),
    ],
    ids=["relay", "worker", "producer"],
)
def test_a_port_that_is_taken_is_one_line(redis_url: str, argv: list[str], variable: str) -> None:
    """Which, and that another is to be chosen."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = Process(argv, {variable: str(port), "REDIS_URL": redis_url})
        code, said = process.wait(30), process.output
        process.close()
    assert (code, said.count("\n"), str(port) in said) == (2, 1, True), said
    assert "choose another port" in said or "expected a free port" in said


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A Redis with a user that may do nothing."""
    server = RedisServer(tmp_path_factory.mktemp("locked"))
    with server.client() as client:
        client.execute_command("ACL", "SETUSER", "nobody", "on", ">secret", "-@all", "+ping", "+hello", "+select")
    yield server
    server.close()


ANSWERS = {
    "/problem": (400, b'{"title": "Bad Request", "status": 400, "detail": "seconds: expected a number"}'),
    "/older": (400, b'{"error": "seconds: expected a number"}'),
    "/away": (503, b'{"title": "Service Unavailable", "status": 503, "detail": "the queue does not answer"}'),
    "/list": (200, b"[]"),
}


class _Answers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        code, body = ANSWERS[self.path]
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is http.server's
        """Say nothing."""


def test_the_web_app_s_sentence_is_found_in_a_problem_and_in_an_older_answer() -> None:
    """In ``detail``, else in ``error``; what is neither is another server's."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Answers)
    thread = Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    app = WebApp(f"http://127.0.0.1:{server.server_port}")
    try:
        for path in ("/problem", "/older"):
            with pytest.raises(InvalidJob, match=r"^seconds: expected a number$"):
                app.get(path)
        with pytest.raises(Unavailable, match="the queue does not answer"):
            app.get("/away")
        with pytest.raises(Unavailable, match="is that the web app"):
            app.get("/list")
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
