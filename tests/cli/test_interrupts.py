"""Ctrl-C: one line and exit 130, unless it is the regular end."""

import signal
from collections.abc import Callable

import pytest

from tests.servers import Process, Programs, wait_until
from tests.servers.programs import KOMBU_ZIPKIN

QUIET = {"RELAY_PORT": "0", "WORKER_PORT": "0"}


@pytest.fixture
def away(system: Programs, sink_url: str) -> dict[str, str]:
    """The running system, with a Zipkin that knows nothing."""
    return {**system.environment, **QUIET, "KOMBU_ZIPKIN_URL": system.url, "ZIPKIN_URL": sink_url}


def interrupted(argv: list[str], env: dict[str, str], begun: Callable[[Process], object]) -> tuple[int, str]:
    """Send SIGINT to a command that has begun its work; returns its exit code and all it printed."""
    process = Process([*KOMBU_ZIPKIN, *argv], env)
    try:
        wait_until(lambda: begun(process) or not process.is_running, "it to begin")
        process.signal(signal.SIGINT)
        return process.wait(20), process.output
    finally:
        process.close()


def test_a_single_job_goes_on_and_its_id_is_told(away: dict[str, str], system: Programs) -> None:
    """In one line."""

    def is_running(process: Process) -> bool:
        return bool(system.get("/api/jobs/ctrl-c")[1].get("state") == "running")

    argv = ["post", "do_stuff", "seconds=3", "--id", "ctrl-c", "--wait"]
    assert interrupted(argv, away, is_running) == (
        130, "kombu-zipkin: interrupted; the job goes on: kombu-zipkin jobs show ctrl-c\n",
    )  # fmt: skip


def test_a_load_says_how_far_it_came(away: dict[str, str], system: Programs) -> None:
    """Then that it was interrupted."""
    before = len(system.get("/api/jobs?task=do_stuff&limit=500")[1]["jobs"])

    def is_posting(process: Process) -> bool:
        return len(system.get("/api/jobs?task=do_stuff&limit=500")[1]["jobs"]) > before

    code, said = interrupted(["post", "do_stuff", "seconds=0", "--count", "100000", "--rate", "20"], away, is_posting)
    assert code == 130
    assert said.startswith("posted ")
    assert said.endswith("\nkombu-zipkin: interrupted\n")
    assert "Traceback" not in said


def test_a_check_that_waits_for_its_trace_ends_with_one_line(away: dict[str, str]) -> None:
    """After what it had printed."""
    code, said = interrupted(["verify"], away, lambda process: "posted job" in process.output)
    assert (code, said.splitlines()[1:]) == (130, ["kombu-zipkin: interrupted"])


@pytest.mark.parametrize("argv", [["spans", "status", "--watch"], ["jobs", "list", "--watch"]], ids=" ".join)
def test_a_watch_just_ends(away: dict[str, str], argv: list[str]) -> None:
    """Ctrl-C is its regular end: the exit code is that of the last look."""
    code, said = interrupted(argv, away, lambda process: process.output.count("\n\n") > 1)
    assert code == 0, said
    assert "interrupted" not in said


@pytest.mark.parametrize("argv", [["relay"], ["worker", "worker.tasks"]], ids=" ".join)
def test_relay_and_worker_stop_in_good_order(away: dict[str, str], namespace: str, argv: list[str]) -> None:
    """As on SIGTERM."""
    own = {**away, "SPANS_STREAM": namespace, "JOBS_NAMESPACE": namespace}
    code, said = interrupted(argv, own, lambda process: " begins" in process.output)
    assert code == 0, said
    assert "Traceback" not in said
