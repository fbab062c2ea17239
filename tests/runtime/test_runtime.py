"""Settings, health, pages, signals."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from kombu_zipkin.errors import ConfigurationError
from kombu_zipkin.jobs import WorkerSettings
from kombu_zipkin.runtime import Health, Metrics, StatusPages, load, serve_pages
from tests.servers import Process, wait_until
from tests.servers.programs import request


def test_what_the_command_line_gives_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """And None leaves it alone."""
    monkeypatch.setenv("WORKER_CONCURRENCY", "3")
    assert load(WorkerSettings, worker_concurrency=None).worker_concurrency == 3
    assert load(WorkerSettings, worker_concurrency=5).worker_concurrency == 5


def test_settings_are_read_from_a_dotenv_file_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And checked there: a misspelt one is an error, another program's is not."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("WORKER_CONCURRENCY=3\nPRODUCER_PORT=8080\nEDITOR=vi\n")
    assert load(WorkerSettings).worker_concurrency == 3
    (tmp_path / ".env").write_text("WORKER_CONCURRENT=3\n")
    with pytest.raises(ConfigurationError, match="did you mean WORKER_CONCURRENCY"):
        load(WorkerSettings)


def test_an_empty_variable_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """As compose files write them."""
    monkeypatch.setenv("BROKER_URL", "")
    assert load(WorkerSettings).broker_url is None


def test_a_part_is_not_ready_before_it_was_tried() -> None:
    """And tells what is wrong with it."""
    health = Health(("redis", "zipkin"))
    assert health.faults() == {"redis": "not tried yet", "zipkin": "not tried yet"}
    health.works("redis")
    health.fails("zipkin", "refused")
    assert health.faults() == {"zipkin": "refused"}


def test_a_loop_that_stands_still_is_not_alive() -> None:
    """A program that hangs is told from one that waits."""
    health = Health((), stalled_after=0.05)
    health.turned()
    assert health.is_alive()
    wait_until(lambda: not health.is_alive(), "the loop to count as dead", seconds=2)


def test_the_pages_tell_health_and_readiness() -> None:
    """503 with the faults until all is well."""
    health = Health(("redis",))
    with serve_pages(StatusPages(health.is_alive, health.faults, Metrics()), "127.0.0.1", 0) as port:
        base = f"http://127.0.0.1:{port}"
        assert request(f"{base}/ready") == (503, {"ready": False, "faults": {"redis": "not tried yet"}})
        health.works("redis")
        assert request(f"{base}/ready") == (200, {"ready": True, "faults": {}})
        assert request(f"{base}/health") == (200, {"alive": True})
        assert "kombu_zipkin_jobs_running" in request(f"{base}/metrics")[1]
        assert request(f"{base}/other")[0] == 404


def test_a_taken_port_is_a_configuration_error() -> None:
    """With what to do."""
    pages = StatusPages(lambda: True, dict, Metrics())
    taken = pytest.raises(ConfigurationError, match="choose another port")
    with serve_pages(pages, "127.0.0.1", 0) as port, taken, serve_pages(pages, "127.0.0.1", port):
        pass


def test_the_second_signal_ends_a_program_at_once() -> None:
    """For whoever has no patience with a drain."""
    script = (
        "import threading; from kombu_zipkin.runtime import stop_on_signals; stop = stop_on_signals(); "
        "print('ready', flush=True); stop.wait(); print('draining', flush=True); threading.Event().wait()"
    )
    process = Process([sys.executable, "-c", script])
    wait_until(lambda: "ready" in process.output, "the program to start")
    process.signal(signal.SIGTERM)
    wait_until(lambda: "draining" in process.output, "the first signal")
    process.signal(signal.SIGTERM)
    assert process.wait(5) == 130
    process.close()


def test_a_signal_is_obeyed_whatever_the_main_thread_is_at() -> None:
    """Such as the moment in which it has the event's lock, on the way into a wait; it had it for ever then."""
    script = (
        "import os, signal, time; from kombu_zipkin.runtime import stop_on_signals; stop = stop_on_signals()\n"
        "with stop._cond:\n    os.kill(os.getpid(), signal.SIGTERM); time.sleep(0.2)\n"
        "raise SystemExit(0 if stop.wait(5) else 1)"
    )
    process = Process([sys.executable, "-c", script])
    assert process.wait(15) == 0
    process.close()


@pytest.mark.parametrize("extra", ["pydantic_settings", "urllib3", "pydantic"])
def test_a_missing_extra_is_one_sentence_with_the_pip_line(extra: str) -> None:
    """Whoever installed the base alone learns what to install."""
    module = {"pydantic_settings": "relay", "urllib3": "zipkin", "pydantic": "jobs"}[extra]
    script = f"import sys; sys.modules[{extra!r}] = None\nimport kombu_zipkin.{module}"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    last = done.stderr.strip().splitlines()[-1]
    assert "pip install 'kombu-zipkin[" in last
