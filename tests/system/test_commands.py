"""The commands of ``kombu-zipkin``, as a person types them."""

import json
import os
import subprocess
import sys
import time

import pytest

from tests.servers import Programs, ZipkinServer
from tests.servers.process import ROOT


def run(*argv: str, **env: str) -> "subprocess.CompletedProcess[str]":
    """Run a command to its end."""
    command = [sys.executable, "-c", "from kombu_zipkin.cli import main; main()", *argv]
    environment = {**os.environ, **env}
    return subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def test_verify_checks_the_whole_trace_a_line_a_check(system: Programs, zipkin: ZipkinServer) -> None:
    """And exits 0 when all hold."""
    done = run("verify", "--url", system.url, "--zipkin-url", zipkin.url)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("\nok   ") == 10
    assert "FAIL" not in done.stdout


def test_verify_fails_when_nothing_reaches_zipkin(system: Programs, sink_url: str) -> None:
    """Here Zipkin is another one than the relay's."""
    done = run("verify", "--url", system.url, "--zipkin-url", sink_url, "--timeout", "1")
    assert done.returncode == 1
    assert "FAIL the trace reaches Zipkin: it did not; are worker and relay running?" in done.stdout


def test_post_waits_for_the_result(system: Programs) -> None:
    """With arguments as JSON, else as text."""
    done = run("post", "do_stuff", "seconds=0.05", "--wait", "--url", system.url)
    assert done.returncode == 0, done.stderr
    assert "succeeded" in done.stdout
    assert "did stuff for 0.05 s" in done.stdout


def test_post_of_a_job_that_fails_exits_1_with_the_error(system: Programs) -> None:
    """So that a script notices."""
    done = run("post", "fail", "message=no luck", "--wait", "--json", "--url", system.url)
    assert done.returncode == 1
    assert json.loads(done.stdout)["error"] == "RuntimeError: no luck"


def test_trace_draws_the_tree(system: Programs, zipkin: ZipkinServer) -> None:
    """Every span below its parent, with service and kind."""
    trace_id = system.get("/demo")[1]["trace_id"]
    zipkin.wait_for_trace(trace_id, 6)
    done = run("trace", trace_id, "--zipkin-url", zipkin.url)
    assert done.returncode == 0
    lines = [line[23:] for line in done.stdout.splitlines()[1:]]
    assert lines == [
        "webapp index SERVER",
        "  webapp do_stuff",
        "  webapp publish demo PRODUCER",
        "    redis wait in jobs",
        "    worker index_service1 CONSUMER",
        "      worker service1_do_stuff",
    ]


@pytest.mark.parametrize(
    ("argv", "code", "sentence"),
    [
        (("post", "demo", "--url", "http://127.0.0.1:1"), 1, "is the web app running there"),
        (("post", "demo", "x", "--url", "http://127.0.0.1:1"), 2, "expected KEY=VALUE, got 'x'"),
        (("post", "demo", "--url", "ftp://x"), 2, "--url: expected http://host:port"),
        (("trace", "abc"), 1, "expected 16 or 32 lower-hex characters"),
        (("trace", "a" * 32, "--zipkin-url", "http://127.0.0.1:1"), 1, "GET http://127.0.0.1:1"),
        (("worker", "no.such.module"), 2, "module no.such.module"),
        (("relay", "--zipkin-url", "zipkin"), 2, "Zipkin URL: expected http://host:port, got 'zipkin'"),
        (("relay", "--redis-url", "http://x"), 2, "Redis URL"),
        (("relay", "--log-level", "LOUD"), 2, "LOG_LEVEL: expected one of DEBUG, INFO, WARNING, ERROR, got 'LOUD'"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(argv: tuple[str, ...], code: int, sentence: str) -> None:
    """On standard error, without a traceback."""
    done = run(*argv)
    assert done.returncode == code
    assert sentence in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("argv", "variable", "value", "sentence"),
    [
        (("worker", "worker.tasks"), "WORKER_CONCURRENCY", "many", "WORKER_CONCURRENCY: expected "),
        (("worker", "worker.tasks"), "WORKER_CONCURRENCY", "65", "WORKER_CONCURRENCY: expected at most 64, got '65'"),
        (("worker", "worker.tasks"), "WORKER_CONCURENCY", "4", "did you mean WORKER_CONCURRENCY?"),
        (("relay",), "RELAY_PORT", "-1", "RELAY_PORT: expected at least 0, got '-1'"),
        (("relay",), "RELAY_CLAIM", "1", "did you mean RELAY_CLAIM_AFTER?"),
    ],
)
def test_a_wrong_setting_is_one_line_and_exit_2(
    argv: tuple[str, ...], variable: str, value: str, sentence: str
) -> None:
    """Variable, value, and what was expected."""
    done = run(*argv, **{variable: value})
    assert done.returncode == 2
    assert sentence in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_wrong_setting_of_the_web_app_is_one_line_and_exit_2() -> None:
    """As of the commands."""
    for variable, sentence in (
        ("PRODUCER_PORT", "PRODUCER_PORT: expected"),
        ("PRODUCER_PROT", "did you mean PRODUCER_PORT?"),
    ):
        argv = [sys.executable, "-m", "producer"]
        env = {**os.environ, variable: "none"}
        done = subprocess.run(argv, env=env, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)
        assert (done.returncode, sentence in done.stderr, len(done.stderr.splitlines())) == (2, True, 1)


@pytest.mark.parametrize("command", ["relay", "worker", "post", "trace", "verify"])
def test_every_command_teaches_with_an_example(command: str) -> None:
    """In its help."""
    done = run(command, "--help")
    assert done.returncode == 0
    assert f"kombu-zipkin {command}" in done.stdout.split("Example:")[1]


def test_the_help_of_post_knows_the_tasks(system: Programs) -> None:
    """Whoever wrote them; and says so where it cannot."""
    help_text = run("post", "--help", KOMBU_ZIPKIN_URL=system.url).stdout
    assert "fan_out [n=3]" in help_text
    assert "Post n short jobs" in help_text
    assert "fan_out [n=3]" in run("post", "--url", system.url, "--help").stdout
    assert "it does not answer" in run("post", "--help", KOMBU_ZIPKIN_URL="http://127.0.0.1:1").stdout


def test_post_with_an_id_posts_once(system: Programs) -> None:
    """The second is answered with what became of the first."""
    posted = [run("post", "do_stuff", "seconds=0", "--id", "cli-1", "--wait", "--json", "--url", system.url)
              for _ in range(2)]  # fmt: skip
    first, second = (json.loads(done.stdout) for done in posted)
    assert (first["id"], first["started_ms"], first["attempts"]) == ("cli-1", second["started_ms"], 1)


def test_a_load_is_summed_up(system: Programs) -> None:
    """How many, what became of them, how long they took; at the rate that was asked for."""
    begun = time.monotonic()
    done = run("post", "do_stuff", "seconds=0.01", "--count", "60", "--rate", "40", "--wait", "--url", system.url)
    assert time.monotonic() - begun > 1.4
    assert done.returncode == 0, done.stdout + done.stderr
    assert "posted     60 jobs in 1." in done.stdout
    assert "succeeded  60" in done.stdout
    assert "ran        p50 1" in done.stdout
    told = json.loads(run("post", "fail", "--count", "5", "--wait", "--json", "--url", system.url).stdout)
    assert (told["posted"], told["refused"], told["states"]) == (5, 0, {"dead_lettered": 5})
    assert told["end_to_end_ms"]["p99"] >= told["end_to_end_ms"]["p50"] >= 0


@pytest.mark.parametrize(
    ("argv", "code", "sentence"),
    [
        (("fail", "--count", "3", "--wait"), 1, "dead-lettered 3"),
        (("do_stuff", "seconds=-1", "--count", "1000"), 2, "kombu-zipkin: do_stuff: seconds: "),
        (("do_stuff", "--rate", "5"), 2, "--rate goes with --count"),
        (("do_stuff", "--count", "2", "--id", "x"), 2, "--id names one job"),
    ],
)
def test_a_load_that_is_not_good_says_so(system: Programs, argv: tuple[str, ...], code: int, sentence: str) -> None:
    """By its exit code too; what the first job is refused for is not tried a thousand times."""
    done = run("post", *argv, "--url", system.url)
    assert done.returncode == code
    assert sentence in done.stdout + done.stderr


def test_a_trace_is_found_by_its_job(system: Programs, zipkin: ZipkinServer) -> None:
    """The id that one has at hand."""
    job = json.loads(run("post", "do_stuff", "seconds=0", "--wait", "--json", "--url", system.url).stdout)
    zipkin.wait_for_trace(job["trace_id"], 5)
    by_job = run("trace", job["id"], "--zipkin-url", zipkin.url, "--url", system.url)
    assert by_job.returncode == 0, by_job.stderr
    assert by_job.stdout == run("trace", job["trace_id"], "--zipkin-url", zipkin.url).stdout
    unknown = run("trace", "no-such-job", "--zipkin-url", zipkin.url, "--url", system.url)
    assert (unknown.returncode, "nor one of such a job (yet)" in unknown.stderr) == (1, True)
