"""Publish and consume jobs that do nothing, beside other job systems: interleaved rounds, ratios of the same round."""

from collections import defaultdict
from pathlib import Path
from tempfile import TemporaryDirectory

import redis

from benchmarks.goals import row
from benchmarks.job_systems import SYSTEMS, consume, install, publish
from tests.servers import RedisServer

ROUNDS = 3
TRACED, UNTRACED, STOCK, CELERY = SYSTEMS[0].name, SYSTEMS[1].name, SYSTEMS[2].name, SYSTEMS[3].name

Table = dict[str, list[float]]


def main() -> None:
    """Print the rows."""
    for system in SYSTEMS:
        install(system)
    published, consumed, cpu = defaultdict[str, list[float]](list), defaultdict[str, list[float]](list), Table()
    with TemporaryDirectory() as folder:
        server = RedisServer(Path(folder))
        try:
            client = redis.Redis.from_url(server.url)
            for number in range(ROUNDS):
                for system in SYSTEMS if number % 2 == 0 else reversed(SYSTEMS):
                    client.flushdb()
                    published[system.name].append(publish(system, server.url))
                    rate, seconds = consume(system, client, server.url)
                    consumed[system.name].append(rate)
                    cpu.setdefault(system.name, []).append(seconds * 1e6)
        finally:
            server.close()
    _print(published, consumed, cpu)


def _print(published: Table, consumed: Table, cpu: Table) -> None:
    for name, rates in published.items():
        row(f"publish: {name}", rates, "", "jobs/s")
    for name, rates in consumed.items():
        row(f"consume: {name}", rates, "", "jobs/s")
    for name, micros in cpu.items():
        row(f"CPU of the worker: {name}", micros, "", "us/job")
    safe = [system.name for system in SYSTEMS[2:] if system.at_least_once]
    fastest = [max(rates) for rates in zip(*(consumed[name] for name in safe), strict=True)]
    row("publish, of dramatiq", _ratio(published[TRACED], published["dramatiq"]), ">= 1")
    row("publish, of Celery", _ratio(published[TRACED], published[CELERY]), ">= 2")
    row("consume, of the fastest at-least-once peer", _ratio(consumed[TRACED], fastest), ">= 1.2")
    row("consume without tracing, of the same", _ratio(consumed[UNTRACED], fastest), ">= 1.5")
    row("consume, of stock kombu", _ratio(consumed[TRACED], consumed[STOCK]), "")


def _ratio(ours: list[float], theirs: list[float]) -> list[float]:
    return [one / other for one, other in zip(ours, theirs, strict=True)]
