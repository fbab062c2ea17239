"""The system's programs as processes: web app, worker, relay."""

import json
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

from tests.servers.process import Process
from tests.servers.waiting import free_port, wait_until

KOMBU_ZIPKIN = [sys.executable, "-c", "from kombu_zipkin.cli import main; main()"]
"""The console script."""


class Programs:
    """Starts and stops the programs of one system. Every one is waited for by its ``/ready``.

    Args:
        env: Settings that all of them get, such as ``REDIS_URL``.
    """

    def __init__(self, env: Mapping[str, str]) -> None:
        self.environment = dict(env)
        self._running: dict[str, Process] = {}
        self.producer_port, self.worker_port, self.relay_port = free_port(), free_port(), free_port()

    @property
    def url(self) -> str:
        """The web app's address."""
        return f"http://127.0.0.1:{self.producer_port}"

    def start_producer(self, *, ready: bool = True, **env: str) -> Process:
        """Start the web app."""
        settings = {"PRODUCER_PORT": str(self.producer_port), **env}
        return self._start("producer", [sys.executable, "-m", "producer"], settings, self.producer_port, ready)

    def start_worker(self, *modules: str, ready: bool = True, **env: str) -> Process:
        """Start a worker, of the sample tasks unless modules are named."""
        argv = [*KOMBU_ZIPKIN, "worker", *modules] if modules else [sys.executable, "-m", "worker"]
        return self._start("worker", argv, {"WORKER_PORT": str(self.worker_port), **env}, self.worker_port, ready)

    def start_relay(self, *, ready: bool = True, **env: str) -> Process:
        """Start the relay."""
        settings = {"RELAY_PORT": str(self.relay_port), "RELAY_CLAIM_AFTER": "2", **env}
        return self._start("relay", [*KOMBU_ZIPKIN, "relay"], settings, self.relay_port, ready)

    def __getitem__(self, name: str) -> Process:
        return self._running[name]

    def kill(self, name: str) -> None:
        """Kill a program with SIGKILL."""
        self._running.pop(name).close()

    def get(self, path: str) -> tuple[int, Any]:
        """Return status and JSON (or text) of one of the web app's pages."""
        return request(self.url + path)

    def post(self, path: str, body: object) -> tuple[int, Any]:
        """Post JSON to the web app."""
        return request(self.url + path, json.dumps(body).encode(), {"Content-Type": "application/json"})

    def close(self) -> None:
        """Stop all, the last started first; every one must end in good order."""
        codes = {name: process.stop(15.0) for name, process in reversed(self._running.items())}
        output = {name: process.output for name, process in self._running.items()}
        for process in self._running.values():
            process.close()
        self._running.clear()
        bad = {name: output[name] for name, code in codes.items() if code != 0}
        assert not bad, f"ended badly: {codes}\n{bad}"

    def _start(self, name: str, argv: list[str], env: Mapping[str, str], port: int, ready: bool) -> Process:
        process = self._running[name] = Process(argv, {**self.environment, **env})
        if ready:
            page = f"http://127.0.0.1:{port}/ready"

            def is_ready() -> bool:
                assert process.is_running, f"{name} ended:\n{process.output}"
                return request(page)[0] == 200

            wait_until(is_ready, f"{name} to be ready", seconds=30)
        return process


def request(url: str, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> tuple[int, Any]:
    """Return status and JSON (or text) of a page; 0 when nothing answers."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, dict(headers or {})), timeout=15) as response:
            return int(response.status), _content(response.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, _content(error.read())
    except OSError:
        return 0, None


def _content(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return body.decode("utf-8", "replace")
