"""What every program here understands; imported by its plain name, for nothing else is installed beside the peer."""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

THREADS = 8


def run(publish: Callable[[int], object], work: Callable[[], object]) -> None:
    """Publish so many jobs, after one that opens the connection, and print the seconds they took; or work."""
    if sys.argv[1] == "work":
        work()
        return
    publish(-1)
    begun = time.perf_counter()
    for number in range(int(sys.argv[3])):
        publish(number)
    print(time.perf_counter() - begun)


def url() -> str:
    """Return the Redis to use, named by the command line or by whoever started a worker's own command."""
    return os.environ.setdefault("PEER_URL", sys.argv[2] if len(sys.argv) > 2 else "")


def become(*command: str) -> None:
    """Become the peer's own worker command, with this folder on its path."""
    path = [str(Path(__file__).resolve().parent), os.environ.get("PYTHONPATH", "")]
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, path))
    os.execv(sys.executable, [sys.executable, "-m", *command])  # noqa: S606 - there is nothing to escape
