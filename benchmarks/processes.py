"""The processes that a measurement needs, and what they cost."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.servers import Process
from tests.servers.programs import request
from tests.servers.waiting import free_port, wait_until

RELAY = (sys.executable, "-c", "from kombu_zipkin.cli import main; main()", "relay")


@contextmanager
def sink() -> Iterator[str]:
    """A server that accepts everything; yields its address."""
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.sink"], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
    finally:
        process.terminate()
        process.wait()


@contextmanager
def relay(redis_url: str, zipkin_url: str) -> Iterator[Process]:
    """A relay, once it is ready."""
    port = free_port()
    env = {"REDIS_URL": redis_url, "ZIPKIN_URL": zipkin_url, "RELAY_PORT": str(port), "LOG_LEVEL": "WARNING"}
    process = Process(RELAY, env)
    try:
        wait_until(lambda: request(f"http://127.0.0.1:{port}/ready")[0] == 200, "the relay to be ready", seconds=30)
        yield process
        process.stop()
    finally:
        process.close()


def cpu_seconds(pid: int) -> float:
    """Return what a process has used of the CPU so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss_mib(pid: int) -> float:
    """Return how much memory a process has at this moment."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024
