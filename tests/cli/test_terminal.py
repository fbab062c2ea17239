"""On a terminal: colours, bars, tables that go on. In a pipe: plain lines, whole."""

import re
import signal
import sys
from contextlib import closing

import pytest

from tests.cli.typed import typed
from tests.servers import Process, Programs, RedisServer, ZipkinServer, wait_until
from tests.servers.programs import KOMBU_ZIPKIN
from tests.servers.terminal import Terminal
from tests.spans.test_dead_letters import bury

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
COLOUR = re.compile(r"\x1b\[[0-9;]*3[0-9]m")


@pytest.fixture
def env(system: Programs) -> dict[str, str]:
    """Where the running system is."""
    return {**system.environment, "KOMBU_ZIPKIN_URL": system.url}


@pytest.fixture
def failed_job(system: Programs, zipkin: ZipkinServer) -> str:
    """A job that failed, and its trace is in Zipkin."""
    _, job = system.post("/api/jobs", {"task": "fail", "arguments": {"message": "no [luck]"}})
    zipkin.wait_for_trace(job["trace_id"], 4)
    wait_until(lambda: system.get(f"/api/jobs/{job['id']}")[1]["state"] == "dead_lettered", "the job to fail")
    return str(job["id"])


def on_terminal(argv: list[str], env: dict[str, str], columns: int) -> tuple[list[str], str]:
    """Run a command on a terminal; returns the lines as they can be read, and all that was sent to it."""
    with Terminal([*KOMBU_ZIPKIN, *argv], env, columns=columns) as terminal:
        assert terminal.wait() == 0, terminal.output
        return ESCAPES.sub("", terminal.output).split("\r\n"), terminal.output


def test_a_trace_has_colours_and_bars_on_a_terminal_alone(env: dict[str, str], failed_job: str) -> None:
    """In a pipe it is a line a span; with ``--width`` bars, but no colours; NO_COLOR takes the colours alone."""
    lines, sent = on_terminal(["trace", failed_job], env, 100)
    assert COLOUR.search(sent)
    assert any("█" in line for line in lines)
    assert "! RuntimeError: no [luck]" in "\n".join(lines)
    assert max(map(len, lines)) <= 100
    lines, sent = on_terminal(["trace", failed_job], {**env, "NO_COLOR": "1"}, 60)
    assert any("░" in line for line in lines)
    assert max(map(len, lines)) <= 60
    assert not COLOUR.search(sent)
    piped = typed("trace", failed_job, **env).stdout
    assert "█" not in piped
    assert "\x1b" not in piped
    assert [line for line in piped.splitlines() if line.endswith("CONSUMER  error: RuntimeError: no [luck]")]
    asked = typed("trace", failed_job, "--width", "90", **env).stdout
    assert ("\x1b" in asked, "█" in asked, "░" in asked) == (False, True, True)


def test_a_trace_is_waited_for_until_it_is_whole(env: dict[str, str], zipkin: ZipkinServer, system: Programs) -> None:
    """Not before the job is over; what has come when the time is up is drawn all the same."""
    job = system.post("/api/jobs", {"task": "do_stuff", "arguments": {"seconds": 2}})[1]
    done = typed("trace", job["id"], "--wait", "15", **env)
    assert (done.exit_code, len(done.stdout.splitlines())) == (0, 6), done.output
    early = typed("trace", job["id"], "--wait", "0", **env)
    assert (early.exit_code, len(early.stdout.splitlines())) == (1, 6)
    assert "the trace was not whole after 0 s" in early.stderr


def test_a_list_of_jobs_fits_its_terminal_and_is_whole_in_a_pipe(env: dict[str, str], failed_job: str) -> None:
    """Ids can be copied; on 80 columns an error has a line of its own."""
    narrow, sent = on_terminal(["jobs", "list", "--limit", "3", "--state", "dead_lettered"], env, 80)
    assert max(len(line) for line in narrow if not line.startswith("kombu-zipkin: ")) <= 80
    assert narrow[1].startswith(f"{failed_job}  fail ")
    assert narrow[2] == "  ! RuntimeError: no [luck]"
    assert COLOUR.search(sent)
    wide, _ = on_terminal(["jobs", "list", "--limit", "1", "--state", "dead_lettered"], env, 140)
    assert wide[0].split() == ["job", "task", "state", "attempts", "published", "took", "ms", "error"]
    piped = typed("jobs", "list", "--limit", "2", "--state", "dead_lettered", **env, COLUMNS="40").stdout.splitlines()
    assert (len(piped), piped[1].endswith("RuntimeError: no [luck]")) == (3, True)
    assert not [line for line in piped if "\x1b" in line or line.endswith(" ") or "…" in line]


def test_checks_have_colours_on_a_terminal_alone(env: dict[str, str]) -> None:
    """The words are the same."""
    lines, sent = on_terminal(["doctor"], env, 200)
    assert COLOUR.search(sent)
    assert lines[:3] == typed("doctor", **env).stdout.splitlines()[:3]


def test_a_watch_outlives_its_server(own_redis: RedisServer, namespace: str) -> None:
    """What was seen last stays, with a line that says what is wrong, and goes on when the server is back."""
    bury(own_redis.url, namespace, letters=3)
    env = {"REDIS_URL": own_redis.url, "SPANS_STREAM": namespace}
    watching = [*KOMBU_ZIPKIN, "spans", "status", "--watch"]
    with Terminal(watching, env) as terminal, closing(Process(watching, env)) as piped:

        def both_show(text: str, begin: int = 0, begin_piped: int = 0) -> bool:
            return text in terminal.output[begin:] and text in piped.output[begin_piped:]

        wait_until(lambda: both_show("the books close"), "the books")
        own_redis.stop()
        wait_until(lambda: both_show("trying again"), "the outage to be told")
        since = len(terminal.output), len(piped.output)
        own_redis.start()
        wait_until(lambda: both_show("the books close", *since), "it to go on")
        terminal.signal(signal.SIGINT)
        piped.signal(signal.SIGINT)
        assert (terminal.wait(), piped.wait(20)) == (0, 0)
        assert "\x1b" not in piped.output
        assert "Traceback" not in terminal.output + piped.output


def test_jobs_are_watched_with_the_filters_of_the_list(env: dict[str, str], failed_job: str, system: Programs) -> None:
    """And how many there are in each state."""
    with Terminal([*KOMBU_ZIPKIN, "jobs", "list", "--watch", "--task", "fail"], env, columns=120) as terminal:
        wait_until(lambda: failed_job in terminal.output, "the job that was there")
        other = system.post("/api/jobs", {"task": "do_stuff", "arguments": {"seconds": 0}})[1]["id"]
        later = system.post("/api/jobs", {"task": "fail", "arguments": {}})[1]["id"]
        wait_until(lambda: later in terminal.output, "the job that came")
        assert other not in terminal.output
        assert "dead_lettered" in ESCAPES.sub("", terminal.output).split("\r\n")[0]
        terminal.signal(signal.SIGINT)
        assert terminal.wait() == 0


def test_a_terminal_that_knows_only_ascii_gets_no_more(env: dict[str, str], failed_job: str) -> None:
    """Bars of number signs; what it cannot show is escaped."""
    plain = {**env, "PYTHONIOENCODING": "ascii"}
    lines, _ = on_terminal(["trace", failed_job], plain, 100)
    assert any(line.endswith("#") for line in lines)
    assert "\n".join(lines).isascii()


def test_a_command_is_imported_when_it_is_asked_for() -> None:
    """So that a shell that completes the first word does not wait for all of them."""
    script = (
        "import sys, click; from kombu_zipkin.cli.main import commands as all; context = click.Context(all)\n"
        "print([each.value for each in all.shell_complete(context, 'sp')], len(all.get_help(context)) > 1000)\n"
        "print([name for name in ('redis', 'kombu', 'rich', 'urllib3', 'pydantic') if name in sys.modules])"
    )
    process = Process([sys.executable, "-c", script])
    assert (process.wait(30), process.output) == (0, "['spans'] True\n[]\n")
    process.close()
