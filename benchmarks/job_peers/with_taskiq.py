"""taskiq on a Redis stream: one process, no results."""

import asyncio

from peer import become, run, url
from taskiq_redis import RedisStreamBroker

broker = RedisStreamBroker(url())
loop = asyncio.new_event_loop()


@broker.task
async def noop(n: int) -> None:
    """Do nothing."""


def publish(number: int) -> None:
    """Publish one job."""
    if number < 0:
        loop.run_until_complete(broker.startup())
    loop.run_until_complete(noop.kiq(number))


if __name__ == "__main__":
    run(publish, lambda: become("taskiq", "worker", "with_taskiq:broker", "--workers", "1", "--log-level", "ERROR"))
