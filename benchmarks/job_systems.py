"""The job systems that are compared: how each is installed, filled, run, and how much of its work is left."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import redis

PROGRAMS = Path(__file__).parent / "job_peers"
ENVIRONMENTS = Path(__file__).parent.parent / ".venv-peers"

Left = Callable[["redis.Redis"], int]


@dataclass(frozen=True)
class System:
    """One way to run jobs.

    Attributes:
        name: For the table.
        program: Of `PROGRAMS`.
        left: How many jobs have not been taken yet.
        packages: Of its environment; none for this one.
        mode: A further word for the worker.
        jobs: How many are published and run in a round: a few seconds of them.
        at_least_once: Whether a killed worker's jobs run again.
    """

    name: str
    program: str
    left: Left
    packages: tuple[str, ...] = ()
    mode: str = ""
    jobs: int = 8000
    at_least_once: bool = True


def _in_list(key: str) -> Left:
    return lambda client: int(client.llen(key))


def _in_sorted_set(key: str) -> Left:
    return lambda client: int(client.zcard(key))


def _in_stream(key: str) -> Left:
    def left(client: "redis.Redis") -> int:
        groups = client.xinfo_groups(key) if client.exists(key) else []
        return int(groups[0]["lag"] or 0) if groups else int(client.xlen(key))

    return left


_HIREDIS = "hiredis==3.5.0"
_CELERY = ("celery[redis]==5.7.0", _HIREDIS)
SYSTEMS = (
    System("kombu-zipkin, traced", "with_kombu_zipkin", _in_list("kombu-zipkin:jobs"), jobs=12000),
    System("kombu-zipkin, not traced", "with_kombu_zipkin", _in_list("kombu-zipkin:jobs"), mode="untraced", jobs=12000),
    System("stock kombu, ConsumerMixin", "with_stock_kombu", _in_list("peer-jobs"), ("kombu[redis]==5.7.0", _HIREDIS)),
    System("Celery, threads", "with_celery", _in_list("celery"), _CELERY, mode="threads", jobs=4000),
    System("Celery, solo", "with_celery", _in_list("celery"), _CELERY, mode="solo", jobs=4000),
    System("Celery, prefork", "with_celery", _in_list("celery"), _CELERY, mode="prefork", jobs=4000),
    System("dramatiq", "with_dramatiq", _in_list("dramatiq:default"), ("dramatiq[redis]==2.2.1", _HIREDIS)),
    System("huey", "with_huey", _in_list("huey.redis.peer"), ("huey==3.5.4", "redis", _HIREDIS), at_least_once=False),
    System("rq", "with_rq", _in_list("rq:queue:default"), ("rq==3.0.0", _HIREDIS), jobs=1500, at_least_once=False),
    System("taskiq, stream", "with_taskiq", _in_stream("taskiq"), ("taskiq-redis==1.2.4", "taskiq==0.13.0", _HIREDIS)),
    System("arq", "with_arq", _in_sorted_set("arq:queue"), ("arq==0.28.0", _HIREDIS), jobs=3000),
)


def install(system: System) -> None:
    """Make the system's environment, unless it is there."""
    folder = ENVIRONMENTS / system.program
    if not system.packages or (folder / "installed").exists():
        return
    print(f"installing {', '.join(system.packages)} into {folder}", file=sys.stderr)
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    subprocess.run([folder / "bin" / "pip", "install", "--quiet", *system.packages], check=True)
    (folder / "installed").touch()


def publish(system: System, url: str) -> float:
    """Publish the system's jobs one by one, from one thread; returns the jobs a second."""
    argv = [*_program(system), "publish", url, str(system.jobs), system.mode]
    done = subprocess.run(argv, check=True, capture_output=True, text=True, timeout=300)
    return system.jobs / float(done.stdout.split()[-1])


def consume(system: System, client: "redis.Redis", url: str) -> tuple[float, float]:
    """Run what was published, in one worker.

    Returns:
        Jobs a second, and CPU seconds a job of the worker with its children, without the first and the last jobs.
    """
    all_jobs = system.left(client)
    assert all_jobs >= system.jobs, f"{system.name}: {all_jobs} jobs lie there, expected {system.jobs}"
    with _worker(system, url) as pid:
        first = _wait(client, system, int(0.98 * all_jobs), seconds=60)
        begun, spent = time.perf_counter(), _cpu_of_group(pid)
        last = _wait(client, system, int(0.03 * all_jobs), seconds=120)
        took, used = time.perf_counter() - begun, _cpu_of_group(pid) - spent
    return (first - last) / took, used / (first - last)


def _program(system: System) -> list[str | Path]:
    own = ENVIRONMENTS / system.program / "bin" / "python"
    return [own if system.packages else sys.executable, PROGRAMS / f"{system.program}.py"]


@contextlib.contextmanager
def _worker(system: System, url: str) -> Iterator[int]:
    """Run a worker in a process group of its own."""
    process = subprocess.Popen(
        [*_program(system), "work", url, system.mode],
        cwd=PROGRAMS,
        env={**os.environ, "PEER_URL": url},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield process.pid
        assert process.poll() is None, f"{system.name}: the worker ended with {process.returncode}"
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait(client: "redis.Redis", system: System, most: int, *, seconds: float) -> int:
    """Wait until no more than so many jobs are left."""
    until = time.monotonic() + seconds
    while (left := system.left(client)) > most:
        if time.monotonic() > until:
            raise TimeoutError(f"{system.name}: {left} jobs are left after {seconds:g} s, expected {most}")
        time.sleep(0.005)
    return left


def _cpu_of_group(pid: int) -> float:
    """Return the CPU seconds that the processes of a group have used so far."""
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = stat.read_text().rsplit(")", 1)[1].split()
            if int(fields[2]) == pid:
                ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")
