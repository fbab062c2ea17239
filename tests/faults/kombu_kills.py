"""Kill consumers of plain kombu code, on stock kombu's transport and on ours, and count the messages.

``python -m tests.faults.kombu_kills --kills 60 --messages 30000`` prints a line for each transport.
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

from tests.faults.kombu_consumer import LEASE_SECONDS, QUEUE, connect
from tests.servers import RedisServer
from tests.servers.process import ROOT

CONSUMERS = 2


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


def run(url: str, transport: str, folder: Path, seed: int, kills: int, messages: int) -> Count:
    """Publish while consumers are killed, then let one drain what is left."""
    folder.mkdir()
    publishing = threading.Thread(target=_publish, args=(url, transport, messages))
    publishing.start()
    chance, killed = random.Random(seed), 0
    consumers = [_start(url, transport, folder) for _ in range(CONSUMERS)]
    while killed < kills:
        time.sleep(chance.uniform(0.6, 1.2))
        at = chance.randrange(CONSUMERS)
        consumers[at].kill()
        consumers[at].wait()
        consumers[at] = _start(url, transport, folder)
        killed += 1
    publishing.join()
    _drain(url, transport, folder, messages)
    for consumer in consumers:
        consumer.kill()
        consumer.wait()
    handled = Counter(line for file in folder.iterdir() for line in file.read_text().splitlines())
    repeated = sum(count > 1 for count in handled.values())
    return Count(messages, kills, messages - len(handled), repeated)


def _publish(url: str, transport: str, messages: int) -> None:
    with connect(url, transport) as connection:
        producer = connection.Producer()
        for number in range(messages):
            producer.publish({"n": number}, exchange="", routing_key="orders", declare=[QUEUE], retry=True)


def _start(url: str, transport: str, folder: Path) -> "subprocess.Popen[bytes]":
    argv = [sys.executable, "-m", "tests.faults.kombu_consumer", url, transport, str(folder)]
    return subprocess.Popen(argv, cwd=ROOT, stderr=subprocess.DEVNULL)


def _drain(url: str, transport: str, folder: Path, messages: int) -> None:
    """Wait until all are handled, or nothing has moved for three leases: what is missing then is lost."""
    seen, since = -1, time.monotonic()
    while time.monotonic() - since < 3 * LEASE_SECONDS + 15:
        handled = sum(file.stat().st_size for file in folder.iterdir())
        if handled != seen:
            seen, since = handled, time.monotonic()
        if len({line for file in folder.iterdir() for line in file.read_text().splitlines()}) == messages:
            time.sleep(LEASE_SECONDS)
            return
        time.sleep(0.5)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 31))
    parser.add_argument("--kills", type=int, default=60, help="consumers to kill (default 60)")
    parser.add_argument("--messages", type=int, default=30_000, help="messages to publish (default 30000)")
    given = parser.parse_args()
    print(f"seed {given.seed}")
    for transport in ("stock", "ours"):
        with TemporaryDirectory() as folder:
            server = RedisServer(Path(folder))
            try:
                print(transport, run(server.url, transport, Path(folder) / "handled", given.seed, given.kills,
                                     given.messages), flush=True)  # fmt: skip
            finally:
                server.close()


if __name__ == "__main__":
    main()
