"""Kill consumers of plain kombu code, on stock kombu's transport and on ours, and count the messages.

``python -m tests.faults.kombu_kills --kills 100`` prints a line for each; there is always something to consume.
"""

import argparse
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import redis

from tests.faults.kombu_consumer import LEASE_SECONDS, QUEUE, connect
from tests.servers import RedisServer
from tests.servers.process import ROOT

CONSUMERS = 2
FILLED = 3000


@dataclass(frozen=True)
class Count:
    """What became of the messages.

    Attributes:
        published: How many there were.
        kills: How many consumers were killed.
        lost: How many nobody ever handled, and nobody will.
        repeated: How many were handled more than once.
    """

    published: int
    kills: int
    lost: int
    repeated: int


def run(url: str, transport: str, folder: Path, seed: int, kills: int) -> Count:
    """Publish while consumers are killed, then let them drain what is left."""
    folder.mkdir()
    publisher = Publisher(url, transport)
    chance, killed = random.Random(seed), 0
    consumers = [_start(url, transport, folder) for _ in range(CONSUMERS)]
    while killed < kills:
        time.sleep(chance.uniform(0.6, 1.2))
        at = chance.randrange(CONSUMERS)
        consumers[at].kill()
        consumers[at].wait()
        consumers[at] = _start(url, transport, folder)
        killed += 1
    messages = publisher.stop()
    _drain(folder, messages)
    for consumer in consumers:
        consumer.kill()
        consumer.wait()
    handled = Counter(line for file in folder.iterdir() for line in file.read_text().splitlines())
    return Count(messages, kills, messages - len(handled), sum(count > 1 for count in handled.values()))


class Publisher:
    """Keeps some thousand messages in the queue, from a thread.

    Args:
        url: The queue's server.
        transport: ``stock`` or ``ours``.
    """

    def __init__(self, url: str, transport: str) -> None:
        self._url, self._transport = url, transport
        self._stop, self._published = threading.Event(), 0
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def stop(self) -> int:
        """Publish no more; returns how many there are."""
        self._stop.set()
        self._thread.join()
        return self._published

    def _run(self) -> None:
        with connect(self._url, self._transport) as connection, redis.Redis.from_url(self._url) as client:
            producer = connection.Producer()
            while not self._stop.is_set():
                if self._published % 100 == 0 and client.llen(QUEUE.name) > FILLED:
                    self._stop.wait(0.02)
                    continue
                body = {"n": self._published}
                producer.publish(body, exchange="", routing_key=QUEUE.name, declare=[QUEUE], retry=True)
                self._published += 1


def _start(url: str, transport: str, folder: Path) -> "subprocess.Popen[bytes]":
    argv = [sys.executable, "-m", "tests.faults.kombu_consumer", url, transport, str(folder)]
    return subprocess.Popen(argv, cwd=ROOT, stderr=subprocess.DEVNULL)


def _drain(folder: Path, messages: int) -> None:
    """Wait until all are handled, or nothing has moved for three leases: what is missing then is lost."""
    seen, since = -1, time.monotonic()
    while time.monotonic() - since < 3 * LEASE_SECONDS + 15:
        handled = len({line for file in folder.iterdir() for line in file.read_text().splitlines()})
        if handled == messages:
            return
        if handled != seen:
            seen, since = handled, time.monotonic()
        time.sleep(0.5)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 31))
    parser.add_argument("--kills", type=int, default=100, help="consumers to kill (default 100)")
    given = parser.parse_args()
    print(f"seed {given.seed}")
    for transport in ("stock", "ours"):
        with TemporaryDirectory() as folder:
            server = RedisServer(Path(folder))
            try:
                found = run(server.url, transport, Path(folder) / "handled", given.seed, given.kills)
                print(f"{transport:6} {found}", flush=True)
            finally:
                server.close()


if __name__ == "__main__":
    main()
