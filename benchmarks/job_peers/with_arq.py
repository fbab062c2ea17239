"""arq: one process, no results kept; it asks the queue every 10 ms instead of every half second."""

import asyncio

from arq import create_pool
from arq.connections import ArqRedis, RedisSettings
from arq.worker import run_worker
from peer import run, url

SETTINGS = RedisSettings.from_dsn(url())
loop = asyncio.new_event_loop()
asyncio.set_event_loop(loop)
pools: list[ArqRedis] = []


async def noop(context: dict[str, object], n: int) -> None:
    """Do nothing."""


class WorkerSettings:
    """What arq's worker reads."""

    functions = (noop,)
    redis_settings = SETTINGS
    keep_result = 0
    poll_delay = 0.01
    max_jobs = 100


def publish(number: int) -> None:
    """Publish one job."""
    if not pools:
        pools.append(loop.run_until_complete(create_pool(SETTINGS)))
    loop.run_until_complete(pools[0].enqueue_job("noop", number))


if __name__ == "__main__":
    run(publish, lambda: run_worker(WorkerSettings))  # type: ignore[arg-type] # a class of settings, as arq documents
