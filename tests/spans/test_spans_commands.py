"""``kombu-zipkin spans``, as an operator types it."""

import json
import time

import pytest
from click.testing import CliRunner, Result

from kombu_zipkin.cli.main import commands
from kombu_zipkin.spans import StreamKeys, read_ledger
from tests.servers import RedisServer
from tests.spans.test_dead_letters import bury


@pytest.fixture
def stream(redis_url: str, namespace: str) -> str:
    """A stream with five dead letters of two reasons."""
    bury(redis_url, namespace, letters=3, reason="refused")
    bury(redis_url, namespace, letters=2, reason="corrupt payload")
    return namespace


def run(redis_url: str, stream: str, *argv: str, answer: str = "") -> Result:
    """Run a command to its end."""
    env = {"REDIS_URL": redis_url, "SPANS_STREAM": stream}
    return CliRunner().invoke(commands, ["spans", *argv], input=answer, env=env)


def test_status_prints_the_books_and_exits_0_when_they_close(redis_url: str, stream: str) -> None:
    """As a table, and as JSON."""
    done = run(redis_url, stream, "status")
    assert done.exit_code == 0, done.stderr
    assert "the books close" in done.stdout
    assert "sent all" in done.stdout
    books = json.loads(run(redis_url, stream, "status", "--json").stdout)
    assert (books["appended"], books["dead"], books["difference"], books["faults"]) == (5, 5, 0, [])
    assert {producer["accepted"] for producer in books["producers"]} == {3, 2}


def test_status_says_what_a_difference_means_and_exits_1(
    redis_server: RedisServer, redis_url: str, stream: str
) -> None:
    """A person reads sentences, a script the exit code."""
    with redis_server.client() as client:
        client.xtrim(StreamKeys(stream).dead, maxlen=4, approximate=False)
        client.hincrby(StreamKeys(stream).totals, "appended", 7)
    done = run(redis_url, stream, "status")
    assert done.exit_code == 1
    text = " ".join(done.stdout.split())
    assert "! 7 spans left the stream without being counted: somebody trimmed or deleted it by hand" in text
    assert "the books count 5 dead spans, the dead letters hold 4" in text


def test_status_goes_on_until_it_is_interrupted(
    redis_server: RedisServer, redis_url: str, stream: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its exit code is that of the last look."""
    looks: list[float] = []

    def change_the_books(seconds: float) -> None:
        looks.append(seconds)
        if len(looks) == 2:
            raise KeyboardInterrupt
        with redis_server.client() as client:
            client.hincrby(StreamKeys(stream).totals, "appended", 1)

    monkeypatch.setattr(time, "sleep", change_the_books)
    done = run(redis_url, stream, "status", "--watch")
    assert (done.exit_code, len(looks)) == (1, 2)
    assert "1 spans left the stream" in done.stdout
    assert run(redis_url, stream, "status", "--watch", "--json").exit_code == 2


def test_status_waits_until_all_is_delivered(
    redis_server: RedisServer, redis_url: str, stream: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not longer than it may; then it says what still waits, and exits 1 though the books close."""
    run(redis_url, stream, "dead", "replay", "--all")
    late = run(redis_url, stream, "status", "--wait", "--timeout", "0.1")
    assert late.exit_code == 1
    assert "5 spans still wait after 0.1 s" in late.stderr
    assert "the books close" in late.stdout
    looks: list[float] = []

    def deliver(seconds: float) -> None:
        looks.append(seconds)
        with redis_server.client() as client:
            gone = 0 if len(looks) == 1 else client.xlen(StreamKeys(stream).stream)
            client.hincrby(StreamKeys(stream).totals, "delivered", gone and 5)
            client.xtrim(StreamKeys(stream).stream, maxlen=client.xlen(StreamKeys(stream).stream) - gone)

    monkeypatch.setattr(time, "sleep", deliver)
    done = run(redis_url, stream, "status", "--wait", "--json")
    assert (done.exit_code, len(looks)) == (0, 3)
    assert json.loads(done.stdout)["delivered"] == 5
    assert run(redis_url, stream, "status", "--wait", "--watch").exit_code == 2


def test_dead_letters_are_listed_and_shown(redis_url: str, stream: str) -> None:
    """A page says how to go on."""
    done = run(redis_url, stream, "dead", "list", "--limit", "4")
    assert len(done.stdout.splitlines()) == 4
    assert "there may be more: --start" in done.stderr
    (first, _) = json.loads(run(redis_url, stream, "dead", "list", "--reason", "corrupt", "--json").stdout)
    shown = json.loads(run(redis_url, stream, "dead", "show", first["id"], "--json").stdout)
    assert shown == first
    assert (shown["reason"], shown["span"]["name"]) == ("corrupt payload", "do_stuff 0")
    assert "do_stuff 0" in run(redis_url, stream, "dead", "show", first["id"]).stdout
    absent = run(redis_url, stream, "dead", "show", "1-1")
    assert (absent.exit_code, absent.stderr) == (
        1,
        "kombu-zipkin: there is no dead letter 1-1; those that there are: kombu-zipkin spans dead list\n",
    )


def test_dead_letters_are_replayed_by_id_by_reason_or_all(redis_url: str, stream: str) -> None:
    """A dry run moves nothing."""
    (first, *_) = json.loads(run(redis_url, stream, "dead", "list", "--json").stdout)
    dry = run(redis_url, stream, "dead", "replay", "--all", "--dry-run")
    assert dry.stdout == "5 dead letters, 5 spans, would go back onto the stream\n"
    assert run(redis_url, stream, "dead", "replay", first["id"]).stdout.startswith("1 dead letter, 1 span, went")
    again = run(redis_url, stream, "dead", "replay", first["id"])
    assert again.exit_code == 1
    assert again.stderr.startswith("kombu-zipkin: 1 dead letter not there (any more): ")
    assert run(redis_url, stream, "dead", "replay", "--reason", "corrupt").stdout.startswith("2 dead letters")
    assert run(redis_url, stream, "dead", "replay", "--all").stdout.startswith("2 dead letters")
    assert read_ledger(redis_url, stream=stream).waiting == 5


def test_a_purge_asks_first(redis_url: str, stream: str) -> None:
    """Unless it is told not to."""
    refused = run(redis_url, stream, "dead", "purge", "--reason", "refused", answer="n\n")
    assert "Throw 3 dead letters, 3 spans, away for good?" in refused.output
    assert read_ledger(redis_url, stream=stream).dead_letters == 5
    assert run(redis_url, stream, "dead", "purge", "--all", "--dry-run").stdout.startswith("5 dead letters")
    assert run(redis_url, stream, "dead", "purge", "--reason", "refused", answer="y\n").exit_code == 0
    assert run(redis_url, stream, "dead", "purge", "--all", "--yes").stdout == (
        "2 dead letters, 2 spans, were thrown away\n"
    )
    ledger = read_ledger(redis_url, stream=stream)
    assert (ledger.totals["purged"], ledger.difference, ledger.dead_letters) == (5, 0, 0)


@pytest.mark.parametrize(
    ("argv", "code", "said"),
    [
        (["dead", "replay"], 2, "expected an ID, or --reason TEXT, or --all"),
        (["dead", "purge", "nonsense", "--yes"], 2, "ID: expected one like"),
        (["status", "--redis-url", "redis://127.0.0.1:1/0"], 1, "read the books of"),
        (["dead", "list", "--redis-url", "ftp://host"], 2, "Redis URL"),
    ],
)
def test_what_goes_wrong_is_one_sentence(redis_url: str, namespace: str, argv: list[str], code: int, said: str) -> None:
    """And an exit code."""
    done = run(redis_url, namespace, *argv)
    assert done.exit_code == code
    assert done.stderr.startswith("kombu-zipkin: ")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
