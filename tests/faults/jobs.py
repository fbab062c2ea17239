"""Jobs under faults, for a long time: ``python -m tests.faults.jobs --help``."""

import argparse
import multiprocessing
import random
import signal
import sys
import time
from collections import Counter
from multiprocessing.process import BaseProcess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import redis

from kombu_zipkin.jobs import DeadJobs, JobRecords
from tests.faults.job_people import CONCURRENCY, run_publisher, run_worker
from tests.servers import RedisServer, wait_until

WORKERS: Final = 3
PUBLISHERS: Final = 2
_NAMESPACE: Final = "kombu-zipkin"
_GARBAGE: Final = (b"{oops", b"[]", b'{"body": "x"}', b"\xff\xfe", b"[" * 50_000, b'{"properties": 7}')


def main() -> None:
    """Run until enough was killed and published, then print and check the sums; exit 1 if one is off."""
    parser = argparse.ArgumentParser(description="Kill publishers, workers and Redis, and count the jobs.")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 31))
    parser.add_argument("--kills", type=int, default=500, help="end after so many SIGKILLs (default 500)")
    parser.add_argument("--jobs", type=int, default=100_000, help="and so many jobs (default 100000)")
    parser.add_argument("--minutes", type=float, default=25.0, help="but not later than this (default 25)")
    arguments = parser.parse_args()
    with TemporaryDirectory() as folder:
        seconds = arguments.minutes * 60
        faults = run(Path(folder), arguments.seed, kills=arguments.kills, jobs=arguments.jobs, seconds=seconds)
    sys.exit("\n".join(faults) if faults else 0)


class People:
    """Publishers and workers, killed and replaced.

    Args:
        folder: Of Redis's data and of the notes.
        rng: Decides.
        pause: Seconds a publisher rests between jobs.
    """

    def __init__(self, folder: Path, rng: random.Random, pause: float) -> None:
        self.redis = RedisServer(folder, options=["--appendonly", "yes", "--appendfsync", "always"])
        self.published, self.done = folder / "published", folder / "done"
        self.kills: Counter[str] = Counter()
        self.garbage = 0
        self._rng, self._pause = rng, pause
        self._named = 0
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["tests.faults.job_people"])
        self._running: dict[str, list[BaseProcess]] = {"worker": [], "publisher": []}

    def start(self, kind: str) -> None:
        """Start one more."""
        self._named += 1
        target: Any = run_worker if kind == "worker" else run_publisher
        args: tuple[Any, ...] = (self.redis.url, str(self.done))
        if kind == "publisher":
            args = (self.redis.url, f"p{self._named}", str(self.published), self._pause)
        process = self._context.Process(target=target, args=args, daemon=True)
        process.start()
        self._running[kind].append(process)

    def do_something(self) -> None:
        """Kill, freeze or spoil something."""
        what = self._rng.random()
        if what < 0.60:
            self._replace("worker")
        elif what < 0.78:
            self._replace("publisher")
        elif what < 0.86:
            self.redis.kill()
            self.redis.start()
            self.kills["redis"] += 1
        elif what < 0.90:
            self._freeze()
        else:
            self._spoil()

    def finish(self) -> None:
        """Stop publishing, and let the workers finish what is there, however often it must be given back."""
        for process in self._running["publisher"]:
            process.kill()
        with redis.Redis.from_url(self.redis.url) as client:
            wait_until(lambda: _is_empty(client), "every queue to be empty", seconds=120)
        for process in self._running["worker"]:
            process.kill()
            process.join()

    def close(self) -> None:
        """End everything."""
        for process in [*self._running["publisher"], *self._running["worker"]]:
            process.kill()
            process.join()
        self.redis.close()

    def _replace(self, kind: str) -> None:
        process = self._running[kind].pop(self._rng.randrange(len(self._running[kind])))
        process.kill()
        process.join()
        self.kills[kind] += 1
        self.start(kind)

    def _freeze(self) -> None:
        """Stop Redis for less than a lease."""
        self.redis.process.signal(signal.SIGSTOP)
        time.sleep(self._rng.uniform(0.1, 1.0))
        self.redis.process.signal(signal.SIGCONT)

    def _spoil(self) -> None:
        with redis.Redis.from_url(self.redis.url) as client:
            client.lpush(f"{_NAMESPACE}:jobs", self._rng.choice(_GARBAGE))
        self.garbage += 1


def run(folder: Path, seed: int, *, kills: int, jobs: int, seconds: float, pause: float = 0.0) -> list[str]:
    """Run once; prints the sums and returns what is wrong with them, a sentence each."""
    print(f"seed {seed}", flush=True)
    rng = random.Random(seed)
    people = People(folder, rng, pause)
    try:
        for kind, number in (("worker", WORKERS), ("publisher", PUBLISHERS)):
            for _ in range(number):
                people.start(kind)
        until, told = time.monotonic() + seconds, time.monotonic()
        while time.monotonic() < until and not _is_enough(people, kills, jobs):
            time.sleep(rng.uniform(0.05, 0.5))
            if sum(people.kills.values()) < kills:
                people.do_something()
            if time.monotonic() - told > 30:
                told = time.monotonic()
                print(f"  {sum(people.kills.values())} kills, {len(_lines(people.published))} jobs", flush=True)
        people.finish()
        return _check(people)
    finally:
        people.close()


def _is_enough(people: People, kills: int, jobs: int) -> bool:
    return sum(people.kills.values()) >= kills and len(_lines(people.published)) >= jobs


def _is_empty(client: "redis.Redis") -> bool:
    counts = (
        client.llen(f"{_NAMESPACE}:jobs"),
        client.hlen(f"{_NAMESPACE}:unacked"),
        client.zcard(f"{_NAMESPACE}.delayed"),
    )
    return counts == (0, 0, 0) and not client.keys(f"{_NAMESPACE}:unacked_waiting*")


def _check(people: People) -> list[str]:
    published, runs = _lines(people.published), Counter(_lines(people.done))
    records = JobRecords(people.redis.url)
    letters = DeadJobs(people.redis.url, ["jobs"], records)
    dead = Counter(letter.id for letter in letters.list(limit=1_000_000) if letter.task is not None)
    malformed = sum(1 for letter in letters.list(limit=1_000_000) if letter.task is None)
    letters.close()
    records.close()
    lost = [key for key in published if key not in runs and key not in dead]
    twice = sum(number - 1 for number in runs.values())
    bound = sum(people.kills.values()) * CONCURRENCY
    print(
        f"{sum(people.kills.values())} kills {dict(people.kills)}; {len(published)} jobs acknowledged to publishers, "
        f"{len(runs)} succeeded, {len(dead)} dead-lettered, {malformed} of {people.garbage} malformed set aside; "
        f"lost {len(lost)}, run again after they were done {twice} (bound {bound}), "
        f"dead-lettered twice {sum(number - 1 for number in dead.values())}",
        flush=True,
    )
    faults = []
    if lost:
        faults.append(f"{len(lost)} jobs are lost: {lost[:5]}")
    if twice > bound:
        faults.append(f"{twice} jobs ran again: expected at most {bound}")
    if malformed != people.garbage:
        faults.append(f"{malformed} malformed messages set aside: expected {people.garbage}")
    if len(set(published)) != len(published):
        faults.append("a job was acknowledged twice")
    return faults


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


if __name__ == "__main__":
    main()
