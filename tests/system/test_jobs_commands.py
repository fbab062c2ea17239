"""``kombu-zipkin jobs``: what a person does when a job has failed, or waits."""

import json
from typing import Any

import pytest

from tests.servers import Programs, RedisServer, wait_until
from tests.system.test_commands import run


@pytest.fixture
def posted(system: Programs) -> "Posted":
    """Jobs of the running system."""
    return Posted(system)


class Posted:
    """Posts jobs, and runs the commands on the same Redis.

    Args:
        system: The running programs.
    """

    def __init__(self, system: Programs) -> None:
        self._system = system
        self._env = {name: system.environment[name] for name in ("REDIS_URL", "JOBS_NAMESPACE")}

    def post(self, task: str, state: str, **arguments: Any) -> str:
        """Post a job, and wait until it is in a state; returns its id."""
        _, job = self._system.post("/api/jobs", {"task": task, "arguments": arguments})
        self.wait_for(job["id"], state)
        return str(job["id"])

    def wait_for(self, job_id: str, state: str) -> None:
        """Wait until a job is in a state."""
        wait_until(lambda: self._system.get(f"/api/jobs/{job_id}")[1]["state"] == state, f"the job to be {state}")

    def jobs(self, *argv: str, code: int = 0, **env: str) -> str:
        """Run ``kombu-zipkin jobs``; returns what it printed, both ways."""
        done = run("jobs", *argv, **{**self._env, **env})
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr


def test_list_filters_and_pages(posted: Posted) -> None:
    """By state and task; a page says where the next begins."""
    done, dead = posted.post("do_stuff", "succeeded", seconds=0), posted.post("fail", "dead_lettered")
    listed = posted.jobs("list", "--state", "dead_lettered", "--task", "fail")
    assert dead in listed
    assert done not in listed
    assert "RuntimeError: as asked" in listed
    first = json.loads(posted.jobs("list", "--limit", "1", "--json"))
    second = json.loads(posted.jobs("list", "--limit", "1", "--json", "--after", first["next"]))
    assert [first["jobs"][0]["id"], second["jobs"][0]["id"]] == [dead, done]
    assert f"--after {first['next']}" in posted.jobs("list", "--limit", "1")


def test_status_counts_jobs_by_state(posted: Posted) -> None:
    """Every state has its line."""
    before = json.loads(posted.jobs("status", "--json"))
    posted.post("do_stuff", "succeeded", seconds=0)
    posted.post("fail", "dead_lettered")
    after = json.loads(posted.jobs("status", "--json"))
    assert list(after) == ["queued", "running", "waiting", "succeeded", "dead_lettered"]
    grown = {state: after[state] - before[state] for state in after if after[state] != before[state]}
    assert grown == {"succeeded": 1, "dead_lettered": 1}
    assert f"dead-lettered {after['dead_lettered']}\n" in posted.jobs("status")


def test_show_tells_every_attempt(posted: Posted) -> None:
    """And result, error, traceback."""
    job_id = posted.post("flaky", "succeeded", failures=1)
    shown = posted.jobs("show", job_id)
    assert "attempt 1" in shown
    assert "retried: RuntimeError: attempt 1 of 1 that fail" in shown
    assert "acknowledged" in shown
    assert json.loads(posted.jobs("show", job_id, "--json"))["result"] == "succeeded in attempt 2"
    assert "unknown, or its record has expired" in posted.jobs("show", "nobody", code=1)


def test_retry_runs_a_dead_job_again_and_no_other(posted: Posted) -> None:
    """It keeps its id and its trace."""
    dead, done = posted.post("fail", "dead_lettered"), posted.post("do_stuff", "succeeded", seconds=0)
    before = json.loads(posted.jobs("show", dead, "--json"))
    assert "is in the queue jobs" in posted.jobs("retry", dead)

    def again() -> Any:
        after = json.loads(posted.jobs("show", dead, "--json"))
        return after if after["state"] == "dead_lettered" and after["started_ms"] > before["started_ms"] else None

    assert wait_until(again, "another attempt")["trace_id"] == before["trace_id"]
    assert "is succeeded: only one that waits or is dead is retried" in posted.jobs("retry", done, code=1)
    assert "unknown" in posted.jobs("retry", "nobody", code=1)


def test_retry_runs_a_waiting_job_now(posted: Posted, system: Programs) -> None:
    """Not when its wait is over."""
    _, job = system.post("/api/jobs", {"task": "do_stuff", "arguments": {"seconds": 0}, "delay_ms": 3_600_000})
    posted.wait_for(job["id"], "waiting")
    posted.jobs("retry", job["id"])
    posted.wait_for(job["id"], "succeeded")


def test_dead_letters_are_listed_shown_replayed_and_purged(posted: Posted, redis_server: RedisServer) -> None:
    """One by one, by reason, all; a dry run does nothing; each moves once."""
    posted.jobs("dead", "purge", "--all", "--yes")
    unlucky = [posted.post("fail", "dead_lettered", message="unlucky") for _ in range(3)]
    posted.post("fail", "dead_lettered", message="another reason")
    with redis_server.client() as client:
        client.lpush("system:jobs", b"no message at all")
        wait_until(lambda: "malformed" in posted.jobs("dead", "list"), "the malformed message")
        listed = json.loads(posted.jobs("dead", "list", "--json"))
        assert len(listed) == 5
        assert len(json.loads(posted.jobs("dead", "list", "--reason", "unlucky", "--json"))) == 3
        shown = posted.jobs("dead", "show", unlucky[0])
        assert "RuntimeError: unlucky" in shown
        assert "in fail" in shown, "the traceback"
        assert "3 dead letters would go back" in posted.jobs("dead", "replay", "--reason", "unlucky", "--dry-run")
        assert client.llen("system:jobs.dead") == 5
        assert "1 dead letter went back" in posted.jobs("dead", "replay", unlucky[0])
        wait_until(lambda: client.llen("system:jobs.dead") == 5, "it to fail again")
        assert "1 dead letter was thrown away" in posted.jobs("dead", "purge", "--reason", "malformed", "--yes")
        assert client.llen("system:jobs.dead") == 4
        assert "there is no dead letter" in posted.jobs("dead", "show", "nobody", code=1)
        assert "expected an ID, or --reason TEXT, or --all" in posted.jobs("dead", "replay", code=2)
        posted.jobs("dead", "purge", "--all", "--yes")
        assert client.llen("system:jobs.dead") == 0


def test_without_redis_the_commands_say_so(posted: Posted) -> None:
    """In one sentence."""
    away = {"REDIS_URL": "redis://127.0.0.1:1/0"}
    for argv in (["list"], ["show", "x"], ["retry", "x"], ["dead", "list"], ["dead", "purge", "--all", "--yes"]):
        said = posted.jobs(*argv, code=1, **away)
        assert said.startswith("kombu-zipkin: ")
        assert said.count("\n") == 1, said
