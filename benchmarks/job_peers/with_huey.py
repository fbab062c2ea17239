"""huey: eight threads, no results; it pops a job before it runs it, so a killed worker loses it."""

import logging

from huey import RedisHuey
from peer import THREADS, run, url

huey = RedisHuey("peer", url=url(), results=False)


@huey.task()
def noop(n: int) -> None:
    """Do nothing."""


def work() -> None:
    """Run the consumer, quietly."""
    logging.getLogger("huey").setLevel(logging.ERROR)
    huey.create_consumer(workers=THREADS, worker_type="thread", periodic=False).run()


if __name__ == "__main__":
    run(lambda number: noop(number), work)
