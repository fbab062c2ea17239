"""dramatiq: one process, eight threads."""

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from peer import THREADS, become, run, url

dramatiq.set_broker(RedisBroker(url=url()))


@dramatiq.actor
def noop(n: int) -> None:
    """Do nothing."""


if __name__ == "__main__":
    run(
        lambda number: noop.send(number),
        lambda: become("dramatiq", "with_dramatiq", "--processes", "1", "--threads", str(THREADS)),
    )
