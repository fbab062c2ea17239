"""``--json``: one document on standard output, nothing else there."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.cli.typed import tree, typed
from tests.servers import Programs, wait_until
from tests.spans.test_dead_letters import bury

SILENT = {("relay",), ("worker",), ("completion",)}
"""Programs that run until they are stopped, and a script for a shell."""

PRINTING = [path for path, command in tree() if not hasattr(command, "commands") and path not in SILENT]

MADE: dict[tuple[str, ...], Callable[["Made"], list[str]]] = {
    ("post",): lambda made: ["do_stuff", "seconds=0", "--wait"],
    ("trace",): lambda made: [made.succeeded, "--wait", "10"],
    ("verify",): lambda made: [],
    ("doctor",): lambda made: [],
    ("spans", "status"): lambda made: [],
    ("spans", "dead", "list"): lambda made: [],
    ("spans", "dead", "show"): lambda made: [made.letter],
    ("spans", "dead", "replay"): lambda made: [made.letter],
    ("spans", "dead", "purge"): lambda made: ["--reason", "unlucky", "--yes"],
    ("jobs", "status"): lambda made: [],
    ("jobs", "list"): lambda made: ["--limit", "3"],
    ("jobs", "show"): lambda made: [made.succeeded],
    ("jobs", "retry"): lambda made: [made.dead[0]],
    ("jobs", "dead", "list"): lambda made: [],
    ("jobs", "dead", "show"): lambda made: [made.dead[1]],
    ("jobs", "dead", "replay"): lambda made: [made.dead[1]],
    ("jobs", "dead", "purge"): lambda made: ["--reason", "unlucky", "--dry-run"],
}


class Made:
    """What there is to look at: jobs that succeeded and failed, and dead letters of spans.

    Args:
        system: The running programs.
        redis_url: Their Redis.
        stream: A stream with dead letters.
    """

    def __init__(self, system: Programs, redis_url: str, stream: str) -> None:
        self.environment = {**system.environment, "KOMBU_ZIPKIN_URL": system.url}
        self.of_spans = {**self.environment, "SPANS_STREAM": stream}
        bury(redis_url, stream, letters=3, reason="unlucky")
        self.succeeded: str = self._ended(system, "do_stuff", seconds=0)
        self.dead: list[str] = [self._ended(system, "fail", message="unlucky") for _ in range(2)]
        self.letter: str = self.run("spans", "dead", "list")[0]["id"]

    def run(self, *argv: str, code: int = 0) -> Any:
        """Run a command with ``--json``; returns its document."""
        done = typed(*argv, "--json", **(self.of_spans if argv[0] == "spans" else self.environment))
        assert done.exit_code == code, done.output
        return json.loads(done.stdout)

    def _ended(self, system: Programs, task: str, **arguments: Any) -> str:
        job_id = str(system.post("/api/jobs", {"task": task, "arguments": arguments})[1]["id"])
        ended = ("succeeded", "dead_lettered")
        wait_until(lambda: system.get(f"/api/jobs/{job_id}")[1]["state"] in ended, "the job to end")
        return job_id


@pytest.fixture
def made(system: Programs, redis_url: str, namespace: str) -> Made:
    """What there is to look at."""
    return Made(system, redis_url, namespace)


def test_every_command_that_prints_takes_json_and_is_tried_here() -> None:
    """So that a new one is not forgotten."""
    assert set(PRINTING) == set(MADE)
    lacking = [
        path for path, command in tree() if path in MADE and "as_json" not in {each.name for each in command.params}
    ]
    assert lacking == []


def test_json_is_one_document_of_every_command(made: Made) -> None:
    """All on one system, each as its help says."""
    said = {path: made.run(*path, *arguments(made)) for path, arguments in MADE.items()}
    assert said["post",]["state"] == "succeeded"
    assert {span["traceId"] for span in said["trace",]} == {said["jobs", "show"]["trace_id"]}
    assert (said["verify",]["holds"], len(said["verify",]["checks"])) == (True, 10)
    assert (said["doctor",]["works"], {each["grade"] for each in said["doctor",]["findings"]} <= {"ok", "warn"}) == (
        True,
        True,
    )
    assert said["spans", "dead", "show"]["id"] == made.letter
    moved = {"dry_run": False, "gone": 0, "unreadable": []}
    assert said["spans", "dead", "replay"] == {**moved, "dead_letters": 1, "spans": 1}
    assert said["spans", "dead", "purge"] == {**moved, "dead_letters": 2, "spans": 2}
    assert said["jobs", "retry"]["id"] == made.dead[0]
    assert said["jobs", "dead", "show"]["id"] == made.dead[1]
    assert said["jobs", "dead", "replay"] == {"dry_run": False, "dead_letters": 1, "stayed": 0}
    assert said["jobs", "dead", "purge"]["dry_run"] is True


def test_json_of_what_failed_says_so_by_the_exit_code(made: Made, sink_url: str) -> None:
    """And is a document all the same."""
    job = made.run("post", "do_stuff", "seconds=0", "--count", "2", "--wait")
    assert (job["posted"], job["states"]) == (2, {"succeeded": 2})
    late = made.run("post", "do_stuff", "seconds=2", "--wait", "--timeout", "0.1", code=1)
    assert late["state"] in ("queued", "running")
    missed = made.run("verify", "--zipkin-url", sink_url, "--timeout", "0.2", code=1)
    assert (missed["holds"], missed["checks"][0]["fault"]) == (False, "it did not; are worker and relay running?")
    away = made.run("doctor", "--zipkin-url", "http://127.0.0.1:1", code=1)
    assert away["works"] is False


def test_what_cannot_be_answered_leaves_standard_output_empty(made: Made) -> None:
    """The sentence is on standard error; a question too."""
    for argv in (["jobs", "show", "nobody"], ["jobs", "dead", "show", "nobody"], ["jobs", "retry", "nobody"]):
        done = typed(*argv, "--json", **made.environment)
        assert (done.exit_code, done.stdout) == (1, "")
        assert done.stderr.count("\n") == 1
    for answer, code, said in (("n\n", 1, "nothing was thrown away"), ("", 2, "--yes does not ask")):
        done = typed("spans", "dead", "purge", "--all", "--json", answer=answer, **made.of_spans)
        assert (done.exit_code, done.stdout, said in done.stderr) == (code, "", True)
    asked = typed("spans", "dead", "purge", "--all", "--json", answer="y\n", **made.of_spans)
    assert "Throw 3 dead letters, 3 spans, away for good?" in asked.stderr
    assert json.loads(asked.stdout)["dead_letters"] == 3
