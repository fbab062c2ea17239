"""A real Redis with a folder of its own."""

from pathlib import Path

import redis

from stack.redis import answers, find_server, server_argv
from tests.servers.process import Process
from tests.servers.waiting import free_port, wait_until


class RedisServer:
    """A Redis with an append-only file; may be stopped, killed and started again on the same port and data.

    Args:
        folder: Of its data.
        server: The program; None for the one that the stack would use.
    """

    def __init__(self, folder: Path, server: Path | None = None) -> None:
        self._folder = folder
        self._server = server or find_server()
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

    def client(self) -> redis.Redis:
        """Return a client; the caller closes it."""
        return redis.Redis.from_url(self.url, decode_responses=True, encoding_errors="replace")

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self._process = Process(server_argv(self._server, self.port, self._folder))
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
