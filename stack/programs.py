"""The stack's programs: what each is started with, and how one sees that it is ready."""

import os
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from kombu_zipkin.zipkin import ZipkinClient
from stack import redis, zipkin
from stack.running import Program

_DRAIN_SECONDS = "2"


def redis_program(server: Path, port: int, data: Path) -> Program:
    """Return the stack's own Redis."""
    argv = redis.server_argv(server, port, data)
    url = f"redis://127.0.0.1:{port}/0"
    log, memory = data / "redis.log", "its data are on disk"
    return Program("redis", argv, lambda: redis.answers(url), wave=2, env=_env({}), log=log, memory=memory)


def zipkin_program(java: Path, jar: Path, port: int, data: Path, web_url: str) -> Program:
    """Return the stack's own Zipkin, which links to the web app."""
    argv, env = zipkin.server_argv(java, jar, port), _env(zipkin.server_env(web_url))
    url = f"http://127.0.0.1:{port}"
    log, memory = data / "zipkin.log", "its traces were in memory and are gone"
    return Program("zipkin", argv, lambda: zipkin_is_up(url), wave=2, env=env, log=log, memory=memory)


def worker_program(env: Mapping[str, str], port: int) -> Program:
    """Return the worker with the sample tasks."""
    settings = {**env, "WORKER_PORT": str(port), "WORKER_DRAIN_SECONDS": _DRAIN_SECONDS}
    return _python("worker", ["-m", "worker"], settings, port, "/ready", wave=0, colour="green")


def producer_program(env: Mapping[str, str], port: int) -> Program:
    """Return the web app."""
    settings = {**env, "PRODUCER_PORT": str(port)}
    return _python("producer", ["-m", "producer"], settings, port, "/ready", wave=0, colour="cyan")


def relay_program(env: Mapping[str, str], port: int, *, without_zipkin: bool) -> Program:
    """Return the relay; without a Zipkin it counts as ready once it runs."""
    settings = {**env, "RELAY_PORT": str(port)}
    argv = ["-c", "from kombu_zipkin.cli import main; main()", "relay"]
    page = "/health" if without_zipkin else "/ready"
    return _python("relay", argv, settings, port, page, wave=1, colour="magenta")


def zipkin_is_up(url: str) -> bool:
    """Whether a Zipkin answers there, its storage included."""
    from kombu_zipkin.errors import KombuZipkinError

    try:
        return ZipkinClient(url, timeout=3.0).health() is None
    except KombuZipkinError:
        return False


def _python(
    name: str, argv: list[str], env: Mapping[str, str], port: int, page: str, *, wave: int, colour: str
) -> Program:
    address = f"http://127.0.0.1:{port}{page}"
    return Program(name, [sys.executable, *argv], lambda: _says_200(address), wave, _env(env), colour=colour)


def _env(env: Mapping[str, str]) -> Mapping[str, str]:
    return {**os.environ, "PYTHONUNBUFFERED": "1", **env}


def _says_200(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=2.0) as response:  # noqa: S310 - our own http address
            return int(response.status) == 200
    except (OSError, urllib.error.URLError):
        return False
